"""Metrics of a release as it stands; what is told of its journal goes by channels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rollout.api.status import Phase, Status
from rollout.engine import metrics

if TYPE_CHECKING:
    from collections.abc import Iterable


def measure(namespace: str, name: str, status: Status) -> None:
    """Bring the metrics of one release up to its status."""
    for phase in Phase:
        metrics.PHASE.labels(namespace, name, phase.value).set(float(phase is status.phase))
    metrics.WEIGHT.labels(namespace, name, "desired").set(status.weight.desired)
    metrics.WEIGHT.labels(namespace, name, "observed").set(status.weight.observed or 0.0)
    for signal, log_e in _evidence(status):
        metrics.EVIDENCE.labels(namespace, name, signal).set(log_e)


def _evidence(status: Status) -> Iterable[tuple[str, float]]:
    """Log evidence by signal, of those whose evidence is a number: what was persisted may be anything."""
    signals = status.analysis.get("signals")
    for signal in signals if isinstance(signals, list) else ():
        found = signal.get("log_e") if isinstance(signal, dict) else None
        if isinstance(found, int | float):
            yield str(signal.get("signal", "")), float(found)


def forget(namespace: str, name: str) -> None:
    """Drop the metrics of a release that is gone."""
    for family in (metrics.PHASE, metrics.WEIGHT, metrics.EVIDENCE, metrics.SOURCE_UP):
        family.remove_by_labels({"namespace": namespace, "name": name})
