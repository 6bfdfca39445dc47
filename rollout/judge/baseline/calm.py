"""Which of stable's pods were calm in a block: what bursts did must not be counted as wandering too, nor the reverse.

How far a pod strays is told from blocks in which no burst hit it (`wander`). For that a pod is held against those of
the others that are calm themselves, by what each did while calm: one that was hit for a tenth of its time is no worse a
pod, and those beside it are no better ones. With x what a pod failed by, and m what is expected of it by its share of
what the calm others did, a burst of size b has

    log likelihood ratio = b x - m (exp(b) - 1),

Poisson's. Where it strays to already is in m, so a pod that wanders is not taken to be hit. Slow requests are another
matter: scores have a law of their own, by which `pod_against_others` tells who is hit, and in such numbers what a burst
differs from its kind by tells as well; there it is left to wander.
"""

from typing import ClassVar

import numpy as np

from rollout.judge.baseline.calm_others import chances_hit
from rollout.judge.baseline.lasting import lasting_offsets
from rollout.judge.baseline.pod_against_others import (
    BURST_CHANCES,
    BURST_LASTS,
    BURST_SIZES,
    SIZES,
    likeliest_sizes,
    shares_of,
)
from rollout.judge.data.batch import MOST_PODS
from rollout.judge.model.onset_prior import Bools, Floats, Indices, ShortFloats

TELLING = 150.0
"""Failures expected of pods that were hit, at which what they had tells as much as the kind of burst does."""

WORTH = 40.0
"""Pod-blocks of bursts that what is believed of how long they last is worth."""

STAYS = (0.25, 0.97)
"""Chances that a burst goes on, at least and at most: for 20 s, and for 8 minutes, on the mean."""


class Calm:
    """What has been learned of each column.

    Attributes:
        hit: chance that each pod was hit in the block before, shape (columns, MOST_PODS).
        done: failures and sizes of the pods, as far as they were calm, shape (columns, 2, MOST_PODS).
        struck: failures of pods as far as they were hit, and what was expected of them, shape (columns, 2).
        slower: log likelihoods of blocks as far as pods were hit in them, for each of SIZES, shape (columns, sizes).
        stayed: pod-blocks that were surely hit, as far as the next was hit too, and all of them, shape (columns, 2).
    """

    STATE: ClassVar[tuple[str, ...]] = ("hit", "done", "struck", "slower", "stayed")

    def __init__(self, columns: int) -> None:
        self.hit: ShortFloats = np.zeros((columns, MOST_PODS), dtype=np.float32)
        self.done: ShortFloats = np.zeros((columns, 2, MOST_PODS), dtype=np.float32)
        self.struck, self.slower = np.zeros((columns, 2)), np.zeros((columns, SIZES.size))
        self.stayed: ShortFloats = np.zeros((columns, 2), dtype=np.float32)

    def lasting(self, columns: Indices, kinds: Indices) -> Floats:
        """How much likelier a burst of some kind is to go on than to begin, shape (k,).

        A pod that is hit for longer than any of stable's looks as if it had a fault. So a kind that lasts goes on as
        those of stable did, and as is believed of it as long as few were seen.
        """
        begins, goes_on = BURST_CHANCES[kinds], BURST_CHANCES[kinds] + BURST_LASTS[kinds]
        stayed, blocks = self.stayed[columns].T
        found = np.clip((stayed + WORTH * goes_on) / (blocks + WORTH), *STAYS)
        return np.where(BURST_LASTS[kinds] > 0, found - begins, 0.0)

    def follow(self, columns: Indices, first: Indices, kinds: Indices, chance: Floats, hit: Floats) -> None:
        """Take in whether pods that were hit in the block before are hit in this one, too.

        Args:
            columns: k of them.
            first: where the pods of each begin, shape (k,).
            kinds: of bursts, the one that hits each pod, shape (pods,).
            chance: that each is hit, by the blocks before, shape (pods,).
            hit: the same, now that this block is known, shape (pods,).
        """
        before = np.divide(chance - BURST_CHANCES[kinds], BURST_LASTS[kinds], where=BURST_LASTS[kinds] > 0, out=0 * hit)
        # Those that are as likely to have been calm tell nothing.
        surely = np.maximum(2 * before - 1, 0.0)
        self.stayed[columns] += np.add.reduceat(np.stack([surely * hit, surely], axis=1), first, axis=0)

    def sizes(self, columns: Indices, kinds: Indices, slow: Bools) -> Floats:
        """Log ratio by which pods fail more while a burst of some kind hits them, shape (k,).

        At thousands of requests a second a pod that fails eight times as often is told from one that fails five times
        as often within a look, and in each look that a burst lasts; so of kinds that last the size is that which bursts
        had, and the kind's as long as few were seen. Slow pods are taken to stray, too: theirs is beyond that.

        Args:
            columns: which, k of them.
            kinds: of bursts, shape (k,).
            slow: slow requests are counted, which `slower` is about, shape (k,).
        """
        failed, expected = self.struck[columns].T
        usual = BURST_SIZES[kinds]
        found = np.log((failed + TELLING * np.exp(usual)) / (expected + TELLING))
        found = np.where(slow, likeliest_sizes(self.slower[columns], usual), found)
        sizes: Floats = np.where(BURST_LASTS[kinds] > 0, np.maximum(found, BURST_SIZES[1]), usual)
        return sizes

    def add(
        self, columns: Indices, failed: Floats, size: Floats, kinds: Indices, strays: Floats
    ) -> tuple[Floats, Floats]:
        """Take in a block.

        Args:
            columns: which, k of them.
            failed: failures of the pods, shape (k, MOST_PODS).
            size: requests or pod-seconds of each, 0 of those that are not there, shape (k, MOST_PODS).
            kinds: of bursts, the one that hits pods, shape (k,).
            strays: log ratio by which each is taken to stray now, shape (k, MOST_PODS).

        Returns:
            Shares of the failures that would fall on each pod if none were hit and none strayed, shape (k, MOST_PODS);
            and how surely each is calm, by the blocks before, and by this one as well, shape (2, k, MOST_PODS).
        """
        own = lasting_offsets(*self.done[columns].astype(np.float64).transpose(1, 0, 2))
        shares = shares_of(size * np.exp(own))
        expected = shares_of(shares * np.exp(strays))
        starts, lasts, sizes = (each[kinds, None] for each in (BURST_CHANCES, BURST_LASTS, BURST_SIZES))
        chance = starts + lasts * self.hit[columns]
        hit, mean = chances_hit(failed, expected, chance, sizes)
        self.hit[columns] = hit
        self.struck[columns] += np.stack([(hit * failed).sum(axis=1), (hit * mean).sum(axis=1)], axis=1)
        self.done[columns] += ((1 - hit)[:, None] * np.stack([failed, size], axis=1)).astype(np.float32)
        return shares, 1 - np.stack([chance, hit])
