"""How far a healthy pod strays from the others for minutes: the part of pods' differences that comes and goes.

Counting errors of two blocks have nothing to do with each other. So what a pod did more than its share of in a block,
times what it did more than its share of in the blocks before, is on the mean the variance that lasts from one to the
other, however few failures there are. With e what a pod did beyond its share m of a block, and R, M fading sums of e
and m over its blocks before,

    C = sum e R / sum m M

is taken for sums that fade within 30 s and within 150 s. Their ratio tells how long it lasts: where log rates are an
autoregression of variance V that keeps a share a from block to block, and sums keep f,

    C = V a (1 - f) / (1 - f a).

Blocks in which a pod is taken to be hit by a burst count the less the surer that is.
"""

from typing import ClassVar

import numpy as np

from rollout.judge.data.batch import MOST_PODS
from rollout.judge.model.onset_prior import Floats, Indices, ShortFloats

FADES: Floats = np.array([0.5, 0.9])
"""Shares f of the sums that are kept from block to block: 30 s and 150 s of blocks of 15 s."""

SURE = 2.0
"""Standard deviations by which C must be above 0."""

MOST_VARIANCE = 1.0
"""Variance of a log rate that wanders, at most: farther than that it is a burst."""

_HALF = 0.5

_KEPT: Floats = 1 - np.geomspace(0.4, 0.01, 40)
"""Candidates for a, ascending: from half a minute to 25 minutes. What is quicker is left to eta."""

_EXPECTED: Floats = _KEPT * (1 - FADES[:, None]) / (1 - FADES[:, None] * _KEPT)
"""C over V of each, shape (fades, candidates)."""

_RATIOS: Floats = _EXPECTED[1] / _EXPECTED[0]


class Wander:
    """What has been learned of each column.

    Attributes:
        before: fading sums of e, then of m, shape (columns, 2, fades, MOST_PODS).
        products: sums of e R, of m M, and of (e R)^2, shape (columns, 3, fades).
    """

    STATE: ClassVar[tuple[str, ...]] = ("before", "products")

    def __init__(self, columns: int) -> None:
        self.before: ShortFloats = np.zeros((columns, 2, FADES.size, MOST_PODS), dtype=np.float32)
        self.products = np.zeros((columns, 3, FADES.size))

    def add(self, columns: Indices, failed: Floats, shares: Floats, calm: Floats) -> None:
        """Take in a block.

        Args:
            columns: which, k of them.
            failed: failures of the pods, shape (k, MOST_PODS).
            shares: their shares of all failures, by their sizes and lasting offsets, shape (k, MOST_PODS).
            calm: how surely each pod is hit by no burst, by the blocks before, and by this block as well; shape
                (2, k, MOST_PODS).
        """
        # What is expected of e by the blocks before is 0, so it may count by what they say, and by that alone. Then it
        # is one of the blocks before.
        (beyond, expected), (then, of_it) = (_beyond(weight * failed, weight * shares) for weight in calm)
        earlier, size = self.before[columns].transpose(1, 0, 2, 3)
        product = beyond[:, None] * earlier
        self.products[columns, 0] += product.sum(axis=2)
        self.products[columns, 1] += (expected[:, None] * size).sum(axis=2)
        self.products[columns, 2] += (product**2).sum(axis=2)
        self.before[columns, 0] = earlier * FADES[:, None] + then[:, None]
        self.before[columns, 1] = size * FADES[:, None] + of_it[:, None]

    def told(self, columns: Indices) -> tuple[Floats, Floats]:
        """Variance V of the log rate that comes and goes, and the share a of it that a block keeps; each (k,)."""
        found, sizes, squares = self.products[columns].transpose(1, 0, 2)
        sizes = np.maximum(sizes, 1e-300)
        # Less the standard error: what cannot be told from nothing is nothing.
        sure = np.maximum(found - SURE * np.sqrt(squares), 0.0) / sizes
        some = sure[:, 0] > 0
        ratio = np.where(some, np.maximum(found[:, 1], 0.0) / np.maximum(found[:, 0], 1e-300), 0.0)
        ratio *= np.where(some, sizes[:, 0] / sizes[:, 1], 0.0)
        kept = np.interp(ratio, _RATIOS, _KEPT)
        # Of both sums the one that tells more, since the slow one hardly sees what is quick.
        variance = np.maximum(sure[:, 0] / _at(0, kept), np.where(kept > FADES[1], sure[:, 1] / _at(1, kept), 0.0))
        return np.minimum(variance, MOST_VARIANCE), kept

    def lately(self, columns: Indices) -> Floats:
        """Log ratio by which each pod seems to stray now, shape (k, MOST_PODS)."""
        variance, kept = self.told(columns)
        which = (kept > FADES[1]).astype(np.intp)
        beyond, size = self.before[columns, :, which].transpose(1, 0, 2)
        # A gamma prior of mean 1 and variance V.
        worth = 1 / np.maximum(variance, 1e-9)[:, None]
        strays: Floats = np.log1p(np.maximum(beyond / (size + worth), -0.9))
        return strays


def _beyond(failed: Floats, shares: Floats) -> tuple[Floats, Floats]:
    """What each pod did beyond its share of a block, and that share; each of shape (k, MOST_PODS)."""
    parts = shares / np.maximum(shares.sum(axis=1, keepdims=True), 1e-300)
    expected = failed.sum(axis=1, keepdims=True) * parts
    # What one pod has more the others have less, so the part that is the pod's own is e / (1 - share).
    return (failed - expected) / np.maximum(1 - parts, _HALF), expected


def _at(which: int, kept: Floats) -> Floats:
    found: Floats = kept * (1 - FADES[which]) / (1 - FADES[which] * kept)
    return found
