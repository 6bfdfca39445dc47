"""From counters that only ever grow to what was counted since the reading before.

Counters restart with their process, pods come and go, readings are lost, repeated or arrive late. Whatever happens,
nothing is counted twice, and nothing that the readings can still tell is lost: a gap is covered by the next reading.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

K = TypeVar("K", bound="Hashable")
KEEP_SECONDS = 600.0


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

    def take(self, subject: str, reading: Reading[K], *, born: float) -> Increment[K] | None:
        """What ``reading`` adds; None where it adds no knowledge (a first, repeated, or late one)."""
        self.introduce(subject, reading, born=born)
        last = self._known[subject]
        incarnation = reading.incarnation or last.incarnation
        if reading.at <= last.at or incarnation < last.incarnation:
            return None
        if incarnation > last.incarnation > 0 or _fell(last.counts, reading.counts):
            self._known[subject] = Reading(reading.at, dict(reading.counts), incarnation)
            return Increment(reading.at - last.at, _positive(reading.counts))
        self._known[subject] = Reading(reading.at, {**last.counts, **reading.counts}, incarnation)
        return Increment(reading.at - last.at, _difference(last.counts, reading.counts))

    def forget(self, now: float) -> None:
        """Drop subjects that have not been read for ten minutes."""
        old = [subject for subject, last in self._known.items() if now - last.at > KEEP_SECONDS]
        for subject in old:
            del self._known[subject]


def _fell(before: Mapping[K, int], after: Mapping[K, int]) -> bool:
    return any(value < before.get(key, 0) for key, value in after.items())


def _difference(before: Mapping[K, int], after: Mapping[K, int]) -> dict[K, int]:
    grown = {key: value - before.get(key, 0) for key, value in after.items()}
    return _positive(grown)


def _positive(counts: Mapping[K, int]) -> dict[K, int]:
    return {key: value for key, value in counts.items() if value > 0}
