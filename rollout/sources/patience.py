"""How many answers a silent canary owes: those it would have given by now, were it like stable.

A version that accepts requests and never answers fails none, until the clients give up. What shows it is what is not
there: requests were sent to it, stable answered those of the same time, and it has answered none. Slow services are
given their time: by Little's law the mean time in service is the mean number of waiting requests divided by the rate of
answers, and a request counts as owed only when it has waited for three times as long as stable takes.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rollout.sources.arms import Point

LEAST_GRACE_SECONDS = 5.0
"""A new version may need some seconds for its first answers, however quick stable is."""

GRACE_TIMES = 3.0
"""So many times stable's mean time in service a request may wait."""

LEAST_ANSWERS = 5
"""Of stable, before it says how soon and how surely a request is answered."""

_MEMORY_SECONDS = 30.0


@dataclass(slots=True)
class Patience:
    """What is known of stable's answers, and when the canary gave its newest one.

    Attributes:
        since: when the canary gave its newest answer, or had its first request; None before.
    """

    since: float | None = None
    _begun: float = 0.0
    _answered: float = 0.0
    _waited: float = 0.0

    def see(self, before: Point, point: Point) -> None:
        """Take in a look: what was counted between two points."""
        if point.canary.answered > before.canary.answered or (
            self.since is None and point.canary.begun > before.canary.begun
        ):
            self.since = point.at
        passed = point.at - before.at
        begun = point.stable.begun - before.stable.begun
        if begun or point.stable.waiting:
            self._fade(passed)
            self._begun += begun
            self._answered += point.stable.answered - before.stable.answered
            self._waited += point.stable.waiting * passed

    def _fade(self, passed: float) -> None:
        """Forget what is older than half a minute, bit by bit; nothing while stable has no requests."""
        kept = max(1 - passed / _MEMORY_SECONDS, 0.0)
        self._begun, self._answered, self._waited = (
            kept * each for each in (self._begun, self._answered, self._waited)
        )

    @property
    def grace(self) -> float:
        """Seconds a request may wait before its answer is owed; endless where stable answers hardly anything."""
        if self._answered < LEAST_ANSWERS:
            return float("inf")
        return max(LEAST_GRACE_SECONDS, GRACE_TIMES * self._waited / self._answered)

    def missing(self, points: Sequence[Point], now: float) -> tuple[float, float]:
        """Answers owed at ``now``, and for how many seconds there was none."""
        if self.since is None or not points:
            return 0.0, 0.0
        due = bisect_right(points, now - self.grace, key=lambda point: point.at) - 1
        first = bisect_right(points, self.since, key=lambda point: point.at) - 1
        if due < 0 or first < 0 or due <= first:
            return 0.0, 0.0
        sent = points[due].canary.begun - points[first].canary.begun
        sure = min(self._answered / self._begun, 1.0) if self._begun else 0.0
        return sent * sure, now - self.since
