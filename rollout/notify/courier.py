"""Bringing the news of one release to one channel: each at least once, in order, and never in anybody's way.

What waits is kept in the status by its place in the journal, and in memory only so far: a successor goes on where the
status says that the channel is.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from typing import TYPE_CHECKING, Any

import structlog

from rollout.notify import metrics
from rollout.notify.channels import News
from rollout.notify.places import Place, end_of, entries_after

if TYPE_CHECKING:
    from rollout.api.status import JournalEntry, Status
    from rollout.notify.channels import Channel

log: Any = structlog.get_logger()
SECONDS = 10.0
"""A channel that takes longer is asked again."""

AT_ONCE = 16
"""Of one channel, so many entries are told at the same time in a process: one that hangs takes no more connections."""

FIRST_PAUSE, LONGEST_PAUSE = 0.25, 30.0
MOST_QUEUED = 300
"""Of more, journal entries wait in the status, and the rest is left out and counted."""


class Courier:
    """Tells one channel of one release for one term.

    Attributes:
        told: the place up to which everything was told.
    """

    def __init__(self, channel: Channel, turns: asyncio.Semaphore, release: tuple[str, str, str], place: Place) -> None:
        self._channel, self._turns, self._release = channel, turns, release
        self.told = self._queued = place
        self._queue: deque[tuple[News, Place]] = deque()
        self._running: set[asyncio.Task[None]] = set()
        self._stopped = False

    def feed(self, status: Status) -> None:
        """Tell what a persisted status has beyond what was told."""
        if end_of(status) == self._queued:
            return
        for place, entry, release in entries_after(status, self._queued):
            if len(self._queue) >= MOST_QUEUED:
                break
            self._count_lost(place)
            self._queued = place
            self._queue.append((News(*self._release, entry, (release,)), place))
        self._go()

    def _count_lost(self, place: Place) -> None:
        """Entries may have left the journal before there was room for them here."""
        before = self._queued.entries if self._queued.release == place.release else 0
        if lost := place.entries - before - 1:
            metrics.FAILURES.labels("Tell").inc(lost)
            log.warning("never told", channel=self._channel.name, release=self._label, entries=lost)

    def say(self, entry: JournalEntry) -> None:
        """Tell what is in no journal, after what was to be told before it."""
        if len(self._queue) >= MOST_QUEUED:
            metrics.FAILURES.labels("Tell").inc()
            return
        self._queue.append((News(*self._release, entry), self._queued))
        self._go()

    async def stop(self) -> None:
        """Tell nothing any more; a successor goes on."""
        self._stopped = True
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    @property
    def _label(self) -> str:
        return "/".join(self._release[:2])

    def _go(self) -> None:
        if self._queue and not self._running and not self._stopped:
            task = asyncio.create_task(self._run())
            self._running.add(task)
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """What came after the last look into the queue and before this is told now."""
        self._running.discard(task)
        self._go()

    async def _run(self) -> None:
        attempts = 0
        while self._queue:
            news, place = self._queue[0]
            try:
                async with self._turns, asyncio.timeout(SECONDS):
                    await self._channel.tell(news)
            except Exception as error:  # noqa: BLE001 - whatever a channel's trouble is, it is told later
                attempts += 1
                self._failed(error, attempts)
                await asyncio.sleep(_pause(attempts))
                continue
            attempts, self.told = 0, place
            self._queue.popleft()

    def _failed(self, error: Exception, attempts: int) -> None:
        metrics.FAILURES.labels("Tell").inc()
        if attempts & (attempts - 1) == 0:
            said = str(error) or type(error).__name__
            log.warning("not told yet", channel=self._channel.name, release=self._label, error=said, attempt=attempts)


def _pause(attempts: int) -> float:
    return min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(attempts - 1, 10)) * (0.5 + random.random())  # noqa: S311 - no secret
