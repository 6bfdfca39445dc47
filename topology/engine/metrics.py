"""What the reconciler tells Prometheus: how many items stand how, and when a system was last seen whole."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge

REGISTRY = CollectorRegistry(auto_describe=True)

ITEMS = Gauge("grayling_topology_items", "Items by state", ["topology", "state"], registry=REGISTRY)
SEEN = Gauge(
    "grayling_topology_seen_timestamp_seconds",
    "When the system was last seen whole; 0: never",
    ["topology"],
    registry=REGISTRY,
)
READY = Gauge("grayling_topology_ready", "1 where all is as declared", ["topology"], registry=REGISTRY)
WRITTEN = Counter(
    "grayling_topology_writes_total", "Items created, changed or deleted", ["topology"], registry=REGISTRY
)


def forget(topology: str) -> None:
    """Series of a topology that is gone."""
    for gauge in (SEEN, READY, WRITTEN):
        _without(gauge, topology)
    for state in _STATES:
        _without(ITEMS, topology, state)


def _without(metric: Gauge | Counter, *labels: str) -> None:
    try:
        metric.remove(*labels)
    except KeyError:
        return


_STATES = ("Ready", "Refused", "Failed", "Left", "Waiting")


def count(topology: str, states: list[str]) -> None:
    """Items by state; also those states in which there is none."""
    for state in _STATES:
        ITEMS.labels(topology, state).set(states.count(state))
