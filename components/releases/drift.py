"""The alert on errors that become more without a release: the engine holds each day against those before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.model.observability import AlertRule, camel
from rollout.api.spec import SignalKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from components.model.component import Component
    from rollout.api.spec import Signal

MEASURED = (
    "false alarms: at most 0.014 in a week of a service whose days are alike but for chance (none in 24 simulated "
    "weeks), 0.25 where errors come in bursts, 2.3 for crashes of real applications, which wander from day to day "
    "(bench/results/drift.md)"
)
"""What the alert says of itself; a test holds it against bench/results/drift.json."""


def drifts(service: Component, signals: Sequence[Signal]) -> Iterable[AlertRule]:
    """One for each signal that an engine of the stack watches, where there are counters and somebody who keeps them."""
    if not (service.scope.of_kind("controller") and service.scope.of_kind("prometheus")):
        return
    for signal in signals:
        if signal.kind is not SignalKind.ERRORS or signal.query:
            continue
        where = f'namespace="{service.environment.namespace}",name="{service.name}",signal="{signal.name}"'
        who = f"{service.environment.namespace}/{service.name}"
        yield AlertRule(
            camel(service.name, signal.name, "drift"),
            f"max(grayling_errors_drift{{{where}}}) > 0",
            f"{who}: without a release, more requests fail than at the same time of the days before ({signal.name})",
            "1m",
            section="ServiceErrorsDrift",
            description=MEASURED,
        )
