"""What stable's own pods teach about noise: every pod plays the canary against the others (A/A), block by block.

Healthy pods differ for good (tau), now and then one is hit for a while (noisy neighbours, garbage collection), and
failures come in clumps (retries). A likelihood that ignores this convicts nearly every canary of a noisy service. So,
on blocks of stable's history,

    tau^2 = variance of the pods' log rates, less the part that counting explains, shrunk towards a prior;
    burst = how often a pod is hit for a block, and how hard: of a few, the one under which the blocks are likeliest;
    eta   = 0.97 x the largest exponent at which the pods' likelihood ratios, their lasting offsets and the bursts taken
            out, still have a mean of at most 1 for small and large faults;
    clumps = how many failures come together (variance over mean), which a short history tells as well.

All are predictable (a look is judged with what was learned before it). With little history they stay near the prior:
wide and slow rather than wrong.
"""

import math
from typing import ClassVar

import numpy as np

from rollout.judge.data.batch import MOST_PODS, Batch
from rollout.judge.model.blocks import BLOCK_SECONDS
from rollout.judge.model.hypergeometric import Counts, Tilts
from rollout.judge.model.onset_prior import (
    TINY,
    Bools,
    Floats,
    Indices,
    ShortFloats,
    indices_of,
    log_add,
    log_of,
    some,
)
from rollout.judge.model.rank_sum import Spread, told_of
from rollout.judge.model.ridits import BINS

ENOUGH_BLOCKS = 600
"""Pod-blocks after which the learned exponent counts fully (15 minutes of ten pods)."""

ENOUGH_FAILURES = 20.0
"""Failures after which it counts fully."""

PRIOR_SPREAD = 0.3
"""Standard deviation of the log rate between healthy pods, while history does not tell it."""

PRIOR_PODS = 5
"""Pods that the prior spread is taken to rest on: its tails are Student's with 4 degrees of freedom."""

TRUSTED_PODS = (9.0, 6.6)
"""Pods that tau is taken to rest on at most, of failures and of slow requests: tails are never lighter than Student's
with 8 and 5.6 degrees of freedom. That pods differ by outliers is not to be seen in a dozen of them."""

PRIOR_TEMPER = 0.5
"""Exponent of the likelihood while history does not tell how clumped rare failures are: one over how many come
together, by Jensen's inequality."""

BURST_VARIANCE = 0.04
"""Variance of a pod's log rate between blocks, while history does not tell it: what is frequent is known no finer."""

BURST_CHANCES: Floats = np.array([0.0, 0.03, 0.03, 0.03])
"""Chance that a pod is hit in a block, of each kind of burst that is thought of; the first is none."""

BURST_SIZES: Floats = np.log([1.0, 2.0, 4.0, 10.0])
"""Log ratio by which it then fails more, of each kind."""

PRIOR_BURST: Floats = np.log([[0.3, 0.1, 0.1, 0.5], [0.6, 0.2, 0.1, 0.1]])
"""Log weights of the kinds before history tells: for failures, and for slow requests.

A burst that makes ten times as many requests slow would excuse a canary that answers none in time.
"""

EXPONENTS: Floats = np.array([1.0, 0.8, 0.6, 0.45, 0.33, 0.25, 0.18, 0.12])
"""Candidates for eta, descending."""

FAULTS: Floats = np.log([1.4, 3.0, 10.0])
"""Log ratios of the faults that the likelihood ratios are taken for."""

CAUTION = (0.55, 0.42)
"""What is left of the largest exponent: 97 % where it is 1, less where noise was found that may be worse yet."""

DOUBT = (1.0, 2.5)
"""The prior spread is worth 1 / (2 + pods that told theirs) pods to this power, of failures and of slow requests: the
more pods tell, the less it is worth. Requests are slow often enough for nine pods to show a spread of 1 %."""

TELLING = 20.0
"""Failures that history must show before it outweighs the belief of how many come together (variance over mean)."""

FASTEST = 0.05
"""Least mean score of a pod, over that of all of them."""

SURE = 1.5
"""Standard deviations (of counting) that a pod's worst block is taken to have been unlucky by."""

_TILTS: Floats = np.concatenate([[0.0], FAULTS])
_ADDED: Floats = (BURST_SIZES[:, None] + _TILTS).reshape(1, -1)
_ARE_FAULTS: Bools = np.tile(_TILTS > 0, BURST_SIZES.size)
_LOG_CALM: Floats = np.log1p(-BURST_CHANCES)[:, None]
_LOG_HIT: Floats = log_of(BURST_CHANCES)[:, None]
_SHORT: ShortFloats = EXPONENTS[:, None].astype(np.float32)
_HALF = 0.5


