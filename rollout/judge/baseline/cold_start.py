"""Cold starts: how much worse young pods are when all is well. Caches are cold, code is not compiled yet.

Learned from earlier starts of stable's pods: in each bin of age, what they failed (or were slow) at is held against
what the grown-up pods' rate at the same time would have made of it. A canary is then judged against stable's odds times

    r0(age) = 1.1 (r + s),   s = sqrt(r / (e + 2)),   r = (x + 2 u) / (e + 2) * (n - e + 1) / (n - x + 1)

with x failures of young pods in n requests, e those that grown-up pods would have had, and u = 1 + exp(-age / 15 s),
which is tolerated before any start was seen; the last factor makes odds of rates. Where r - 2 s is below 1 starts are
not surely cold: r is tolerated, and u at most. A fault far above r0 is still a fault: the tests go on, only against
another null.
"""

from typing import ClassVar

import numpy as np

from rollout.judge.data.ages import AGE_ENDS, AGES
from rollout.judge.model.onset_prior import Bools, Floats

_MIDDLES: Floats = (np.array([0.0, *AGE_ENDS[:-1]]) + AGE_ENDS) / 2

UNSEEN: Floats = 1 + np.exp(-_MIDDLES / 15.0)
"""Tolerated ratio in each bin before any start was seen."""

PLAIN = 1.05
"""A tolerance below this is none; that of an unseen start is after some 45 seconds."""

_WEIGHT = 2.0
"""Failures that the tolerance of an unseen start is worth."""

_MARGIN = 1.1
"""The next start may be somewhat worse than those before."""


class ColdStart:
    """Tolerated ratios by age, one entry for each column.

    Attributes:
        failed: failures of young pods (x), shape (columns, AGES).
        expected: failures they would have had at the grown-up pods' rate (e), shape (columns, AGES).
        size: their requests or pod-seconds (n), shape (columns, AGES).
    """

    STATE: ClassVar[tuple[str, ...]] = ("failed", "expected", "size")

    def __init__(self, whole: Bools) -> None:
        self._whole = whole[:, None]
        self.failed, self.expected, self.size = np.zeros((3, whole.size, AGES))
        self.settle()

    def settle(self) -> None:
        """Follow what was learned: what is tolerated beyond 1 in each bin of age, and where that is a guess."""
        # r = (x + 2 u) / (e + 2), times the factor that makes odds of rates.
        known = self.expected + _WEIGHT
        ratio = (self.failed + _WEIGHT * UNSEEN) / known
        odds = (self.size - self.expected + 1) / np.maximum(self.size - self.failed + 1, 1.0)
        ratio *= np.where(self._whole, np.maximum(odds, 1.0), 1.0)
        # r0 = 1.1 (r + s) where starts are surely cold, else r and at most u. What is kept is r0 - 1.
        chance = np.sqrt(ratio / known)
        cold = (self.size > 0) & (ratio - 2 * chance > 1)
        self._beyond = np.where(cold, np.maximum(_MARGIN * (ratio + chance), 1.0), np.minimum(ratio, UNSEEN)) - 1
        self._guessed = (self.size == 0) & (UNSEEN > PLAIN)

    def learn(self, young_failed: Floats, young_size: Floats, failed: Floats, size: Floats) -> None:
        """Take in a look in which some of stable's pods were young.

        Args:
            young_failed: failures of young pods by age, shape (columns, AGES).
            young_size: their requests or pod-seconds, shape (columns, AGES).
            failed: failures of all of stable's pods, shape (columns,).
            size: requests or pod-seconds of all of them, shape (columns,).
        """
        # e: what the rate of the grown-up pods in this look would have made of the young pods' size.
        grown = size - young_size.sum(axis=1)
        rate = np.maximum(failed - young_failed.sum(axis=1), 0.0) / np.maximum(grown, 1e-300)
        known = (grown > 0)[:, None]
        self.failed += np.where(known, young_failed, 0.0)
        self.expected += np.where(known, rate[:, None] * young_size, 0.0)
        self.size += np.where(known, young_size, 0.0)
        self.settle()

    def tolerance(self, ages: Floats) -> Floats:
        """r0 of a canary whose pods have these ages; shape (columns,).

        Args:
            ages: share of the canary's size in each bin of age, shape (columns, AGES); the rest is grown up.
        """
        # The mean of r0 over the canary's pods, by their share of its size; 1 of grown-up ones.
        found: Floats = 1 + (ages * self._beyond).sum(axis=1)
        return found

    def age_unknown(self, ages: Floats) -> Bools:
        """Whether some of the canary's pods are so young that it is unknown how slow that may be; shape (columns,)."""
        found: Bools = (ages * self._guessed).sum(axis=1) > 0
        return found
