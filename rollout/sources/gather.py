"""Reading many pods at once without ever waiting for the slowest of them.

A pass waits for a fraction of the sampling interval. Who has not answered by then is not asked again while the answer
is under way: it is picked up by a later pass, and the increments it brings cover the time in between.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rollout.sources.fetch import FetchError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from rollout.sources.fetch import Fetch


@dataclass(frozen=True, slots=True)
class Target:
    """A page of a pod."""

    namespace: str
    pod: str
    ip: str
    port: int
    path: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.pod}:{self.port}{self.path.partition('?')[0]}"


@dataclass(frozen=True, slots=True)
class Page:
    """A page as it was asked for at ``at`` (seconds since the epoch)."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Harvest:
    """What a pass brought in.

    Attributes:
        pages: of the targets that answered since the last pass.
        failed: why, for the targets whose newest attempt came to nothing.
    """

    pages: Mapping[Target, Page] = field(default_factory=dict)
    failed: Mapping[Target, str] = field(default_factory=dict)


class Gather:
    """Asks targets concurrently.

    Args:
        fetch: reads one page.
        seconds: after which an attempt is given up.
        patience: how long one pass waits.
    """

    def __init__(self, fetch: Fetch, *, seconds: float = 1.0, patience: float = 0.15) -> None:
        self._fetch, self._seconds, self._patience = fetch, seconds, patience
        self._under_way: dict[Target, asyncio.Task[Page | FetchError]] = {}
        self._failed: dict[Target, str] = {}

    async def pages(self, targets: Iterable[Target], now: float) -> Harvest:
        """Ask every target that is not being asked already, and bring in what has come."""
        wanted = dict.fromkeys(targets)
        self._drop(wanted)
        for target in wanted:
            if target not in self._under_way:
                self._under_way[target] = asyncio.create_task(self._ask(target, now))
        try:
            if self._under_way:
                await asyncio.wait(self._under_way.values(), timeout=self._patience)
        except asyncio.CancelledError:
            self._drop({})
            raise
        return Harvest(self._bring_in(), dict(self._failed))

    def _drop(self, wanted: Mapping[Target, None]) -> None:
        for target in [each for each in self._under_way if each not in wanted]:
            self._under_way.pop(target).cancel()
        self._failed = {target: why for target, why in self._failed.items() if target in wanted}

    def _bring_in(self) -> dict[Target, Page]:
        pages = {}
        for target in [each for each, task in self._under_way.items() if task.done()]:
            outcome = self._under_way.pop(target).result()
            if isinstance(outcome, Page):
                pages[target] = outcome
                self._failed.pop(target, None)
            else:
                self._failed[target] = str(outcome)
        return pages

    async def _ask(self, target: Target, now: float) -> Page | FetchError:
        try:
            async with asyncio.timeout(self._seconds):
                text = await self._fetch(
                    target.namespace, target.pod, target.ip, target.port, target.path, self._seconds
                )
        except TimeoutError:
            return FetchError(f"GET {target}: no answer within {self._seconds:g} s")
        except FetchError as error:
            return error
        return Page(now, text)
