"""When the next scrape of the canary can be seen, so that Prometheus is asked then and not at odd times before."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rollout.sources.prometheus_hub import Scrape

EARLY_SECONDS = 0.02
"""Asked this much before the scrape was ever seen that soon, so that the lag is learned downwards too."""

AGAIN_SECONDS = 0.05
"""Asked again after this, while a scrape is overdue."""

AGAIN_TIMES = 5
"""How often it is asked again before the scrape is taken for lost."""


@dataclass(slots=True)
class Pace:
    """Learns how long after a scrape it is seen: its duration, and any difference between the clocks.

    Attributes:
        longest: seconds; nobody is made to wait for longer than this.
    """

    longest: float
    _seen: Mapping[str, Scrape] = field(default_factory=dict)
    _lags: deque[float] = field(default_factory=lambda: deque(maxlen=8))

    def see(self, scrapes: Mapping[str, Scrape], now: float) -> bool:
        """Take in the newest scrape of each canary pod; returns whether one of them is news.

        Args:
            scrapes: by pod.
            now: seconds since the epoch, by our clock.
        """
        fresh = [each for pod, each in scrapes.items() if pod not in self._seen or each.at > self._seen[pod].at]
        self._seen = scrapes
        self._lags.extend(now - each.at for each in fresh)
        return bool(fresh)

    def waits(self, now: float) -> Iterator[float]:
        """Seconds to wait before each question, until one of them brings news."""
        due = self._due()
        if due is None:
            yield 0.0
            return
        first = max(due - now, 0.0)
        if first > self.longest:
            yield self.longest
            return
        yield first
        if now < due + AGAIN_TIMES * AGAIN_SECONDS:
            for _ in range(AGAIN_TIMES):
                yield AGAIN_SECONDS

    def _due(self) -> float | None:
        """When the next scrape should be seen, by our clock; None while no pod shows two scrapes."""
        coming = [each.at + each.gap for each in self._seen.values() if each.gap]
        return min(coming) + min(self._lags) - EARLY_SECONDS if coming else None
