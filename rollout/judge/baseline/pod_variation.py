"""What stable's own pods teach about noise: every pod plays the canary against the others (A/A), block by block.

Healthy pods differ for good (tau), now and then one is hit for a while (noisy neighbours, garbage collection), and
failures come in clumps (retries). A likelihood that ignores this convicts nearly every canary of a noisy service. So,
on blocks of stable's history,

    tau^2 = variance of the pods' log rates, less the part that counting explains, shrunk towards a prior;
    burst = how often a pod is hit for a block, and how hard: of a few, the one under which the blocks are likeliest;
    eta   = 0.97 x the largest exponent at which the pods' likelihood ratios, their lasting offsets and the bursts taken
            out, still have a mean of at most 1 for small and large faults;
    clumps = how many failures come together (variance over mean), which a short history tells as well.

All are predictable: a look is judged with what was learned before it. With little history they stay near the prior:
wide and slow rather than wrong. The source of each formula is docs/explanation/judge.md, "Pods differ".
"""

import math
from typing import ClassVar

import numpy as np

from rollout.judge.baseline.calm import Calm
from rollout.judge.baseline.calm_others import CalmOthers, are_hit, of_calm_others
from rollout.judge.baseline.lasting import PRIOR_WORTH, TRUSTED_PODS, lasting_offsets, lasting_variance
from rollout.judge.baseline.pod_against_others import (
    BURST_CHANCES,
    BURST_LASTS,
    BURST_SIZES,
    BURST_STARTS,
    EXPONENTS,
    FAULTS,
    Beside,
    gains_of,
    largest_exponents,
    shares_of,
    squares_of,
    worst_alone,
)
from rollout.judge.baseline.pod_beliefs import (
    BURST_VARIANCE,
    CAUTION,
    ENOUGH_BLOCKS,
    ENOUGH_FAILURES,
    KNOWN,
    PRIOR_BURST,
    PRIOR_TEMPER,
    TELLING,
)
from rollout.judge.baseline.wander import Wander
from rollout.judge.data.batch import MOST_PODS, Batch
from rollout.judge.model.blocks import BLOCK_SECONDS
from rollout.judge.model.hypergeometric import Counts
from rollout.judge.model.onset_prior import Bools, Floats, Indices, ShortFloats, indices_of, some
from rollout.judge.model.rank_sum import Spread
from rollout.judge.model.ridits import BINS, centred

FASTEST = 0.05
"""Least mean score of a pod, over that of all of them."""


