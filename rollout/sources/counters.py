"""From the counters of pods to the look of one signal, wherever the counters were read.

The pods' own pages and Prometheus show the same shapes: a counter (by status, where requests are counted), a histogram,
a gauge. What is made of them is made here, once. Every series counts by itself and what they counted is summed then, so
that one that is gone, or began anew, changes nothing of the others. What nobody can have counted is refused here, and
told: the judge never sees it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias, assert_never

from rollout.api.own_signals import as_given
from rollout.api.spec import USUAL_ERRORS
from rollout.api.texts import told
from rollout.signals.kinds import SIGNAL_KINDS, Family
from rollout.signals.samples import (
    Arm,
    PodLook,
    SignalLook,
    SourceStatus,
)
from rollout.sources.budget import MOST_SERIES
from rollout.sources.classes import Errors
from rollout.sources.exposition import Labels
from rollout.sources.increments import MOST_COUNT, ImpossibleError, Increments, Reading

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from rollout.api.own_signals import ReadAs
    from rollout.api.spec import Signal
    from rollout.sources.exposition import Sample
    from rollout.sources.increments import Step
    from rollout.sources.pod_roster import PodInfo, Roster

Key: TypeAlias = str | float
"""A status, or the upper edge of a bucket in seconds."""
Series: TypeAlias = bytes
"""What tells a series from the others of its family: see :class:`~rollout.sources.exposition.Labels`."""
BIRTH = "process_start_time_seconds"
"""The series that says since when a pod's process counts."""

NO_EDGES = "the histograms of its pods share no bucket edge"
"""Why versions with different buckets may tell nothing."""

MOST_GAUGE = 1e21
"""No gauge is higher, nor lower than its negative: nanoseconds since the epoch are, and bytes."""


def _family(signal: Signal) -> Family:
    return SIGNAL_KINDS[signal.kind].family


def family_of(signal: Signal) -> str:
    """The metric (or expression) a signal is read from."""
    return signal.query or signal.metric or SIGNAL_KINDS[signal.kind].metric or ""


def series_of(signal: Signal) -> list[str]:
    """The names its samples may carry: a histogram's are those of its buckets, a native one's its own."""
    family = family_of(signal)
    return [f"{family}_bucket", family] if _family(signal) is Family.LATENCY and not signal.query else [family]


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


@dataclass(slots=True)
class Counted:
    """The counters of one pod, series by series.

    Attributes:
        counts: value by series.
        keys: status or bucket edge by series; empty for a series without the label that says it.
        labelled: whether any series has that label.
        labels: names of the labels of a series that has it not.
    """

    counts: dict[Series, int]
    keys: dict[Series, Key]
    labelled: bool = False
    labels: Collection[str] = ()


def shows(signal: Signal, samples: Iterable[Sample]) -> bool:
    """Whether a signal's series are among the samples."""
    if _family(signal) is Family.GAUGE:
        return bool(_values(signal, samples))
    names, edged = series_of(signal), _family(signal) is Family.LATENCY
    return any(sample.name in names and (not edged or _edge(sample.labels) is not None) for sample in samples)


def birth_of(samples: Iterable[Sample]) -> float:
    """When the pod's process began; 0 where it does not say."""
    births = [sample.value for sample in samples if sample.name == BIRTH and 0 <= sample.value <= MOST_COUNT]
    return max(births, default=0.0)


def _values(signal: Signal, samples: Iterable[Sample]) -> list[float]:
    name = family_of(signal)
    return [sample.value for sample in samples if sample.name == name and abs(sample.value) <= MOST_GAUGE]


