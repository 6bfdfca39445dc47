"""From the counters of pods to the look of one signal, wherever the counters were read.

The pods' own pages and Prometheus show the same shapes: a counter (by status, where requests are counted), a histogram,
a gauge. What is made of them is made here, once. Every series counts by itself and what they counted is summed then, so
that one that is gone, or began anew, changes nothing of the others. What nobody can have counted is refused here, and
told: the judge never sees it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, assert_never

from rollout.api.own_signals import as_given
from rollout.api.spec import USUAL_ERRORS
from rollout.api.texts import told
from rollout.signals.kinds import Family
from rollout.signals.looks import (
    Arm,
    PodLook,
    SignalLook,
    SourceStatus,
)
from rollout.sources.classes import Errors
from rollout.sources.counting import (
    Series,
    bucket_counts,
    counted,
    family_of,
    shared_edges,
    signal_family,
    summed,
    values_of,
)
from rollout.sources.increments import ImpossibleError, Increments, Reading

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rollout.api.own_signals import ReadAs
    from rollout.api.spec import Signal
    from rollout.sources.counting import Counted, Key
    from rollout.sources.exposition import Sample
    from rollout.sources.increments import Step
    from rollout.sources.pod_roster import PodInfo, Roster

NO_EDGES = "the histograms of its pods share no bucket edge"
"""Why versions with different buckets may tell nothing."""


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


class Tally:
    """One signal: remembers counters, gives increments, makes the look.

    Args:
        signal: as it is judged.
        own: and as it is read at each revision.
    """

    def __init__(self, signal: Signal, own: ReadAs = as_given) -> None:
        self.signal, self._own = signal, own
        self._family = signal_family(signal)
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
                total = summed(grown.counts, found[pod.name].keys)
                looks[pod.name] = self._pod_look(pod, total, grown.seconds, edges, now)
        self._increments.forget(now)
        return SignalLook(self.signal.name, now, status, looks, edges, reason=reason)

    def _gauge(
        self, roster: Roster, seen: Mapping[str, Seen], status: SourceStatus, now: float, reason: str
    ) -> SignalLook:
        looks: dict[str, PodLook] = {}
        for pod in roster.pods if status is SourceStatus.OK else ():
            own = self.own(pod.revision)
            if pod.name in seen and (values := values_of(own, seen[pod.name].samples)):
                looks[pod.name] = PodLook(
                    pod.arm, pod.age(now), 0.0, gauges={self.signal.name: sum(values)}, node=pod.node, zone=pod.zone
                )
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
        found = PodLook(pod.arm, pod.age(now), seconds, node=pod.node, zone=pod.zone)
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
