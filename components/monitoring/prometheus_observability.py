"""What somebody is told of a Prometheus itself, and of targets that it cannot read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.model.observability import AlertRule, gone
from components.monitoring.prometheus_settings import FULL

if TYPE_CHECKING:
    from collections.abc import Iterable


def alerts(who: str, own: str, full: str, *, tells: bool) -> Iterable[AlertRule]:
    """Gone, rules that fail, alerts that reach nobody (where it ``tells`` somebody), its own room (``full``)."""
    yield gone("PrometheusDown", own, f"{who} does not read itself")
    failed = f"increase(prometheus_rule_evaluation_failures_total{{{own}}}[5m]) > 0"
    yield AlertRule("PrometheusRuleFailures", failed, f"{who}: a rule cannot be evaluated", "5m", "critical")
    if tells:
        errors = f"increase(prometheus_notifications_errors_total{{{own}}}[5m]) > 0"
        none = f"max(prometheus_notifications_alertmanagers_discovered{{{own}}}) < 1"
        lost = f"{errors} or {none}"
        yield AlertRule("PrometheusAlertsLost", lost, f"{who}: alerts do not reach the Alertmanager", "5m", "critical")
    if full:
        most = f"{full} > {FULL + 0.05:g}"
        yield AlertRule("PrometheusVolumeFull", most, f"{who}: its volume is nearly full", "5m", "critical")


def unread(targets: str) -> AlertRule:
    """Of targets that ``targets`` selects (all of them if empty)."""
    lost = f"count by (job, namespace, instance_name) (up{targets} == 0) > 0"
    return AlertRule("TargetDown", lost, "metrics of a pod, or of a target of your own, cannot be read", "5m")


def taken(own: str) -> str:
    """Bytes in the volume, as Prometheus counts them itself; older versions count no more than the blocks."""
    parts = "storage_blocks_bytes|wal_storage_size_bytes|head_chunks_storage_size_bytes"
    return f'sum({{__name__=~"prometheus_tsdb_({parts})",{own}}})'
