"""Shares of resources over quiet weeks, minute by minute, and such that really run out; from fixed seeds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.signal import lfilter

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

DAY = 1440
MOST = 0.97
"""No quiet week is fuller."""


class Worlds:
    """Makes so many series of each kind, of so many days."""

    def __init__(self, series: int, days: int, seed: int) -> None:
        self._n, self._t = series, np.arange(days * DAY, dtype=float)
        self._rng = np.random.default_rng(seed)
        self.kinds: dict[str, Callable[[], Floats]] = {
            "steady": self._steady,
            "daily cycle": self._daily,
            "weekly cycle": self._weekly,
            "garbage collection": lambda: self._teeth((10, 90), 0.15),
            "log retention": lambda: self._teeth((180, DAY), 0.1),
            "compaction": lambda: self._teeth((DAY, 3 * DAY), 0.1),
            "deploys": self._deploys,
            "bursts": self._bursts,
            "wandering": self._wandering,
        }

    def make(self) -> dict[str, Floats]:
        """Each of shape (series, minutes)."""
        return {name: np.clip(make(), 0.01, MOST) for name, make in self.kinds.items()}

    def _each(self, low: float, high: float) -> Floats:
        return self._rng.uniform(low, high, (self._n, 1))

    def _noise(self, spread: float, minutes: float) -> Floats:
        kept = np.exp(-1 / minutes)
        drawn = self._rng.normal(size=(self._n, self._t.size)) * spread * np.sqrt(1 - kept**2)
        return np.asarray(lfilter([1], [1, -kept], drawn, axis=1))

    def _day(self) -> Floats:
        return np.asarray(0.5 - 0.5 * np.cos(2 * np.pi * self._t / DAY + self._each(0, 2 * np.pi)))

    def _steady(self) -> Floats:
        return self._each(0.3, 0.85) + self._noise(0.02, 30)

    def _daily(self) -> Floats:
        return self._each(0.2, 0.5) + self._each(0.1, 0.4) * self._day() + self._noise(0.02, 30)

    def _weekly(self) -> Floats:
        working = np.where((self._t // DAY) % 7 < 5, 1.0, 0.55)  # noqa: PLR2004 - five working days
        return self._each(0.2, 0.4) + self._each(0.1, 0.4) * self._day() * working + self._noise(0.02, 60)

    def _teeth(self, minutes: tuple[float, float], jitter: float) -> Floats:
        """Up at a steady pace, down at once; no two teeth are of one length."""
        made = np.zeros((self._n, self._t.size))
        for row in made:
            length, low = self._rng.uniform(*minutes), self._rng.uniform(0.2, 0.4)
            pace, at = (self._rng.uniform(0.6, 0.9) - low) / length, 0
            while at < row.size:
                tooth = int(np.clip(length * np.exp(self._rng.normal() * jitter), 5, (MOST - low) / pace))
                row[at : at + tooth] = (low + pace * np.arange(tooth))[: row.size - at]
                at += tooth
        return made + self._noise(0.01, 10)

    def _deploys(self) -> Floats:
        """One each other day: another level, reached at once or within hours."""
        made = self._each(0.25, 0.5) + self._noise(0.02, 30)
        for row in made:
            for at in np.flatnonzero(self._rng.random(row.size) < 1 / (2 * DAY)):
                warm = self._rng.choice([1, 30, 120, 300])
                row[at:] += self._rng.uniform(-0.15, 0.2) * (1 - np.exp((at - self._t[at:]) / warm))
        return np.clip(made, 0.05, 0.93)

    def _bursts(self) -> Floats:
        """Two a day of twenty minutes to four hours."""
        made = self._each(0.3, 0.6) + self._noise(0.02, 30)
        for row in made:
            for at in np.flatnonzero(self._rng.random(row.size) < 2 / DAY):
                length = int(self._rng.integers(20, 240))
                shape = np.interp(np.arange(length), [0, length * 0.7, length], [0, self._rng.uniform(0.1, 0.35), 0])
                row[at : at + length] += shape[: row.size - at]
        return made

    def _wandering(self) -> Floats:
        steps = np.cumsum(self._rng.normal(size=(self._n, self._t.size)) * 0.0015, axis=1)
        return np.asarray(0.1 + 0.8 / (1 + np.exp(-4 * (self._each(0.3, 0.6) + steps - 0.5))))


def running_out(quiet: Floats, begins: int, minutes: int) -> Floats:
    """The same, and from then on growing from its usual highest to the whole within so many minutes."""
    left = 1 - np.percentile(quiet[:, :begins], 90, axis=1, keepdims=True)
    grown = np.maximum(np.arange(quiet.shape[1]) - begins, 0.0) / minutes
    return np.asarray(quiet + left * grown)