def counted(signal: Signal, samples: Iterable[Sample]) -> Counted:
    """The counters of a signal, by series.

    Of a histogram that is told with buckets and as a native one the buckets count.

    Raises:
        ImpossibleError: one of them is negative, no number, or higher than anybody counts, or they are too many.
    """
    found = Counted({}, {})
    known, edged, label = list(samples), _family(signal) is Family.LATENCY, signal.label
    for name in series_of(signal):
        for sample in known:
            if sample.name == name:
                key = _edge(sample.labels) if edged else sample.labels.get(label)
                if edged and key is None:
                    continue
                _add(found, sample, key)
        if found.counts:
            break
    if len(found.counts) > MOST_SERIES:
        raise ImpossibleError(f"{len(found.counts):,} series of {family_of(signal)}; at most {MOST_SERIES:,} are read")
    return found


def _add(found: Counted, sample: Sample, key: Key | None) -> None:
    labels, value = sample.labels, sample.value
    if not 0 <= value <= MOST_COUNT:  # nor is NaN
        raise ImpossibleError(f"a counter of {sample.name} is at {value:.3g}")
    series = (labels if isinstance(labels, Labels) else Labels(labels)).series
    found.counts[series] = found.counts.get(series, 0) + int(value)
    if key is None:
        found.keys[series], found.labels = "", labels.keys()
    else:
        found.keys[series], found.labelled = key, True


def counts_of(signal: Signal, samples: Iterable[Sample]) -> dict[Key, int]:
    """Counter values by status, or cumulative counts by bucket edge; summed over all other labels.

    Raises:
        ImpossibleError: as for :func:`counted`.
    """
    found = counted(signal, samples)
    return _summed(found.counts, found.keys)


def _summed(counts: Mapping[Series, int], keys: Mapping[Series, Key]) -> dict[Key, int]:
    total: dict[Key, int] = {}
    for series, count in counts.items():
        key = keys[series]
        total[key] = total.get(key, 0) + count
    return total


