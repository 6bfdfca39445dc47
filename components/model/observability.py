"""Alert rules and dashboards as data, and how both follow from the signals a release is judged by.

The law that joins the two halves of Grayling lives here: a component says once how its health is measured, and the
alert, the panel and the judge of its gray release all read that one definition.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Literal

from rollout.api.spec import Signal, SignalKind


@dataclass(frozen=True, slots=True)
class AlertRule:
    """A condition in PromQL that must hold for ``hold`` before somebody is told."""

    name: str
    expr: str
    summary: str
    hold: str = "5m"
    severity: Literal["critical", "warning"] = "warning"

    def rule(self, labels: dict[str, str]) -> dict[str, Any]:
        """As a rules file of Prometheus writes it."""
        return {
            "alert": self.name,
            "expr": self.expr,
            "for": self.hold,
            "labels": {**labels, "severity": self.severity},
            "annotations": {"summary": self.summary},
        }


def gone(name: str, selector: str, summary: str, hold: str = "2m") -> AlertRule:
    """The alert for pods of which none answers, and of which none is there any more."""
    expr = f"sum(up{{{selector}}}) < 1 or absent(up{{{selector}}})"
    return AlertRule(name, expr, summary, hold, "critical")


@dataclass(frozen=True, slots=True)
class Panel:
    """One graph."""

    title: str
    expr: str
    unit: str = "short"


@dataclass(frozen=True, slots=True)
class Dashboard:
    """Graphs of one component, two in a row."""

    title: str
    panels: tuple[Panel, ...] = field(default=())

    def grafana(self, uid: str) -> str:
        """As Grafana imports it; the same text for the same panels."""
        panels = [_panel(index, panel) for index, panel in enumerate(self.panels)]
        body = {"uid": uid, "title": self.title, "schemaVersion": 39, "refresh": "10s", "panels": panels}
        return json.dumps(body, sort_keys=True, indent=1)


def _panel(index: int, panel: Panel) -> dict[str, Any]:
    return {
        "id": index + 1,
        "type": "timeseries",
        "title": panel.title,
        "gridPos": {"h": 8, "w": 12, "x": 12 * (index % 2), "y": 8 * (index // 2)},
        "fieldConfig": {"defaults": {"unit": panel.unit}},
        "targets": [{"expr": panel.expr, "refId": "A"}],
    }


def expression(signal: Signal, selector: str) -> str:
    """PromQL of what a signal counts, for the pods that ``selector`` (``instance="x"``) names."""
    match signal.kind:
        case SignalKind.ERRORS:
            metric = signal.metric or "http_requests_total"
            bad = f'sum(rate({metric}{{{selector},code=~"5.."}}[5m]))'
            return f"({bad} or vector(0)) / sum(rate({metric}{{{selector}}}[5m]))"
        case SignalKind.LATENCY:
            metric = signal.metric or "http_request_duration_seconds"
            return f"histogram_quantile(0.99, sum by (le) (rate({metric}_bucket{{{selector}}}[5m])))"
        case SignalKind.EVENTS:
            return f"sum(rate({signal.metric}{{{selector}}}[5m]))"
        case SignalKind.GAUGE:
            return f"max({signal.metric}{{{selector}}})"
        case SignalKind.CRASHES:
            return f"sum(changes(process_start_time_seconds{{{selector}}}[10m]))"


def camel(*names: str) -> str:
    """``order-store``, ``errors`` as one name: ``OrderStoreErrors``."""
    return "".join(part.capitalize() for name in names for part in name.split("-"))


def alert_for(signal: Signal, owner: str, selector: str) -> AlertRule | None:
    """The alert that follows from a signal; None where the signal has no absolute bound (a ratio to stable only)."""
    bounds = {
        SignalKind.ERRORS: max(signal.floor * 5, 0.01),
        SignalKind.LATENCY: signal.threshold,
        SignalKind.CRASHES: 2.0,
    }
    bound = bounds.get(signal.kind)
    if bound is None or signal.query is not None:  # evidence against a release is none against the service
        return None
    return AlertRule(
        name=camel(owner, signal.name),
        expr=f"{expression(signal, selector)} > {bound:g}",
        summary=f"{owner}: {signal.name} above {bound:g}",
        severity="critical" if signal.kind is SignalKind.ERRORS else "warning",
    )


def panel_for(signal: Signal, owner: str, selector: str, namespace: str) -> Panel:
    """The graph that follows from a signal of the service ``owner``.

    Of lines of a log, and of what an expression has counted, Prometheus has the engine's evidence at least.
    """
    if signal.query is not None or signal.pattern is not None:
        whose = f'namespace="{namespace}",name="{owner}",signal="{signal.name}"'
        return Panel(f"{owner} {signal.name}", f"max(grayling_release_log_evidence{{{whose}}})")
    unit = {SignalKind.ERRORS: "percentunit", SignalKind.LATENCY: "s"}.get(signal.kind, "short")
    return Panel(f"{owner} {signal.name}", expression(signal, selector), unit)
