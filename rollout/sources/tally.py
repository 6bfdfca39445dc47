"""From the counters of pods to the look of one signal, wherever the counters were read.

The pods' own pages and Prometheus show the same shapes: a counter (by status code, where requests are counted), a
histogram, a gauge. What is made of them is made here, once.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from rollout.looks import PodLook, SignalLook, SourceStatus
from rollout.sources.increments import Increments, Reading
from rollout.spec import SignalKind

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from rollout.sources.exposition import Sample
    from rollout.sources.increments import Increment
    from rollout.sources.roster import PodInfo, Roster
    from rollout.spec import Signal

Key: TypeAlias = str | float
"""A status code, or the upper edge of a bucket in seconds."""
BIRTH = "process_start_time_seconds"
"""The series that says since when a pod's process counts."""

NO_EDGES = "the histograms of its pods share no bucket edge"
"""Why versions with different buckets may tell nothing."""

_DEFAULTS = {SignalKind.ERRORS: "http_requests_total", SignalKind.LATENCY: "http_request_duration_seconds"}


def family_of(signal: Signal) -> str:
    """The metric (or expression) a signal is read from."""
    return signal.query or signal.metric or _DEFAULTS.get(signal.kind, "")


def series_of(signal: Signal) -> list[str]:
    """The names its samples may carry: a histogram's are those of its buckets, a native one's its own."""
    family = family_of(signal)
    return [f"{family}_bucket", family] if signal.kind is SignalKind.LATENCY and not signal.query else [family]


@dataclass(frozen=True, slots=True)
class Seen:
    """What one pod showed at one moment.

    Attributes:
        at: when; seconds since the epoch.
        samples: everything it showed of what was asked for.
        born: start time of its process; 0 where it is not known.
    """

    at: float
    samples: Sequence[Sample]
    born: float = 0.0


def shows(signal: Signal, samples: Iterable[Sample]) -> bool:
    """Whether a signal's series are among the samples."""
    return bool(counts_of(signal, samples)) if signal.kind is not SignalKind.GAUGE else bool(_values(signal, samples))


def birth_of(samples: Iterable[Sample]) -> float:
    """When the pod's process began; 0 where it does not say."""
    return max((sample.value for sample in samples if sample.name == BIRTH), default=0.0)


def _values(signal: Signal, samples: Iterable[Sample]) -> list[float]:
    name = family_of(signal)
    return [sample.value for sample in samples if sample.name == name and math.isfinite(sample.value)]


def counts_of(signal: Signal, samples: Iterable[Sample]) -> dict[Key, int]:
    """Counter values by status code, or cumulative counts by bucket edge; summed over all other labels.

    Of a histogram that is told with buckets and as a native one the buckets count.
    """
    edged = signal.kind is SignalKind.LATENCY
    known = list(samples)
    for name in series_of(signal):
        counts: dict[Key, int] = {}
        for sample in known:
            if sample.name == name and math.isfinite(sample.value):
                key = _edge(sample.labels.get("le", "")) if edged else sample.labels.get("code", "")
                if key is not None:
                    counts[key] = counts.get(key, 0) + int(sample.value)
        if counts:
            return counts
    return {}


def _edge(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def shared_edges(bucket_sets: Iterable[Collection[Key]]) -> tuple[float, ...]:
    """The finite edges that every set has.

    Cumulative counts are exact at the edges a histogram has and nowhere else, so versions with different buckets are
    compared at those they share.
    """
    sets = [{edge for edge in edges if isinstance(edge, float) and math.isfinite(edge)} for edges in bucket_sets]
    return tuple(sorted(set.intersection(*sets))) if sets else ()


def bucket_counts(cumulative: Mapping[Key, int], edges: tuple[float, ...]) -> tuple[int, ...]:
    """Counts per bucket from cumulative ones; the last is over the top edge. A torn read never makes one negative."""
    counts, below = [], 0
    for edge in (*edges, math.inf):
        reached = max(below, cumulative.get(edge, 0))
        counts.append(reached - below)
        below = reached
    return tuple(counts)


class Tally:
    """One signal: remembers counters, gives increments, makes the look."""

    def __init__(self, signal: Signal) -> None:
        self.signal = signal
        self._increments: Increments[Key] = Increments()
        self._buckets: dict[str, frozenset[Key]] = {}

    def look(
        self, roster: Roster, seen: Mapping[str, Seen], status: SourceStatus, now: float, reason: str = ""
    ) -> SignalLook:
        """The look at ``now`` from what each pod (by name) showed.

        While ``status`` is not OK nothing is taken from the counters, so that the next good look covers the time of
        both arms alike. ``reason`` says why it is not, where that is known.
        """
        if self.signal.kind is SignalKind.GAUGE:
            return self._gauge(roster, seen, status, now, reason)
        readings = {pod: Reading(it.at, counts_of(self.signal, it.samples), it.born) for pod, it in seen.items()}
        edges = self._edges(roster, readings)
        if self.signal.kind is SignalKind.LATENCY and self._buckets and not edges:
            status, reason = (SourceStatus.NO_DATA, NO_EDGES) if status is SourceStatus.OK else (status, reason)
        looks: dict[str, PodLook] = {}
        for pod in roster.pods:
            if reading := readings.get(pod.name):
                found = self._take(pod, reading, status)
                if found is not None:
                    looks[pod.name] = self._pod_look(pod, found, edges, now)
        self._increments.forget(now)
        return SignalLook(self.signal.name, now, status, looks, edges, reason=reason)

    def _gauge(
        self, roster: Roster, seen: Mapping[str, Seen], status: SourceStatus, now: float, reason: str
    ) -> SignalLook:
        looks: dict[str, PodLook] = {}
        for pod in roster.pods if status is SourceStatus.OK else ():
            if pod.name in seen and (values := _values(self.signal, seen[pod.name].samples)):
                looks[pod.name] = PodLook(pod.arm, pod.age(now), 0.0, gauges={self.signal.name: sum(values)})
        return SignalLook(self.signal.name, now, status, looks, reason=reason)

    def _take(self, pod: PodInfo, reading: Reading[Key], status: SourceStatus) -> Increment[Key] | None:
        subject = f"{pod.name} {pod.uid}"
        if status is SourceStatus.OK:
            return self._increments.take(subject, reading, born=pod.started_at)
        self._increments.introduce(subject, reading, born=pod.started_at)
        return None

    def _edges(self, roster: Roster, readings: Mapping[str, Reading[Key]]) -> tuple[float, ...]:
        if self.signal.kind is not SignalKind.LATENCY:
            return ()
        known = self._buckets | {pod: frozenset(reading.counts) for pod, reading in readings.items() if reading.counts}
        self._buckets = {pod.name: known[pod.name] for pod in roster.pods if pod.name in known}
        return shared_edges(self._buckets.values())

    def _pod_look(self, pod: PodInfo, seen: Increment[Key], edges: tuple[float, ...], now: float) -> PodLook:
        if self.signal.kind is SignalKind.LATENCY:
            counts = bucket_counts(seen.counts, edges)
            return PodLook(pod.arm, pod.age(now), seen.seconds, latency_counts=counts)
        if self.signal.kind is SignalKind.EVENTS:
            return PodLook(pod.arm, pod.age(now), seen.seconds, errors={"events": sum(seen.counts.values())})
        errors = {str(code): count for code, count in seen.counts.items() if str(code).startswith("5")}
        return PodLook(pod.arm, pod.age(now), seen.seconds, requests=sum(seen.counts.values()), errors=errors)
