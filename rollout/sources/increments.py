"""From counters that only ever grow to what was counted since the reading before, series by series.

Counters restart with their process, single series go and come back, pods come and go, readings are lost, repeated or
arrive late. Whatever happens, nothing is counted twice, and nothing that the readings can still tell is lost: a gap is
covered by the next reading. A series that is gone takes nothing back of what the others count, and a reading that no
process can have counted is refused as a whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from kube.errors import GraylingError

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

K = TypeVar("K", bound="Hashable")
KEEP_SECONDS = 600.0

MOST_COUNT = 2**53
"""No counter is higher: from there on a number in Prometheus' format skips whole ones."""

MOST_PER_SECOND = 10**9
"""Nothing counts faster."""

MOST_KNOWN = 20_000
"""Series that are remembered of a subject, those that are gone included."""


class ImpossibleError(GraylingError):
    """Counters that nobody can have: negative, beyond all numbers, or grown faster than anything grows."""


@dataclass(frozen=True, slots=True)
class Reading(Generic[K]):
    """The counters of one subject (a pod, or a backend as one proxy sees it) at one moment.

    Attributes:
        at: when they were read; seconds since the epoch.
        counts: value by series. A series that is not there counts as not changed.
        incarnation: grows with each new life of the process (its start time); 0 where it is not known.
    """

    at: float
    counts: Mapping[K, int]
    incarnation: float = 0.0


@dataclass(frozen=True, slots=True)
class Increment(Generic[K]):
    """What was counted within ``seconds``."""

    seconds: float
    counts: Mapping[K, int]


@dataclass(frozen=True, slots=True)
class Step(Generic[K]):
    """What a reading adds, before it is taken.

    Attributes:
        subject: whose.
        known: what is remembered of the subject when it is taken.
        increment: what it adds; None where it adds no knowledge (a first, repeated, or late one).
    """

    subject: str
    known: Reading[K]
    increment: Increment[K] | None


class Increments(Generic[K]):
    """Remembers the last reading of every subject.

    The first reading of a subject is where counting starts, not something that was counted; but the counters of a
    subject that was born after this object's own first reading began at zero before our eyes, and count in full.
    Subjects are remembered for ten minutes after their last reading, so that one that drops out of a list for a moment
    is not taken for a new one.
    """

    def __init__(self) -> None:
        self._known: dict[str, Reading[K]] = {}
        self._first_at: float | None = None

    def introduce(self, subject: str, reading: Reading[K], *, born: float) -> None:
        """Begin to count a subject that is not known yet; what it counted is left for the next :meth:`take`."""
        if self._first_at is None:
            self._first_at = reading.at
        if subject not in self._known:
            young = self._first_at <= born and 0 < reading.at - born < KEEP_SECONDS
            self._known[subject] = Reading(born, {}, reading.incarnation) if young else reading

    def weigh(self, subject: str, reading: Reading[K], *, born: float) -> Step[K]:
        """What ``reading`` would add; nothing is remembered but that the subject is there.

        Where more series have come and gone than are remembered, counting begins anew with the reading.

        Raises:
            ImpossibleError: nobody can have counted this; it says what.
        """
        if (worst := min(reading.counts.values(), default=0)) < 0 or (
            worst := max(reading.counts.values(), default=0)
        ) > MOST_COUNT:
            raise ImpossibleError(f"a counter is at {worst:.3g}")
        self.introduce(subject, reading, born=born)
        last = self._known[subject]
        incarnation = reading.incarnation or last.incarnation
        if reading.at <= last.at or incarnation < last.incarnation:
            return Step(subject, last, None)
        before = {} if incarnation > last.incarnation > 0 else last.counts
        grown = _grown(before, reading.counts)
        seconds = reading.at - last.at
        if (most := sum(grown.values())) > MOST_PER_SECOND * max(seconds, 1.0):
            raise ImpossibleError(f"its counters grew by {most:.3g} in {seconds:.3g} s")
        kept = reading.counts if before.keys() <= reading.counts.keys() else {**before, **reading.counts}
        if len(kept) > MOST_KNOWN:
            self._known[subject] = reading
            raise ImpossibleError(f"{len(kept):,} series have come and gone; counting begins anew")
        return Step(subject, Reading(reading.at, kept, incarnation), Increment(seconds, grown))

    def commit(self, step: Step[K]) -> Increment[K] | None:
        """Take what was weighed."""
        self._known[step.subject] = step.known
        return step.increment

    def take(self, subject: str, reading: Reading[K], *, born: float) -> Increment[K] | None:
        """What ``reading`` adds; None where it adds no knowledge (a first, repeated, or late one).

        Raises:
            ImpossibleError: nobody can have counted this; it says what.
        """
        return self.commit(self.weigh(subject, reading, born=born))

    def forget(self, now: float) -> None:
        """Drop subjects that have not been read for ten minutes."""
        old = [subject for subject, last in self._known.items() if now - last.at > KEEP_SECONDS]
        for subject in old:
            del self._known[subject]


def _grown(before: Mapping[K, int], after: Mapping[K, int]) -> dict[K, int]:
    """By how much each series grew; one that is lower than it was began anew."""
    grown = {}
    for key, value in after.items():
        was = before.get(key, 0)
        if value != was and (more := value - was if value > was else value):
            grown[key] = more
    return grown