class NoiseBank:
    """What has been learned of each channel. Young pods teach nothing here: `warmth` learns from them.

    Args:
        whole: sizes are requests, shape (channels,).
        latency: channels that count slow requests, shape (channels,); none by default.
        scores: of the buckets, where requests have scores, shape (channels, BINS); the others have zeros.

    Attributes:
        scored: channels whose requests have scores, shape (channels,).
        buckets: that have scores in any of them.
        failed: failures of each pod, or the sum of its scores, shape (channels, MOST_PODS).
        size: requests or pod-seconds of each pod, shape (channels, MOST_PODS).
        block_failed: failures in the present block, shape (channels, MOST_PODS).
        block_size: requests or pod-seconds in the present block, shape (channels, MOST_PODS).
        block_pooled: requests of all pods with each score in the present block, shape (channels, BINS).
        block_began: time at which it began, shape (channels,); minus infinity before the first look.
        counted: pod-blocks in `failed` and `size`, shape (channels,).
        blocks: pod-blocks that taught how failures clump, shape (channels,).
        likely: log likelihood of the blocks under each kind of burst, shape (channels, bursts).
        burst: the kind that was chosen, shape (channels,).
        gains: sums of likelihood ratios, shape (channels, bursts, exponents, faults).
        worst: highest sure rate of a single pod in a block in which the others were well, shape (channels,).
        apart: squared distances of the pods' failures in a block from what their shares of all would have been, and
            what they would be if failures came one by one, each summed; shape (channels, 2).
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
    )

    def __init__(self, whole: Bools, latency: Bools | None = None, scores: Floats | None = None) -> None:
        self._whole = whole
        channels = whole.size
        self._scores: Floats = np.zeros((channels, BINS)) if scores is None else scores
        self.settle()
        self.block_pooled = np.zeros((channels, BINS))
        self.failed, self.size, self.block_failed, self.block_size = np.zeros((4, channels, MOST_PODS))
        self.block_began = np.full(channels, -math.inf)
        self.counted, self.blocks, self.worst = np.zeros((3, channels))
        self.apart = np.zeros((channels, 2))
        slow = np.zeros(channels, dtype=np.intp) if latency is None else latency.astype(np.intp)
        self._trusted, self._doubt = np.array(TRUSTED_PODS)[slow], np.array(DOUBT)[slow]
        self.likely = PRIOR_BURST[slow]
        self.burst = np.argmax(self.likely, axis=1)
        shape = (channels, BURST_SIZES.size, EXPONENTS.size, FAULTS.size)
        self.gains: ShortFloats = np.zeros(shape, dtype=np.float32)

    def settle(self) -> None:
        """Make the bank follow the scores, which were changed."""
        self.scored: Bools = np.any(self._scores, axis=1)
        self.buckets = int(np.flatnonzero(self._scores.any(axis=0)).max(initial=0)) + 1

    def add(self, batch: Batch) -> Indices:
        """Take in one look of stable's pods.

        Returns:
            The channels of which a block was closed, so that there is something new to be learned.
        """
        first = batch.looked & np.isinf(self.block_began)
        if some(first):
            self.block_began = np.where(first, batch.at - batch.seconds, self.block_began)
        self.block_failed += batch.pods[0]
        self.block_size += batch.pods[1]
        self.block_pooled += batch.bodies[2]
        closing = indices_of(batch.looked & (batch.at - self.block_began >= BLOCK_SECONDS * 0.99))
        if closing.size:
            self._close(closing)
            self.block_began[closing] = batch.at[closing]
        return closing

    def bursts(self, rows: Indices) -> tuple[Floats, Floats]:
        """Choose the likeliest kind of burst of some channels: chance and size, each of shape (rows,)."""
        self.burst[rows] = chosen = np.argmax(self.likely[rows], axis=1)
        return BURST_CHANCES[chosen], BURST_SIZES[chosen]

    def tempers(self, rows: Indices) -> Floats:
        """Eta of some channels with the bursts that were chosen, shape (rows,)."""
        failed = self.failed[rows].sum(axis=1)
        prior = self._one_by_one(rows, 1 / PRIOR_TEMPER)
        prior /= 1 + BURST_VARIANCE * failed / np.maximum(self.counted[rows], 1)
        trust = self.knowledge()[rows] * np.minimum(1.0, failed / ENOUGH_FAILURES)
        learned = self._largest_exponents(rows)
        learned *= CAUTION[0] + CAUTION[1] * learned
        tempers: Floats = prior ** (1 - trust) * learned**trust
        return tempers

    def _largest_exponents(self, rows: Indices) -> Floats:
        """Largest exponents at which no fault's mean likelihood ratio is above 1, shape (rows,).

        Its logarithm is convex in the exponent, so a straight line between two candidates crosses 0 too early at worst.
        """
        gains = self.gains[rows, self.burst[rows]].astype(np.float64)
        means = np.log(np.maximum(gains, TINY)) - np.log(np.maximum(self.blocks[rows], 1))[:, None, None]
        upper, lower = means[:, :-1], means[:, 1:]
        crosses = (upper > 0) & (lower <= 0)
        inside = np.divide(lower, lower - upper, out=np.zeros(lower.shape), where=crosses)
        between = EXPONENTS[1:, None] + inside * (EXPONENTS[:-1] - EXPONENTS[1:])[:, None]
        crossing = np.where(upper <= 0, EXPONENTS[:-1, None], np.where(crosses, between, EXPONENTS[-1]))
        found: Floats = crossing.max(axis=1).min(axis=1)
        return found

    def spreads(self, rows: Indices) -> tuple[Floats, Floats]:
        """Tau of some channels, and the number of pods that it may be taken to rest on; each of shape (rows,)."""
        failed, size = self._sums(rows)
        counted = failed >= 1
        pods = np.maximum(counted.sum(axis=1), 1)
        logs = np.where(counted, np.log(np.maximum(failed, 1) / np.maximum(size, 1e-300)), 0.0)
        chance = np.where(counted, 1 / np.maximum(failed, 1), 0.0).sum(axis=1) / pods
        around = np.where(counted, logs - (logs.sum(axis=1) / pods)[:, None], 0.0)
        between = np.maximum((around**2).sum(axis=1) / np.maximum(pods - 1, 1) - chance, 0.0)
        known = (pods - 1) * PRIOR_SPREAD**2 / (PRIOR_SPREAD**2 + chance)
        doubt = (2 + known) ** -self._doubt[rows]  # in pods
        spread = np.sqrt((doubt * PRIOR_SPREAD**2 + known * between) / (doubt + known))
        return spread, np.minimum(np.maximum(np.round(known) + 1, PRIOR_PODS), self._trusted[rows])

    def clumped(self, rows: Indices) -> Floats:
        """Exponent of a likelihood that takes failures to come one by one where they come in clumps, shape (rows,).

        It is 1 once history is so long that its worst block tells.
        """
        exponents: Floats = self._one_by_one(rows, 1.0) ** (1 - self.knowledge()[rows])
        return exponents

    def _one_by_one(self, rows: Indices, believed: float) -> Floats:
        """One over how many failures come together, at most 1, from a belief before history tells; shape (rows,)."""
        squares, alone = self.apart[rows].T
        found: Floats = np.minimum((alone + TELLING) / (squares + TELLING * believed), 1.0)
        return found

    def knowledge(self) -> Floats:
        """How much of the blocks that full trust asks for there is, 0 to 1; shape (channels,)."""
        found: Floats = np.minimum(1.0, self.blocks / ENOUGH_BLOCKS)
        return found

    def enough(self, rows: slice) -> Bools:
        """Whether history tells the noise of some channels: at least half of what full trust asks for; (rows,)."""
        blocks, failures = self.blocks[rows], self.failed[rows].sum(axis=1)
        found: Bools = (blocks >= _HALF * ENOUGH_BLOCKS) & (failures >= _HALF * ENOUGH_FAILURES)
        return found

    def _close(self, rows: Indices) -> None:
        """Judge every pod of the block against the others, then add the block to the totals."""
        failed, size = self._centred(rows), self.block_size[rows]
        there = size > 0
        teach = (there.sum(axis=1) >= 2) & (self.blocks[rows] < 4 * ENOUGH_BLOCKS)  # noqa: PLR2004 - a pod and another
        if teach.any():
            chosen = rows[teach]
            failed_, size_, there_ = failed[teach], size[teach], there[teach]
            columns = np.empty((4, *failed_.shape))
            columns[0], columns[1] = failed_, size_
            columns[2:] = columns[:2].sum(axis=2, keepdims=True) - columns[:2]
            others = Counts(columns.reshape(4, -1), np.repeat(self._whole[chosen], MOST_PODS))
            own = self._offsets(chosen)
            pods, first = np.flatnonzero(there_), np.cumsum(there_.sum(axis=1)) - there_.sum(axis=1)
            likely, gains = _gains(others.take(pods), own.ravel()[pods], self._told_by_scores(chosen, pods))
            self.gains[chosen] += np.add.reduceat(gains, first, axis=0)
            self.likely[chosen] += np.add.reduceat(likely, first, axis=0)
            self.worst[chosen] = np.maximum(self.worst[chosen], _alone(others, there_))
            self.apart[chosen] += _apart(failed_, size_ * np.exp(own))
            self.blocks[chosen] += there_.sum(axis=1)
        self.failed[rows] += failed
        self.size[rows] += size
        self.counted[rows] += there.sum(axis=1)
        self.block_failed[rows] = 0.0
        self.block_size[rows] = 0.0
        self.block_pooled[rows] = 0.0

    def _centred(self, rows: Indices) -> Floats:
        """Failures of the pods in the present block, shape (rows, MOST_PODS).

        Of scores the sum, moved so that the mean of all pods' is their variance: as a rate of failures does, it then
        grows by a factor 1 + s for a small tilt s, and its counting error is one over its square root.
        """
        failed, scores, pooled = self.block_failed[rows], self._scores[rows], self.block_pooled[rows]
        total = np.maximum(pooled.sum(axis=1), 1e-300)
        mean = (pooled * scores).sum(axis=1) / total
        variance = (pooled * scores**2).sum(axis=1) / total - mean**2
        centred: Floats = failed + (variance - mean)[:, None] * self.block_size[rows]
        return np.where(self.scored[rows, None], centred, failed)

    def _told_by_scores(self, rows: Indices, pods: Indices) -> tuple[Indices, Spread]:
        """Which of some of the rows' pods (MOST_PODS each) are told by scores, and what they did in the block."""
        at = np.flatnonzero(self.scored[rows][pods // MOST_PODS])
        row, pod = rows[pods[at] // MOST_PODS], pods[at] % MOST_PODS
        scores, pooled = self._scores[row, : self.buckets], self.block_pooled[row, : self.buckets]
        return at, Spread(scores, self.block_failed[row, pod], self.block_size[row, pod], pooled)

    def _sums(self, rows: Indices) -> tuple[Floats, Floats]:
        """Failures and sizes of the pods. A sum of scores may be negative: so quick a pod counts as FASTEST."""
        failed, size = self.failed[rows], self.size[rows]
        rates = failed.sum(axis=1) / np.maximum(size.sum(axis=1), 1e-300)
        least = np.where(self.scored[rows], FASTEST * rates, 0.0)[:, None]
        return np.maximum(failed, least * size), size

    def _offsets(self, rows: Indices) -> Floats:
        """Lasting log ratios of the pods to all of them, shrunk as counting demands; shape (rows, MOST_PODS)."""
        failed, size = self._sums(rows)
        total = np.maximum(size.sum(axis=1, keepdims=True), 1e-9)
        expected = size * failed.sum(axis=1, keepdims=True) / total
        offsets: Floats = np.log((failed + 1 / PRIOR_SPREAD**2) / (expected + 1 / PRIOR_SPREAD**2))
        return offsets


def _gains(pods: Counts, own: Floats, scored: tuple[Indices, Spread]) -> tuple[Floats, ShortFloats]:
    """Each pod as a canary among the others, under each kind of burst.

    Args:
        pods: what each did, and the others.
        own: their lasting log ratios, shape (pods,).
        scored: pods that are told by scores, and what they did.

    Returns:
        Log likelihoods, shape (pods, bursts), and likelihood ratios of the faults to each exponent, shape (pods,
        bursts, exponents, faults).
    """
    rows, spread = scored
    told = Tilts(_ADDED, own[:, None]).told(pods.but(rows), np.ones(own.size))
    if rows.size:
        told[rows, 0] = told_of(spread, own[rows, None] + _ADDED, _ARE_FAULTS, np.ones(rows.size))
    hit = told.reshape(own.size, BURST_SIZES.size, _TILTS.size)
    calm = hit[:, :1]
    mixed = log_add(_LOG_CALM + calm, _LOG_HIT + hit)
    gain = mixed[:, :, 1:] - mixed[:, :, :1]
    powers: ShortFloats = np.exp(np.minimum(_SHORT * gain.astype(np.float32)[:, :, None, :], np.float32(50.0)))
    return mixed[:, :, 0] - calm[:, :, 0], powers


def _apart(failed: Floats, size: Floats) -> Floats:
    """The two sums of `NoiseBank.apart` for one block.

    Args:
        failed: shape (k, MOST_PODS).
        size: sizes, the pods' lasting offsets counted in, shape (k, MOST_PODS).

    Returns:
        Shape (k, 2).
    """
    total = failed.sum(axis=1, keepdims=True)
    shares = size / np.maximum(size.sum(axis=1, keepdims=True), 1e-300)
    expected, found = total * shares, np.empty((len(failed), 2))
    found[:, 0] = ((failed - expected) ** 2).sum(axis=1)
    found[:, 1] = (expected * (1 - shares)).sum(axis=1)
    return found


def _alone(pods: Counts, there: Bools) -> Floats:
    """The highest sure rate of a pod whose others were well, of each channel; shape (channels,)."""
    failed, size, others_failed, others_size = pods.columns
    failed = np.maximum(failed, 0.0)
    sure = np.maximum(failed - SURE * np.sqrt(failed), 0.0) / np.maximum(size, 1e-300)
    others = others_failed / np.maximum(others_size, 1e-300)
    found: Floats = np.where(others < _HALF * sure, sure, 0.0).reshape(there.shape)
    highest: Floats = np.where(there, found, 0.0).max(axis=1)
    return highest
