"""What a team adds to the Prometheus of its stack: alerts of its own, and targets that are no pods of the stack."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, Field

from components.model.environment import Owner
from components.model.observability import AlertRule
from components.model.promql import check_promql
from components.model.settings import ComponentSettings
from components.model.values import (
    HostPort,
    HttpPath,
    said,
    whole,
)
from components.monitoring.alert_text import AlertText
from components.monitoring.receivers import Url
from rollout.api.durations import Seconds, duration_of

if TYPE_CHECKING:
    from collections.abc import Mapping


def _promql(text: str) -> str:
    check_promql(text)
    return text


Word = Annotated[str, said(whole(r"[A-Za-z_][A-Za-z0-9_]*", 100), "is no name", "use letters, digits and _")]
PromQL = Annotated[str, Field(max_length=10_000), AfterValidator(_promql)]


class OwnAlert(ComponentSettings):
    """A condition that somebody must hear of."""

    expr: PromQL = Field(description="PromQL; what it returns is what is wrong")
    hold: Seconds = Field(default=300.0, description="how long it must hold before somebody is told")
    severity: Literal["critical", "warning"] = "warning"
    summary: AlertText
    owner: Owner | None = Field(default=None, description="who is told; the owner of this Prometheus if not given")
    runbook: Url | None = Field(default=None, description="a page that says what to do")

    def rule(self, name: str) -> AlertRule:
        """The same, as a component yields it."""
        return AlertRule(
            name,
            self.expr,
            self.summary,
            duration_of(self.hold),
            self.severity,
            section=None,
            page=self.runbook or "",
            owner=self.owner or "",
        )


class Scrape(ComponentSettings):
    """Addresses outside of the stack that have metrics."""

    targets: Annotated[list[HostPort], Field(min_length=1, max_length=100)] = Field(description="host:port")
    path: HttpPath = "/metrics"
    scheme: Literal["http", "https"] = "http"
    interval: Annotated[Seconds, Field(ge=0.25, le=120)] | None = Field(
        default=None, description="as for pods if not given"
    )
    labels: dict[Word, Annotated[str, Field(max_length=500)]] = Field(
        default_factory=dict, description="put on every series"
    )


def jobs(scrapes: Mapping[str, Scrape], every: float) -> list[dict[str, Any]]:
    """Scrape configurations, as Prometheus's file has them."""
    return [_job(name, scrape, scrape.interval or every) for name, scrape in sorted(scrapes.items())]


def _job(name: str, scrape: Scrape, every: float) -> dict[str, Any]:
    return {
        "job_name": name,
        "metrics_path": scrape.path,
        "scheme": scrape.scheme,
        "scrape_interval": duration_of(every),
        "scrape_timeout": duration_of(min(10.0, every)),
        "static_configs": [{"targets": list(scrape.targets), "labels": dict(scrape.labels)}],
    }
