"""Which pods are hit by a burst in the present block, so that the others are held against those that are not.

A canary that fails ten times as often as stable's calm pods is plain in each look; held against all of stable, of which
some pod is hit in every third look, it is not, and a healthy pod that is hit beside another one looks as if it had a
fault of its own. With x what a pod failed by, m what is expected of it by what its calm others did, and b the size of
bursts, the odds that it is hit are

    chance / (1 - chance) exp(b x - m (exp(b) - 1)),

Poisson's. A pod whose odds are above one is left out of what others are held against; a canary's own bursts stay in
what a healthy one may do.
"""

from typing import ClassVar

import numpy as np

from rollout.judge.baseline.pod_against_others import shares_of
from rollout.judge.model.onset_prior import Bools, Floats, Indices

PASSES = 2
"""First the others count by how often pods are hit, then by what each did in the block."""

TELLING = 20.0
"""Failures from which on the share of those that calm pods have is known."""

LEAST_SHARE = 0.4
"""Part of all failures that calm pods must have."""

MOST_CLUMPED = 3.0
"""Variance over mean of what calm pods fail by, at most."""

FARTHEST = 3.0
"""Standard deviations by which they are taken to be apart at most."""

_MOST_LOG = 50.0
"""A likelihood ratio beyond its exponential is as sure as this one."""

_LIKELY = 0.5


class CalmOthers:
    """What has been learned of each column.

    Attributes:
        struck: failures of pods that a burst hit, and of all of them; squared distances of those of calm pods from
            their shares, and what these would be if failures came one by one; shape (columns, 4).
    """

    STATE: ClassVar[tuple[str, ...]] = ("struck",)

    def __init__(self, columns: int) -> None:
        self.struck = np.zeros((columns, 4))

    def see(self, columns: Indices, failed: Floats, size: Floats, hit: Bools) -> None:
        """Take in a block.

        Args:
            columns: k of them.
            failed: failures of the pods, shape (k, pods).
            size: requests or pod-seconds of each, times its lasting ratio, shape (k, pods).
            hit: pods that were hit, shape (k, pods).
        """
        calm, shares = failed * ~hit, shares_of(size * ~hit)
        expected = calm.sum(axis=1, keepdims=True) * shares
        # A burst that was not seen is as far away as one in a hundred, no farther.
        squares = np.minimum((calm - expected) ** 2, FARTHEST**2 * (1 + expected))
        told = (failed * hit, failed, squares * ~hit, expected * (1 - shares))
        self.struck[columns] += np.stack([each.sum(axis=1) for each in told], axis=1)

    def left_out(self, columns: Indices, hit: Bools) -> Bools:
        """Which pods that are hit are no part of what others are held against, shape (k, pods)."""
        struck, everything, squares, alone = self.struck[columns].T
        base = (everything >= TELLING) & (everything - struck >= LEAST_SHARE * everything)
        found: Bools = hit & (base & (squares <= MOST_CLUMPED * alone))[:, None]
        return found


def are_hit(failed: Floats, size: Floats, own: Floats, chance: Floats, burst: Floats) -> Bools:
    """Which pods are likelier hit than not, shape (k, pods).

    Args:
        failed: failures of the pods in the block, shape (k, pods).
        size: requests or pod-seconds of each, 0 of those that are not there, shape (k, pods).
        own: lasting log ratio of each, shape (k, pods).
        chance: that each is hit, before anything is known of the block, shape (k, pods).
        burst: log ratio by which it then fails more, shape (k,).
    """
    hit, _ = chances_hit(failed, shares_of(size * np.exp(own)), chance, burst[:, None])
    found: Bools = (hit > _LIKELY) & (size > 0)
    return found


def chances_hit(failed: Floats, shares: Floats, chance: Floats, sizes: Floats) -> tuple[Floats, Floats]:
    """Chance that each pod is hit in a block, and what is expected of it by what its calm others did; shape (k, pods).

    Args:
        failed: failures of the pods in the block, shape (k, pods).
        shares: of the failures that would fall on each if none were hit, shape (k, pods).
        chance: that each is hit, before anything is known of the block, shape (k, pods).
        sizes: log ratio by which it then fails more, shape (k, 1).
    """
    hit = chance
    mean = np.zeros(failed.shape)
    for _ in range(PASSES):
        # What the others did, as far as they are calm, and the share of it that is expected of this one.
        did, worth = ((1 - hit) * each for each in (failed, shares))
        others, of_all = (each.sum(axis=1, keepdims=True) - each for each in (did, worth))
        mean = shares * others / np.maximum(of_all, 1e-9)
        odds = chance * np.exp(np.clip(sizes * failed - mean * np.expm1(sizes), -_MOST_LOG, _MOST_LOG))
        hit = odds / (1 - chance + odds)
    return hit, mean


def of_calm_others(counted: Floats, out: Bools) -> Floats:
    """What the others of each pod did that are not left out; of all others where none is calm.

    Args:
        counted: failures and sizes of the pods, shape (2, k, pods).
        out: pods that are left out, shape (k, pods).

    Returns:
        Failures and sizes of the others of each pod, shape (2, k, pods).
    """
    of_calm = counted * ~out
    everything, calm = (each.sum(axis=2, keepdims=True) - each for each in (counted, of_calm))
    found: Floats = np.where(calm[1] > 0, calm, everything)
    return found