class PodVariation:
    """What has been learned of each column. Young pods teach nothing here: `cold_start` learns from them.

    Args:
        whole: sizes are requests, shape (columns,).
        latency: columns that count slow requests, shape (columns,); none by default.
        scores: of the buckets, where requests have scores, shape (columns, BINS); the others have zeros.

    Attributes:
        scored: columns whose requests have scores, shape (columns,).
        scores: as given.
        buckets: that have scores in any of them.
        failed: failures of each pod, or the sum of its scores, shape (columns, MOST_PODS).
        size: requests or pod-seconds of each pod, shape (columns, MOST_PODS).
        block_failed: failures in the present block, shape (columns, MOST_PODS).
        block_size: requests or pod-seconds in the present block, shape (columns, MOST_PODS).
        block_pooled: requests of all pods with each score in the present block, shape (columns, BINS).
        block_began: time at which it began, shape (columns,); minus infinity before the first look.
        counted: pod-blocks in `failed` and `size`, shape (columns,).
        blocks: pod-blocks that taught how failures clump, shape (columns,).
        likely: log likelihood of the blocks under each kind of burst, shape (columns, bursts).
        burst: the kind that was chosen, shape (columns,).
        gains: sums of likelihood ratios, shape (columns, bursts, exponents, faults).
        worst: highest sure rate of a single pod in a block in which the others were well, shape (columns,).
        apart: squared distances of the pods' failures in a block from what their shares of all would have been, and
            what they would be if failures came one by one, each summed; shape (columns, 2).
        hit: chance that each pod is hit in the present block under each kind of burst, by the blocks before, shape
            (columns, MOST_PODS, bursts).
        prior_power: as of `lasting_variance`, shape (columns,).
        wander, calm, brief: how far pods stray for minutes, which of them no burst hit, and whether bursts are brief.
    """

    STATE: ClassVar[tuple[str, ...]] = (
        "failed",
        "size",
        "block_failed",
        "block_size",
        "block_pooled",
        "block_began",
        "counted",
        "blocks",
        "likely",
        "burst",
        "gains",
        "worst",
        "apart",
        "hit",
    )

    def __init__(self, whole: Bools, latency: Bools | None = None, scores: Floats | None = None) -> None:
        self._whole = whole
        columns = whole.size
        self.scores: Floats = np.zeros((columns, BINS)) if scores is None else scores
        self.settle()
        self.block_pooled = np.zeros((columns, BINS))
        self.failed, self.size, self.block_failed, self.block_size = np.zeros((4, columns, MOST_PODS))
        self.block_began = np.full(columns, -math.inf)
        self.counted, self.blocks, self.worst = np.zeros((3, columns))
        self.apart = np.zeros((columns, 2))
        slow = np.zeros(columns, dtype=np.intp) if latency is None else latency.astype(np.intp)
        self._slow = slow > 0
        self._trusted, self.prior_power = np.array(TRUSTED_PODS)[slow], np.array(PRIOR_WORTH)[slow]
        self.likely = PRIOR_BURST[slow]
        self.burst = np.argmax(self.likely, axis=1)
        self.hit: ShortFloats = np.tile(BURST_STARTS.astype(np.float32), (columns, MOST_PODS, 1))
        self.wander, self.calm, self.brief = Wander(columns), Calm(columns), CalmOthers(columns)
        self.beside: Beside = lambda _columns, own, _size: own  # see `Places`
        self.gains: ShortFloats = np.zeros((columns, BURST_SIZES.size, EXPONENTS.size, FAULTS.size), dtype=np.float32)

    def settle(self) -> None:
        """Follow the scores, which were changed."""
        self.scored: Bools = np.any(self.scores, axis=1)
        self._scored_at = indices_of(self.scored)
        self.buckets = int(np.flatnonzero(self.scores.any(axis=0)).max(initial=0)) + 1

    def add(self, batch: Batch) -> Indices:
        """Take in one look of stable's pods.

        Returns:
            The columns of which a block was closed, so that there is something new to be learned.
        """
        if some(first := batch.looked & np.isinf(self.block_began)):
            self.block_began = np.where(first, batch.at - batch.seconds, self.block_began)
        self.block_failed += batch.pods[0]
        self.block_size += batch.pods[1]
        self.block_pooled += batch.bucket_counts[2]
        closing = indices_of(batch.looked & (batch.at - self.block_began >= BLOCK_SECONDS * 0.99))
        if closing.size:
            self._close(closing)
            self.block_began[closing] = batch.at[closing]
        return closing

    def so_far(self, batch: Batch) -> tuple[Floats, Floats]:
        """Failures (or centred scores) and sizes of the pods in the present block, with a look that is not in it yet.

        Each of shape (columns, MOST_PODS).
        """
        failed, size = self.block_failed + batch.pods[0], self.block_size + batch.pods[1]
        if (at := self._scored_at).size:
            pooled = self.block_pooled[at] + batch.bucket_counts[2, at]
            failed[at] = centred(failed[at], size[at], self.scores[at], pooled)
        return failed, size

    def left_out(self, columns: Indices, failed: Floats, size: Floats) -> Bools:
        """Which pods are no part of what a canary is held against, by what they did in the present block."""
        kinds = self.burst[columns]
        return self.brief.left_out(columns, self._struck(columns, failed, size, kinds))

    def _struck(self, columns: Indices, failed: Floats, size: Floats, kinds: Indices) -> Bools:
        """Which pods bursts of some kinds hit, as far as they are brief, counted, and history is not too short."""
        brief = (BURST_LASTS[kinds] == 0) & ~self.scored[columns] & (self.knowledge()[columns] >= KNOWN)
        chance = np.take_along_axis(self.hit[columns], kinds[:, None, None], axis=2)[:, :, 0] * brief[:, None]
        return are_hit(failed, size, self.offsets(columns), chance.astype(np.float64), BURST_SIZES[kinds])

    def offsets(self, columns: Indices) -> Floats:
        """Lasting log ratios of the pods of some columns, shape (k, MOST_PODS)."""
        return lasting_offsets(*self.sums(columns))

    def bursts(self, columns: Indices) -> tuple[Floats, Floats]:
        """Choose the likeliest kind of burst of some columns: chance and size, each of shape (columns,)."""
        self.burst[columns] = chosen = np.argmax(self.likely[columns], axis=1)
        return BURST_CHANCES[chosen], self.calm.sizes(columns, chosen, self._slow[columns])

    def lasting(self, columns: Indices) -> Floats:
        """How much likelier a burst of the kind that was chosen is to go on than to begin, shape (columns,)."""
        return self.calm.lasting(columns, self.burst[columns])

    def tempers(self, columns: Indices) -> Floats:
        """Eta of some columns with the bursts that were chosen, shape (columns,)."""
        # Before history tells: one over how many failures come together, less where failures are frequent.
        failed = self.failed[columns].sum(axis=1)
        prior = self.one_by_one(columns, 1 / PRIOR_TEMPER)
        prior /= 1 + BURST_VARIANCE * failed / np.maximum(self.counted[columns], 1)
        # What history tells: eta = 0.97 x the largest exponent, and the trust in it.
        trust = self.knowledge()[columns] * np.minimum(1.0, failed / ENOUGH_FAILURES)
        learned = largest_exponents(self.gains[columns, self.burst[columns]], self.blocks[columns])
        learned *= CAUTION[0] + CAUTION[1] * learned
        # Between both, on the scale of logarithms.
        tempers: Floats = prior ** (1 - trust) * learned**trust
        return tempers

    def spreads(self, columns: Indices) -> tuple[Floats, Floats]:
        """Tau of some columns, and the number of pods that it may be taken to rest on; each of shape (columns,)."""
        lasting, pods = lasting_variance(*self.sums(columns), self.prior_power[columns])
        # The law of a moment: what lasts, and what comes and goes.
        spread = np.sqrt(lasting + self.wander.told(columns)[0])
        return spread, np.minimum(pods, self._trusted[columns])

    def steps(self, columns: Indices) -> Floats:
        """Mean squared change of a pod's log rate from block to block, shape (columns,)."""
        variance, kept = self.wander.told(columns)
        found: Floats = 2 * variance * (1 - kept)
        return found

    def clumped(self, columns: Indices) -> Floats:
        """Exponent of a likelihood that takes failures to come one by one where they come in clumps, shape (columns,).

        It is 1 once history is so long that its worst block tells.
        """
        exponents: Floats = self.one_by_one(columns, 1.0) ** (1 - self.knowledge()[columns])
        return exponents

    def one_by_one(self, columns: Indices | slice, believed: float) -> Floats:
        """One over how many failures come together, at most 1, from a belief before history tells; shape (columns,).

        It is the exponent that tempers a likelihood which takes them to come one by one (Jensen).
        """
        # Variance over mean, with TELLING failures that come as it is believed.
        squares, alone = self.apart[columns].T
        found: Floats = np.minimum((alone + TELLING) / (squares + TELLING * believed), 1.0)
        return found

    def knowledge(self) -> Floats:
        """How much of the blocks that full trust asks for there is, 0 to 1; shape (columns,)."""
        found: Floats = np.minimum(1.0, self.blocks / ENOUGH_BLOCKS)
        return found

    def _close(self, columns: Indices) -> None:
        """Judge every pod of the block against the others, then add the block to the totals."""
        failed, size = (each[columns] for each in (self.block_failed, self.block_size))
        at = columns[its := self.scored[columns]]
        failed[its] = centred(failed[its], size[its], self.scores[at], self.block_pooled[at])
        there = size > 0
        teach = (there.sum(axis=1) >= 2) & (self.blocks[columns] < 4 * ENOUGH_BLOCKS)  # noqa: PLR2004 - one, and another
        if teach.any():
            chosen, failed_, size_, there_ = (each[teach] for each in (columns, failed, size, there))
            values = np.empty((4, *failed_.shape))
            values[0], values[1] = failed_, size_
            values[2:] = values[:2].sum(axis=2, keepdims=True) - values[:2]
            others = Counts(values.reshape(4, -1).copy(), np.repeat(self._whole[chosen], MOST_PODS))
            kinds = np.argmax(self.likely[chosen], axis=1)
            struck = self._struck(chosen, failed_, size_, kinds)
            own = self.offsets(chosen)
            known, worth = self.knowledge()[chosen] >= KNOWN, size_ * np.exp(own)
            self.brief.see(*(each[known] for each in (chosen, failed_, worth, struck)))
            values[2:] = of_calm_others(values[:2], self.brief.left_out(chosen, struck))
            calm_ones = Counts(values.reshape(4, -1), others.whole)
            # Only pods that had something are judged; `first` is where each column's pods begin among them.
            lately = self.wander.lately(chosen)
            pods, first = np.flatnonzero(there_), np.cumsum(there_.sum(axis=1)) - there_.sum(axis=1)
            whose, which = chosen[pods // MOST_PODS], pods % MOST_PODS
            chance = self.hit[whose, which].astype(np.float64)
            scored, now = self._scored_of(chosen, pods), (self.beside(chosen, own, size_) + lately).ravel()[pods]
            likely, gains, hit, by_size = gains_of(calm_ones.take(pods), now, scored, chance)
            self.hit[whose, which] = BURST_CHANCES + BURST_LASTS * hit
            shares = shares_of(worth)
            # How surely each was calm, by the blocks before and by this one; of failures `calm` knows better.
            calm = np.ones((2, there_.size))
            surely = np.stack([chance, hit])[:, np.arange(pods.size), kinds[pods // MOST_PODS]]
            self.calm.follow(chosen, first, kinds[pods // MOST_PODS], *surely)
            self.calm.slower[chosen] += np.add.reduceat(surely[1][:, None] * by_size, first, axis=0)
            calm[:, pods] -= surely
            calm, strict, one = calm.reshape(2, *there_.shape), shares.copy(), ~self._slow[chosen]
            strict[one], calm[:, one] = self.calm.add(*(each[one] for each in (chosen, failed_, size_, kinds, lately)))
            self.wander.add(chosen, failed_, strict, calm)
            # What they teach: gains for eta, likelihoods of the bursts, the worst block, squares for the clumps.
            self.gains[chosen] += np.add.reduceat(gains, first, axis=0)
            self.likely[chosen] += np.add.reduceat(likely, first, axis=0)
            self.worst[chosen] = np.maximum(self.worst[chosen], worst_alone(others, there_))
            self.apart[chosen] += squares_of(failed_, shares)
            self.blocks[chosen] += there_.sum(axis=1)
        self.failed[columns] += failed
        self.size[columns] += size
        self.counted[columns] += there.sum(axis=1)
        for block in (self.block_failed, self.block_size, self.block_pooled):
            block[columns] = 0.0

    def _scored_of(self, columns: Indices, pods: Indices) -> tuple[Indices, Spread]:
        """Which of some of the columns' pods (MOST_PODS each) are judged by scores, and what they did in the block."""
        at = np.flatnonzero(self.scored[columns][pods // MOST_PODS])
        column, pod = columns[pods[at] // MOST_PODS], pods[at] % MOST_PODS
        scores, pooled = self.scores[column, : self.buckets], self.block_pooled[column, : self.buckets]
        return at, Spread(scores, self.block_failed[column, pod], self.block_size[column, pod], pooled)

    def sums(self, columns: Indices) -> tuple[Floats, Floats]:
        """Failures and sizes of the pods. A sum of scores may be negative: so quick a pod counts as FASTEST."""
        failed, size = self.failed[columns], self.size[columns]
        rates = failed.sum(axis=1) / np.maximum(size.sum(axis=1), 1e-300)
        least = np.where(self.scored[columns], FASTEST * rates, 0.0)[:, None]
        return np.maximum(failed, least * size), size