def _edge(labels: Mapping[str, str]) -> float | None:
    """The upper edge of a bucket; None where the labels name none."""
    try:
        edge = float(labels.get("le", ""))
    except ValueError:
        return None
    return None if math.isnan(edge) else edge


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
    """One signal: remembers counters, gives increments, makes the look.

    Args:
        signal: as it is judged.
        own: and as it is read at each revision.
    """

    def __init__(self, signal: Signal, own: ReadAs = as_given) -> None:
        self.signal, self._own = signal, own
        self._family = _family(signal)
        self._errors = Errors(signal.errors or USUAL_ERRORS)
        self._increments: Increments[Series] = Increments()
        self._buckets: dict[str, frozenset[Key]] = {}

    def own(self, revision: str) -> Signal:
        """The signal as it is read at the pods of a revision."""
        return self._own(revision, self.signal)

    def look(
        self, roster: Roster, seen: Mapping[str, Seen], status: SourceStatus, now: float, reason: str = ""
    ) -> SignalLook:
        """The look at ``now`` from what each pod (by name) showed.

        While ``status`` is not OK nothing is taken from the counters, so that the next good look covers the time of
        both arms alike. ``reason`` says why it is not, where that is known. A pod that shows what nobody can have
        counted is left out, and told.
        """
        if self._family is Family.GAUGE:
            return self._gauge(roster, seen, status, now, reason)
        found, steps, refused = self._weighed(roster, seen)
        edges = self._edges(roster, found)
        if status is SourceStatus.OK:
            status, reason = self._judged(roster, found, refused, edges)
        looks: dict[str, PodLook] = {}
        for pod in roster.pods if status is SourceStatus.OK else ():
            if pod.name in steps and (grown := self._increments.commit(steps[pod.name])) is not None:
                total = _summed(grown.counts, found[pod.name].keys)
                looks[pod.name] = self._pod_look(pod, total, grown.seconds, edges, now)
        self._increments.forget(now)
        return SignalLook(self.signal.name, now, status, looks, edges, reason=reason)

    def _gauge(
        self, roster: Roster, seen: Mapping[str, Seen], status: SourceStatus, now: float, reason: str
    ) -> SignalLook:
        looks: dict[str, PodLook] = {}
        for pod in roster.pods if status is SourceStatus.OK else ():
            own = self.own(pod.revision)
            if pod.name in seen and (values := _values(own, seen[pod.name].samples)):
                looks[pod.name] = PodLook(pod.arm, pod.age(now), 0.0, gauges={self.signal.name: sum(values)})
        return SignalLook(self.signal.name, now, status, looks, reason=reason)

    def _weighed(
        self, roster: Roster, seen: Mapping[str, Seen]
    ) -> tuple[dict[str, Counted], dict[str, Step[Series]], dict[str, str]]:
        """Counters by pod, what they add, and of the pods that show what nobody can have counted: what."""
        found: dict[str, Counted] = {}
        steps: dict[str, Step[Series]] = {}
        refused: dict[str, str] = {}
        for pod in roster.pods:
            if (it := seen.get(pod.name)) is not None:
                own = self.own(pod.revision)
                subject = f"{pod.name} {pod.uid} {family_of(own)}"
                try:
                    counts = counted(own, it.samples)
                    reading = Reading(it.at, counts.counts, it.born)
                    steps[pod.name] = self._increments.weigh(subject, reading, born=pod.started_at)
                    found[pod.name] = counts
                except ImpossibleError as error:
                    refused[pod.name] = f"signal {self.signal.name}: pod {pod.name}: {error}; it is not counted"
        return found, steps, refused

    def _judged(
        self, roster: Roster, found: Mapping[str, Counted], refused: Mapping[str, str], edges: tuple[float, ...]
    ) -> tuple[SourceStatus, str]:
        """What can be said of counters that were read: nothing, where all that an arm shows was refused."""
        for arm in Arm:
            pods = [pod.name for pod in roster.pods if pod.arm is arm and pod.ready]
            own = self.own(roster.canary if arm is Arm.CANARY else roster.stable)
            if any(pod in refused for pod in pods) and not any(pod in found for pod in pods):
                return SourceStatus.SOURCE_DOWN, next(refused[pod] for pod in pods if pod in refused)
            if reason := self._unlabelled(own, [found[pod] for pod in pods if pod in found]):
                return SourceStatus.NO_DATA, reason
        if self._family is Family.LATENCY and self._buckets and not edges:
            return SourceStatus.NO_DATA, NO_EDGES
        return SourceStatus.OK, next(iter(refused.values()), "")

    def _unlabelled(self, own: Signal, arm: Sequence[Counted]) -> str:
        """Why nobody can tell an arm's errors from its other answers; empty where one can."""
        shown = [each for each in arm if each.counts]
        if self._family is not Family.FAILURES or not shown or any(each.labelled for each in shown):
            return ""
        labels = sorted({name for each in shown for name in each.labels} - {"__name__"})
        has = f"there are {', '.join(labels[:10])}" if labels else "there is none"
        wanted, family = own.label, family_of(own)
        return told(
            f"signal {self.signal.name}: no sample of {family} has the label {wanted}, {has}; name it by `label`"
        )

    def _edges(self, roster: Roster, found: Mapping[str, Counted]) -> tuple[float, ...]:
        if self._family is not Family.LATENCY:
            return ()
        known = self._buckets | {pod: frozenset(each.keys.values()) for pod, each in found.items() if each.counts}
        self._buckets = {pod.name: known[pod.name] for pod in roster.pods if pod.name in known}
        return shared_edges(self._buckets.values())

    def _pod_look(
        self, pod: PodInfo, total: Mapping[Key, int], seconds: float, edges: tuple[float, ...], now: float
    ) -> PodLook:
        found = PodLook(pod.arm, pod.age(now), seconds)
        match self._family:
            case Family.LATENCY:
                return replace(found, latency_counts=bucket_counts(total, edges))
            case Family.COUNT:
                return replace(found, errors={"events": sum(total.values())})
            case Family.FAILURES:
                errors = self._errors.of({str(status): number for status, number in total.items() if status})
                return replace(found, requests=sum(total.values()), errors=errors)
            case Family.GAUGE:
                raise TypeError(f"signal {self.signal.name}: a gauge counts nothing")
            case _:
                assert_never(self._family)
