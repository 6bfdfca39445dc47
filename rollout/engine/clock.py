"""The engine's time: it never jumps, whatever happens to the clock of the machine.

Holds, deadlines and the judge's looks are all measured with it. It begins as the wall clock says, runs with the
monotonic one, and is drawn towards the wall clock by at most a tenth of the time that passes: a correction of an hour
neither ends a hold of half an hour nor makes it last for ever.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_SLEW = 0.1
"""Of the time that passes, the part by which this clock may be fast or slow."""


class EngineClock:
    """Seconds since the epoch, as a function without arguments.

    Args:
        wall: the machine's clock, which may be set at any time; seconds since the epoch.
        monotonic: a clock that nobody sets; seconds since anything.
    """

    def __init__(self, wall: Callable[[], float] = time.time, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._wall, self._monotonic = wall, monotonic
        self._at, self._read_at = wall(), monotonic()

    def __call__(self) -> float:
        """The time; never less than it said before."""
        read_at = self._monotonic()
        passed = max(0.0, read_at - self._read_at)
        self._read_at = read_at
        most = MOST_SLEW * passed
        off = self._wall() - (self._at + passed)
        self._at += passed + min(most, max(-most, off))
        return self._at
