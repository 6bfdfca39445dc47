"""What a source saw of one signal between two moments: the plain data every source produces and the judge eats.

Counts are increments since the look before, so a lost look loses nothing: the next one covers its time too. The module
knows neither numpy nor Kubernetes, because both the sources and the recordings are made of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Arm(StrEnum):
    """Which of the two versions a pod runs."""

    STABLE = "stable"
    CANARY = "canary"


class SourceStatus(StrEnum):
    """What the source could say at the moment of the look."""

    OK = "ok"
    NO_DATA = "no-data"
    """The source answers but has no series for the canary."""
    SOURCE_DOWN = "source-down"
    """The source does not answer, or answers with an error."""


@dataclass(frozen=True, slots=True)
class PodLook:
    """One pod's increments since the look before.

    A source that sees backends instead of pods (the gateway) reports one pseudo-pod per backend.

    Attributes:
        arm: the version the pod runs.
        age_seconds: time since the pod became ready.
        exposure_seconds: how long the pod was observed since the look before.
        requests: requests answered.
        errors: failed requests by class; for counted events (log lines, dead letters) their number by class.
        latency_counts: requests per latency bucket, not cumulative; the last bucket is over the top edge.
        crashes: restarts, OOM kills and losses of readiness that nobody asked for.
        gauges: momentary values by name.
        begun: requests that were begun, answered or not; None where the source cannot tell.
        waiting: requests that are begun and not answered at the moment; None where the source cannot tell.
        node: name of the node it runs on; empty where nobody knows.
        zone: of that node; empty where nobody knows.
    """

    arm: Arm
    age_seconds: float
    exposure_seconds: float
    requests: int = 0
    errors: Mapping[str, int] = field(default_factory=dict)
    latency_counts: tuple[int, ...] = ()
    crashes: int = 0
    gauges: Mapping[str, float] = field(default_factory=dict)
    begun: int | None = None
    waiting: int | None = None
    node: str = ""
    zone: str = ""


@dataclass(frozen=True, slots=True)
class SignalLook:
    """All pods of one signal at one moment.

    Attributes:
        signal: name of the signal as in the policy.
        at: seconds since the epoch at which the source was read.
        status: what the source could say; pods count only when it is OK.
        pods: increments by pod name.
        edges_seconds: upper edges of the latency buckets, ascending, one fewer than `latency_counts` has entries.
        starts: it is of an earlier start of the service's pods, and teaches only what young pods are like.
        reason: why there is nothing, or (where the status is OK) what was left out, in the source's words; empty where
            all is there, or where it does not know.
    """

    signal: str
    at: float
    status: SourceStatus
    pods: Mapping[str, PodLook]
    edges_seconds: tuple[float, ...] = ()
    starts: bool = False
    reason: str = ""
