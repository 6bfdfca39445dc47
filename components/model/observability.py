"""Alert rules and dashboards as data, and how both follow from the signals a release is judged by.

The law that joins the two halves of Grayling lives here: a component says once how its health is measured, and the
alert, the panel and the judge of its gray release all read that one definition.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from rollout.api.spec import USUAL_ERRORS
from rollout.signals.kinds import SIGNAL_KINDS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rollout.api.spec import Signal


WATCHDOG = "Watchdog"
"""The alert that always fires: where it does not arrive, no other would."""


@dataclass(frozen=True, slots=True)
class AlertRule:
    """A condition in PromQL that must hold for ``hold`` before somebody is told.

    Attributes:
        section: of the kind's runbook; the alert's own name if empty, none has it if None.
        page: what tells somebody what to do, where it is no runbook of a kind.
        owner: who is told; who answers for the component if empty.
        every: how often it is evaluated; as all others if empty.
        description: what else is to be known, beside the summary.
    """

    name: str
    expr: str
    summary: str
    hold: str = "5m"
    severity: Literal["critical", "warning", "none"] = "warning"
    section: str | None = ""
    page: str = ""
    owner: str = ""
    every: str = ""
    description: str = ""

    def rule(self, labels: Mapping[str, str], runbook: str = "") -> dict[str, Any]:
        """As a rules file of Prometheus writes it; ``runbook`` is the page that has a section on it."""
        section = self.name if self.section == "" else self.section
        page = self.page or (f"{runbook}#{section.lower()}" if runbook and section else "")
        return {
            "alert": self.name,
            "expr": self.expr,
            "for": self.hold,
            "labels": {**labels, **({"owner": self.owner} if self.owner else {}), "severity": self.severity},
            "annotations": {
                "summary": self.summary,
                **({"description": self.description} if self.description else {}),
                **({"runbook": page} if page else {}),
            },
        }


def gone(name: str, selector: str, summary: str, hold: str = "2m") -> AlertRule:
    """The alert for pods of which none answers, and of which none is there any more."""
    expr = f"sum(up{{{selector}}}) < 1 or absent(up{{{selector}}})"
    return AlertRule(name, expr, summary, hold, "critical")


@dataclass(frozen=True, slots=True)
class Resource:
    """Something a component has so much of, and no more.

    Attributes:
        name: ``memory``, ``volume``, ``lag``: the label of its series.
        alert: name of the warning.
        used: PromQL of one value: the share that is used, 0 to 1.
        end: what comes when nothing is left, after the component's name.
        section: of the runbook; the alert's own name if empty.
    """

    name: str
    alert: str
    used: str
    end: str
    section: str = ""


@dataclass(frozen=True, slots=True)
class Panel:
    """One graph, one large number, or one list.

    Attributes:
        view: ``graph`` over time; ``number`` or ``list`` of now.
        names: what a series is called, with its labels in double braces; as its labels are, if empty.
        limits: from which value on it has which colour, the lowest first and without a value.
        words: what is shown instead of a value.
        about: a sentence for whoever points at it.
    """

    title: str
    expr: str
    unit: str = "short"
    view: Literal["graph", "number", "list"] = "graph"
    names: str = ""
    limits: tuple[tuple[float | None, str], ...] = ()
    words: tuple[tuple[int, str], ...] = ()
    about: str = ""


@dataclass(frozen=True, slots=True)
class Dashboard:
    """Panels of one component, or about many; ``components.monitoring.grafana_json`` writes them for Grafana."""

    title: str
    panels: tuple[Panel, ...] = field(default=())


def expression(signal: Signal, selector: str) -> str:
    """PromQL of what a signal counts, for the pods that ``selector`` (``instance="x"``) names."""
    return SIGNAL_KINDS[signal.kind].expression(selector, signal.metric, _failed(signal))


def _failed(signal: Signal) -> str:
    """Label matchers of the answers that are errors, by the statuses that the signal calls so."""
    statuses = signal.errors or USUAL_ERRORS
    those = "|".join(_status(each) for each in statuses if not each.startswith("!"))
    others = "|".join(_status(each[1:]) for each in statuses if each.startswith("!"))
    return ",".join(f'{signal.label}{how}"{which}"' for how, which in (("=~", those), ("!~", others)) if which)


def _status(wanted: str) -> str:
    return f"{wanted[0]}.." if re.fullmatch("[1-9]xx", wanted) else wanted


def camel(*names: str) -> str:
    """``order-store``, ``errors`` as one name: ``OrderStoreErrors``."""
    return "".join(part.capitalize() for name in names for part in name.split("-"))


def alert_for(signal: Signal, owner: str, selector: str) -> AlertRule | None:
    """The alert that follows from a signal; None where the signal has no absolute bound (a ratio to stable only)."""
    row = SIGNAL_KINDS[signal.kind]
    bound = row.bound(row.floor if signal.floor is None else signal.floor, signal.threshold)
    if bound is None or not in_prometheus(signal):  # evidence against a release is none against the service
        return None
    return AlertRule(
        name=camel(owner, signal.name),
        expr=f"{expression(signal, selector)} > {bound:g}",
        summary=f"{owner}: {signal.name} above {row.graphed(bound)}",
        severity="critical" if row.critical else "warning",
        section=camel("service", signal.kind),
    )


def in_prometheus(signal: Signal) -> bool:
    """Whether the service's series tell it, and not the engine alone."""
    return signal.query is None and signal.pattern is None


def panel_for(signal: Signal, owner: str, selector: str, namespace: str) -> Panel:
    """The graph that follows from a signal of the service ``owner``.

    Of lines of a log, and of what an expression has counted, Prometheus has the engine's evidence at least.
    """
    if not in_prometheus(signal):
        whose = f'namespace="{namespace}",name="{owner}",signal="{signal.name}"'
        return Panel(f"{owner} {signal.name}", f"max(grayling_release_log_evidence{{{whose}}})")
    return Panel(f"{owner} {signal.name}", expression(signal, selector), SIGNAL_KINDS[signal.kind].graph_unit)
