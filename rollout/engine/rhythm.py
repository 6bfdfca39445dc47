"""When one release is looked at: how long a look waits for the next, and how late it came."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from rollout.api.status import Phase

if TYPE_CHECKING:
    from collections.abc import Callable

    from rollout.api.status import Status
    from rollout.engine.parts import Parts

IN_FLIGHT_WAIT, WAITING_WAIT, IDLE_WAIT = 0.5, 2.0, 10.0
LATE_SECONDS = 3.0
"""A look that comes so much later than it should was not in time, and the clocks stood still meanwhile."""


class Rhythm:
    """The time of one term.

    Attributes:
        watching_since: since when the mirror of the cluster has been whole.
    """

    def __init__(self, parts: Parts, key: tuple[str, str], wake: asyncio.Event) -> None:
        self._parts, self._key, self._wake = parts, key, wake
        self.watching_since = self._expected_at = self._looked_at = parts.clock()

    def on_time(self) -> tuple[float, float]:
        """The time of this look, and the seconds before it in which nobody could look: no time waited, and not blind.

        Few of them are none.
        """
        now = self._parts.clock()
        late, self._expected_at = now - self._expected_at, now
        self._parts.load.late(late)
        if not self._parts.mirror.healthy_in(self._key[0]):
            self.watching_since = now
        return now, late if late > LATE_SECONDS else 0.0

    async def pause(self, status: Status, due_in: float | None, settles: float, suspicious: Callable[[], bool]) -> None:
        """Wait until something changes, until something is to be tried again, or until it is time to look anyway.

        Args:
            status: as decided.
            due_in: seconds until something that failed can be tried again.
            settles: seconds for which the release is looked at often after its phase began.
            suspicious: whether the evidence against the canary has begun to rise.
        """
        patience = self._patience(status, due_in, settles)
        self._looked_at = self._parts.clock()
        self._expected_at = self._looked_at + patience
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience):
                await self._wake.wait()
                await asyncio.sleep(self._gap(status, suspicious))
        self._wake.clear()

    def _gap(self, status: Status, suspicious: Callable[[], bool]) -> float:
        """Seconds before the next look where the engine is full; a release that may have to turn round has none."""
        if status.phase is Phase.ROLLING_BACK or suspicious():
            return 0.0
        return max(0.0, self._looked_at + self._parts.load.gap() - self._parts.clock())

    def _patience(self, status: Status, due_in: float | None, settles: float) -> float:
        """Seconds until the next look when nothing wakes it: short while something is under way or being drained."""
        drained = (status.phase_since or 0.0) + settles
        usual = IN_FLIGHT_WAIT if status.in_flight or self._parts.clock() < drained else IDLE_WAIT
        if self._parts.load.waits(self._key):
            usual = WAITING_WAIT
        return usual if due_in is None else min(usual, due_in)
