"""One read of a proxy's statistics for all releases at once, whatever their number.

Envoy walks through all that it counts for every question: with 400 backends one for two of them costs it 5.5 ms, one
for all of them 10 ms (1.40, one thread). 200 releases that each ask four times a second would need four cores of every
proxy, and as much of the engine to send and read. So releases say what they want, each proxy is asked for all of it at
once, and its page is taken apart once.

How often that happens follows from how much is wanted, not from how many want it.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from rollout.sources.budget import MOST_LINES, MOST_SERIES, OverBudgetError
from rollout.sources.clusters import CONTOUR
from rollout.sources.envoy import Shown, query_for, shown_on
from rollout.sources.gather import Gather, Target

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from rollout.sources.clusters import Naming
    from rollout.sources.fetch import Fetch

INTERVAL_SECONDS = 0.04
CLUSTER_SECONDS = 0.0004
"""Each backend that is asked for adds so much to the time between two questions: of Envoy's time a tenth at most."""

LINES_OF_A_CLUSTER = 128
_NOBODY = ""
"""A cluster that there is not: who wants nothing is not shown everything."""

LONGEST_QUERY = 7_000
"""Envoy takes a head of 60 kB, many others 8 kB. From here on backends are not named any more, which costs Envoy the
same, and those of others are left out here."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What one release asks for.

    Attributes:
        clusters: names without the port.
        firsts: first digits of the statuses that are wanted.
    """

    clusters: frozenset[str]
    firsts: str = "5"


@dataclass(frozen=True, slots=True)
class ProxyPage:
    """A page, taken apart, as it was asked for at ``at`` (seconds since the epoch)."""

    at: float
    shown: Shown


@dataclass(frozen=True, slots=True)
class Answers:
    """What the newest question brought.

    Attributes:
        pages: newest page of each proxy that has one since it was asked for these clusters.
        failed: why, for the proxies whose newest attempt came to nothing.
        asked: what was asked for.
    """

    pages: Mapping[Target, ProxyPage] = field(default_factory=dict)
    failed: Mapping[Target, str] = field(default_factory=dict)
    asked: frozenset[Wanted] = frozenset()


class ProxyHub:
    """Shared by all releases behind the same data plane.

    Args:
        fetch: reads one page.
        seconds: after which an attempt is given up.
        patience: how long one question waits for those who are slow.
        interval: more often than this nobody is asked, whoever wants to know.
        naming: of the clusters.
    """

    def __init__(
        self,
        fetch: Fetch,
        *,
        seconds: float = 1.0,
        patience: float = 0.15,
        interval: float = INTERVAL_SECONDS,
        naming: Naming = CONTOUR,
    ) -> None:
        self._gather = Gather(fetch, seconds=seconds, patience=patience)
        self._interval, self._naming = interval, naming
        self._wanted: WeakKeyDictionary[object, Wanted] = WeakKeyDictionary()
        self._asked_at = float("-inf")
        self._query, self._clusters, self._asked = "", frozenset[str](), frozenset[Wanted]()
        self._more_wanted = self._named = True
        self._question: asyncio.Task[Answers] | None = None
        self._failed: dict[Target, str] = {}

    async def read(self, who: object, wanted: Wanted, proxies: Sequence[Target], now: float) -> Answers:
        """The answers to the newest question that asked for what ``who`` wants as well; never raises for a proxy.

        Args:
            who: is asked for in every question for as long as it lives.
            wanted: by it.
            proxies: each at the page without its query.
            now: seconds since the epoch.
        """
        if self._wanted.get(who) != wanted:
            self._wanted[who] = wanted
            self._more_wanted = True
        while True:
            answers = await self._newest(proxies, now)
            if wanted in answers.asked:
                return answers

    async def _newest(self, proxies: Sequence[Target], now: float) -> Answers:
        due = self._more_wanted or now - self._asked_at >= self._interval + CLUSTER_SECONDS * len(self._clusters)
        if self._question is None or (due and self._question.done()):
            self._asked_at = now
            self._question = asyncio.create_task(self._ask(dict.fromkeys(proxies), now))
        return await asyncio.shield(self._question)

    async def _ask(self, proxies: Iterable[Target], now: float) -> Answers:
        self._make_up()
        asked = {replace(proxy, path=f"{proxy.path}?{self._query}"): proxy for proxy in proxies}
        clusters, questions = self._clusters, self._asked
        harvest = await self._gather.pages(asked, now)
        pages: dict[Target, ProxyPage] = {}
        failed = {asked[target]: why for target, why in harvest.failed.items()}
        most = self._most_lines()
        for target, page in harvest.pages.items():
            try:
                pages[asked[target]] = ProxyPage(page.at, shown_on(page.text, clusters, most, self._naming))
            except OverBudgetError as error:
                failed[asked[target]] = f"{target}: {error}"
        known = {proxy: why for proxy, why in self._failed.items() if proxy in asked.values() and proxy not in pages}
        self._failed = known | failed
        return Answers(pages, dict(self._failed), questions)

    def _make_up(self) -> None:
        """Make the question for all that is wanted now; where less is wanted than before, it is left as it is."""
        if not self._more_wanted:
            return
        wanted, self._more_wanted = frozenset(self._wanted.values()), False
        self._asked, self._clusters = wanted, frozenset[str]().union(*(each.clusters for each in wanted))
        firsts = "".join(sorted(set().union(*(each.firsts for each in wanted))))
        self._query = query_for(sorted(self._clusters) or [_NOBODY], firsts, self._naming)
        self._named = len(self._query) <= LONGEST_QUERY
        if not self._named:
            self._query = query_for((), firsts)

    def _most_lines(self) -> int:
        return max(MOST_SERIES, LINES_OF_A_CLUSTER * len(self._clusters)) if self._named else MOST_LINES
