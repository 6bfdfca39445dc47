"""What one proxy has counted of one backend so far, made of gauges and counters that are not read at one moment.

How many requests were begun, and how many were given up, are sums and differences of several of Envoy's numbers. One
that began while the page was written may be in one and not yet in the other. So the sums are taken for what they are:
each is a lower bound of something that only grows, and the highest that was seen holds. What was given up is believed
when two pages in a row say so, because a difference may be too high as well.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rollout.sources.envoy import ABANDONED, BEGUN, REQUESTS
from rollout.sources.increments import Reading

if TYPE_CHECKING:
    from rollout.sources.envoy import Backend, Statistics


@dataclass(slots=True)
class _Highest:
    """Of one backend at one proxy.

    Attributes:
        begun: requests.
        abandoned: that were given up.
        said: what the newest page says was given up.
    """

    begun: int
    abandoned: int
    said: int

    def see(self, backend: Backend) -> None:
        self.begun = max(self.begun, backend.begun)
        self.abandoned = max(self.abandoned, min(self.said, backend.abandoned))
        self.said = backend.abandoned


@dataclass(slots=True)
class Flow:
    """One proxy.

    Attributes:
        life: grows by one each time the proxy is seen to have restarted.
        open: requests that wait for an answer, by revision.
    """

    life: int = 1
    open: dict[str, int] = field(default_factory=dict)
    _uptime: int = 0
    _highest: dict[str, _Highest] = field(default_factory=dict)

    def see(self, page: Statistics, at: float) -> dict[str, Reading[str]]:
        """The counters by revision, as of ``at``; only of revisions the proxy knows."""
        if page.uptime is not None:
            if page.uptime < self._uptime:
                self.life += 1
                self._highest.clear()
            self._uptime = page.uptime
        self.open = {}
        self._highest = {revision: known for revision, known in self._highest.items() if revision in page.backends}
        return {revision: self._reading(revision, each, at) for revision, each in page.backends.items()}

    def _reading(self, revision: str, backend: Backend, at: float) -> Reading[str]:
        first = _Highest(backend.begun, backend.abandoned, backend.abandoned)
        highest = self._highest.setdefault(revision, first)
        highest.see(backend)
        counts = backend.counts
        waiting = highest.begun - counts.get(REQUESTS, 0) - highest.abandoned
        self.open[revision] = max(waiting, 0)
        return Reading(at, {**counts, BEGUN: highest.begun, ABANDONED: highest.abandoned}, self.life)
