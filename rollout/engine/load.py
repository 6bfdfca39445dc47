"""How much one engine has to do, and who waits: its own slowness must never become the version's fault.

One thread looks at every release. When it is full, everything is late: what is read of the gateway, what is decided,
and what is written. So less is read before that happens. Steps that have proven themselves are sampled less often
first, then young ones, rollbacks never; and a release that nobody could watch does not begin.

How full the thread is, is measured: the part of the time it computes, and by how much a timer comes late.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rollout.api.status import Phase
from rollout.engine import metrics

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from kube.cache import Key
    from rollout.api.status import Status

MAX_IN_FLIGHT = 200
TAKEN_OVER_AT_ONCE = 8
"""Releases that are taken over at the same time; the others come after them."""

TICK_SECONDS = 0.25
FULL, CALM = 0.8, 0.6
"""Parts of the time: with more than the first less is read, with less than the second more again."""

LATE_SECONDS = 0.15
"""A timer that comes so much late says that the thread is full, whatever it was busy with (its core may be shared)."""

NEXT = "about to begin"
UP, DOWN = 1.15, 0.97
GAP_SECONDS, MOST_GAP_SECONDS = 0.05, 0.25
MOST_SETTLED, MOST_YOUNG = 4.0, 4.0
"""At most so many times the interval of the spec: far below what the judge takes for a source that is down."""


@dataclass(slots=True)
class Load:
    """Shared by all releases of one engine.

    Args:
        max_in_flight: releases that are carried out at the same time; those after them wait in Preparing.
        computed: seconds this thread has computed.

    Attributes:
        level: 1 while everything is read as often as the specs say; up to 16.
        busy: part of the time that this thread computes.
        lag: seconds by which a timer comes late.
    """

    max_in_flight: int = MAX_IN_FLIGHT
    computed: Callable[[], float] = time.thread_time
    level: float = 1.0
    busy: float = 0.0
    lag: float = 0.0
    _carried: set[Key] = field(default_factory=set)
    _waiting: dict[Key, None] = field(default_factory=dict)
    _entrance: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(TAKEN_OVER_AT_ONCE))

    # ------------------------------------------------------------------ how full the thread is

    async def measure(self) -> None:
        """Measure until cancelled."""
        clock = asyncio.get_running_loop().time
        while True:
            began, computed = clock(), self.computed()
            await asyncio.sleep(TICK_SECONDS)
            passed = clock() - began
            self.note((self.computed() - computed) / passed, passed - TICK_SECONDS)

    def note(self, busy: float, lag: float) -> None:
        """Take in what one tick measured, and read less or more from now on."""
        self.busy += 0.25 * (busy - self.busy)
        self.lag += 0.25 * (max(lag, 0.0) - self.lag)
        if self.busy > FULL or self.lag > LATE_SECONDS:
            self.level = min(self.level * UP, MOST_SETTLED * MOST_YOUNG)
        elif self.busy < CALM:
            self.level = max(self.level * DOWN, 1.0)
        metrics.LOAD.set(self.level)
        metrics.BUSY.set(self.busy)

    def stretch(self, *, young: bool) -> float:
        """By how many times the sampling interval is longer now; settled steps give way first."""
        return max(1.0, self.level / MOST_SETTLED) if young else min(self.level, MOST_SETTLED)

    def gap(self) -> float:
        """Seconds between two looks of a release that nothing is wrong with: what happens meanwhile is seen together.

        None while there is time to look at everything as it happens.
        """
        if self.busy < CALM and self.lag < LATE_SECONDS:
            return 0.0
        return min(GAP_SECONDS * self.level, MOST_GAP_SECONDS)

    def late(self, seconds: float) -> None:
        """A look came so much later than it should have come."""
        metrics.LATE.observe(max(seconds, 0.0))

    # ------------------------------------------------------------------ who waits

    def no_room(self, key: Key, status: Status) -> str:
        """Why a release has to wait before anything of it is done; empty where it may go on.

        Those under way always go on. Whoever begins comes to wait, and has its turn in the order of coming; many that
        begin in the same moment would else all find the same room.
        """
        if not status.in_flight:
            self.leave(key)
            return NEXT
        if key not in self._carried:
            if status.phase is Phase.PREPARING and (before := self._place(key)) >= self._free:
                self._count()
                return self._told(before)
            self._waiting.pop(key, None)
            self._carried.add(key)
            self._count()
        return ""

    def waits(self, key: Key) -> bool:
        """Whether a release was told to wait."""
        return key in self._waiting

    def leave(self, key: Key) -> None:
        """A release has ended, or is somebody else's now."""
        self._carried.discard(key)
        self._waiting.pop(key, None)
        self._count()

    @property
    def _free(self) -> int:
        """How many more may begin. Where nothing more can be read less often, as many as are under way are too many."""
        if self._carried and self.level >= MOST_SETTLED * MOST_YOUNG:
            return 0
        return max(self.max_in_flight - len(self._carried), 0)

    def _place(self, key: Key) -> int:
        """How many wait before it."""
        self._waiting.setdefault(key)
        return next(place for place, each in enumerate(self._waiting) if each == key)

    def _told(self, before: int) -> str:
        first = f"; {before} wait before it" if before else ""
        if len(self._carried) < self.max_in_flight and self._free == 0:
            return f"no room: this engine is busy with {len(self._carried)} releases{first}"
        return f"no room: this engine carries {len(self._carried)} releases, of {self.max_in_flight} at most{first}"

    def _count(self) -> None:
        metrics.CARRIED.set(len(self._carried))
        metrics.WAITING.set(len(self._waiting))

    @asynccontextmanager
    async def entrance(self, *, urgent: bool) -> AsyncIterator[None]:
        """Take over few at a time: all at once would be late together. Who is being taken back does not queue."""
        if urgent:
            yield
            return
        async with self._entrance:
            yield
