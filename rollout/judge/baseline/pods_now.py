"""How far stable's pods are apart right now: what history does not know of a block, its pods may show themselves.

A dependency that fails reaches pods one after the other, and leaves them so. For some seconds stable's pods are then
farther apart than they ever were, and a healthy canary is as far from them as they are from one another. It is one more
of them within a block as well: given what stable's pods did in it, its log rate has the variance that theirs have. So
a pod effect's noise within a block is what history says, or what stable's pods show now where that is more. Nothing of
it is learned from the canary.

With p_i the shares of m failures that are expected of pods, by their sizes and lasting offsets, and x_i what they did,

    Q = sum (x_i - m p_i)^2 has mean m sum p_i (1 - p_i) + C sum (m p_i)^2 (1 - p_i),

where C is the squared coefficient of variation between the pods, and log (1 + C) the variance of log rates that are
normal. What history's blocks show beyond counting (failures that come in clumps, pods that wander) is counted as
counting, and SURE standard deviations of it are taken off. One more pod beside P of them has 1 + 1/P times their
variance; that it is known from P alone is Student's law with P - 1 degrees of freedom, which two standard deviations
out weighs as a normal law of (P + 3) / P times the variance does.

It lasts for a while: what came pod by pod goes pod by pod, and the canary may be the last that it leaves.
"""

from typing import ClassVar

import numpy as np

from rollout.judge.data.batch import MOST_PODS
from rollout.judge.model.onset_prior import Floats, Indices, some

SURE = 3.0
"""Standard deviations of counting by which pods must be farther apart."""

FEWEST = 3.0
"""Failures of each pod below which their distances are a poor measure: so many more are taken to be alike."""

LEAST = 0.01
"""Variance of a log rate that is not worth a thought."""

LASTS_SECONDS = 300.0
"""Time constant with which it fades."""


class PodsNow:
    """What stable's pods show of the present block, one entry for each column.

    Attributes:
        noise: variance of one more pod's log rate beyond what history explains, shape (columns,).
    """

    STATE: ClassVar[tuple[str, ...]] = ("noise",)

    def __init__(self, columns: int) -> None:
        self.noise = np.zeros(columns)
        self._worth, self._clumped = np.ones((columns, MOST_PODS)), np.ones(columns)

    def follow(self, columns: Indices, own: Floats, clumped: Floats) -> None:
        """Follow what history says of some columns.

        Args:
            columns: which, k of them.
            own: lasting log ratios of the pods, shape (k, MOST_PODS).
            clumped: failures that come together (variance over mean), shape (k,).
        """
        self._worth[columns], self._clumped[columns] = np.exp(own), clumped

    def see(self, failed: Floats, size: Floats, seconds: Floats) -> None:
        """Take in what the pods have done in the present block so far.

        Args:
            failed: failures of each, or its centred scores, shape (columns, MOST_PODS).
            size: requests or pod-seconds of each, shape (columns, MOST_PODS).
            seconds: of the look, 0 of columns that are not judged in it, shape (columns,).
        """
        self.noise *= np.exp(seconds / -LASTS_SECONDS)
        shares = size * self._worth
        shares /= np.maximum(shares.sum(axis=1, keepdims=True), 1e-300)
        total = failed.sum(axis=1)
        away = failed - total[:, None] * shares
        squares = np.einsum("ij,ij->i", shares, shares)
        # Counting alone: the mean of Q and its standard deviation; two of m failures share a pod with chance sum p^2.
        alone = total * (1 - squares + SURE * np.sqrt(2 * np.maximum(squares * (1 - squares), 0.0)))
        beyond = np.einsum("ij,ij->i", away, away) - self._clumped * alone
        if not some(beyond > 0):
            return
        there = np.maximum((shares > 0).sum(axis=1), 1)
        # sum (m p)^2 (1 - p), and the same of FEWEST more failures for each pod.
        cubes = np.einsum("ij,ij,ij->i", shares, shares, shares)
        known = total**2 * (squares - cubes) + FEWEST**2 * there
        apart = np.log1p(np.maximum(beyond, 0.0) / known) * (1 + 1 / there) * (there + 3) / there
        np.maximum(self.noise, np.where((apart > LEAST) & (seconds > 0), apart, 0.0), out=self.noise)
