"""What Prometheus is told of releases that ended and of what failed: the registry that all metrics stand in."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Histogram

REGISTRY = CollectorRegistry(auto_describe=True)
_RELEASE = ("namespace", "name")

ENDED = Counter(
    "grayling_releases_ended_total", "Releases by outcome", ["namespace", "name", "outcome"], registry=REGISTRY
)
EXCESS = Counter("grayling_excess_failed_requests_total", "Failures above stable's rate", _RELEASE, registry=REGISTRY)
REACTION = Histogram(
    "grayling_reaction_seconds",
    "From the first look with evidence to the last request at the canary",
    ["stage"],
    buckets=(0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 5, 10, 30, 60, 300),
    registry=REGISTRY,
)
FAILURES = Counter(
    "grayling_action_failures_total", "Actions the API server did not take", ["action"], registry=REGISTRY
)
