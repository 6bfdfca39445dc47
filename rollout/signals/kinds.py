"""The table of signal kinds: a kind is one row, and whoever must know of kinds reads it.

Where code differs by kind it differs by family, of which there are four, and names each of them. So a new row is read
everywhere: by the spec and its CRD, the sources, the judge, the views, alerts and dashboards.
"""

from __future__ import annotations

from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING

from rollout.signals.row import BY_METRIC, HOUR, Family, Guard, Kind, SourceName

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [  # what others find here that stands in a module of its own
    "BY_METRIC",
    "CRASH_LOOP",
    "HOUR",
    "SIGNAL_KINDS",
    "Family",
    "Guard",
    "Kind",
    "SignalKind",
    "SourceName",
    "of_family",
]

CRASH_LOOP = 2.0
"""Crashes of the canary that convict at least."""


class SignalKind(StrEnum):
    """What is measured."""

    ERRORS = "errors"
    """Failed requests of all requests."""
    LATENCY = "latency"
    """Requests slower than each bucket edge."""
    CRASHES = "crashes"
    """Restarts, OOM kills and lost readiness."""
    EVENTS = "events"
    """Counted events: dead letters, log lines, any counter."""
    GAUGE = "gauge"
    """A value of the moment that should not grow: memory, CPU, lag."""


def _well_above_the_floor(floor: float, _threshold: float | None) -> float | None:
    return max(5 * floor, 0.01)


def _the_threshold(_floor: float, threshold: float | None) -> float | None:
    return threshold


def _one_in_ten_minutes(_floor: float, _threshold: float | None) -> float | None:
    return 6.0


_FAILED_SHARE = "(sum(rate($metric{$selector,$failed}[5m])) or vector(0)) / sum(rate($metric{$selector}[5m]))"
_SLOWEST = "histogram_quantile(0.99, sum by (le) (rate(${metric}_bucket{$selector}[5m])))"
_HOURLY = "3600 * avg(sum by (pod) (rate($metric{$selector}[5m])))"
_HIGHEST = "max($metric{$selector})"
_RESTARTS = "6 * max(sum by (pod) (changes(process_start_time_seconds{$selector}[10m])))"
"""Of the pod that has most: one that crashes again and again counts, however many there are beside it."""

SIGNAL_KINDS: Mapping[SignalKind, Kind] = MappingProxyType(
    {
        SignalKind.ERRORS: Kind(
            family=Family.FAILURES,
            noun="errors",
            sources=frozenset({SourceName.GATEWAY, SourceName.PODS, SourceName.PROMETHEUS}),
            metric="http_requests_total",
            weight=0.57,
            floor=0.005,
            target=0.01,
            promql=_FAILED_SHARE,
            bound=_well_above_the_floor,
            critical=True,
        ),
        SignalKind.LATENCY: Kind(
            family=Family.LATENCY,
            noun="slow requests",
            sources=frozenset({SourceName.PODS, SourceName.PROMETHEUS}),
            metric="http_request_duration_seconds",
            weight=0.34,
            floor=0.005,
            target=0.05,
            promql=_SLOWEST,
            bound=_the_threshold,
        ),
        SignalKind.CRASHES: Kind(
            family=Family.COUNT,
            noun="crashes",
            sources=frozenset({SourceName.KUBERNETES}),
            weight=0.09,
            floor=2e-5,  # one in 14 hours
            target=1 / 15,
            promql=_RESTARTS,
            counted="crashes",
            guard=Guard(CRASH_LOOP, "crashed or lost readiness"),
            bound=_one_in_ten_minutes,
        ),
        SignalKind.EVENTS: Kind(
            family=Family.COUNT,
            noun="events",
            sources=frozenset({SourceName.PODS, SourceName.PROMETHEUS, SourceName.LOGS}),
            weight=0.125,
            floor=1e-3,
            target=1 / 15,
            promql=_HOURLY,
        ),
        SignalKind.GAUGE: Kind(
            family=Family.GAUGE,
            noun="level",
            sources=frozenset({SourceName.PODS, SourceName.PROMETHEUS}),
            weight=0.125,
            floor=0.0,
            target=0.0,
            promql=_HIGHEST,
        ),
    }
)
"""Every kind."""


def of_family(*families: Family) -> tuple[SignalKind, ...]:
    """The kinds of these families, in the table's order."""
    return tuple(kind for kind, row in SIGNAL_KINDS.items() if row.family in families)
