"""What the engine says of itself to Prometheus: the same words and numbers that status and record use."""

from __future__ import annotations

from prometheus_client import Gauge, Histogram

from rollout.notify.metrics import FAILURES, REGISTRY

__all__ = ["FAILURES", "REGISTRY"]  # what others find here that stands in a module of its own

_RELEASE = ("namespace", "name")

PHASE = Gauge("grayling_release_phase", "1 for the phase a release is in", [*_RELEASE, "phase"], registry=REGISTRY)
WEIGHT = Gauge("grayling_release_weight_percent", "Canary's weight", [*_RELEASE, "kind"], registry=REGISTRY)
EVIDENCE = Gauge(
    "grayling_release_log_evidence",
    "Natural log of the e-value against the canary",
    [*_RELEASE, "signal"],
    registry=REGISTRY,
)
DRIFT = Gauge(
    "grayling_errors_drift",
    "Without a release: 1 if more requests fail than on the days before, 0 if not, -1 while it is not known",
    [*_RELEASE, "signal"],
    registry=REGISTRY,
)
LOOK = Histogram(
    "grayling_look_seconds",
    "Time of one observe-decide-persist-act pass",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1),
    registry=REGISTRY,
)
SOURCE_UP = Gauge("grayling_source_up", "Whether a source answered last time", [*_RELEASE, "source"], registry=REGISTRY)
HELD = Gauge("grayling_releases_held", "Releases whose lease this process holds", registry=REGISTRY)
LOAD = Gauge(
    "grayling_engine_load",
    "By how many times less often than specs say is read: 1 to 4 of settled steps, to 16 of young ones too",
    registry=REGISTRY,
)
BUSY = Gauge("grayling_engine_busy_ratio", "Part of the time in which the engine's thread computes", registry=REGISTRY)
LATE = Histogram(
    "grayling_look_late_seconds",
    "By how much looks came later than they should",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
    registry=REGISTRY,
)
CARRIED = Gauge("grayling_releases_in_flight", "Releases this process carries out now", registry=REGISTRY)
WAITING = Gauge("grayling_releases_waiting", "Releases that wait because this process is full", registry=REGISTRY)
