"""What stable's own pods teach about noise: every pod plays the canary against the others (A/A), block by block.

Healthy pods differ for good (tau), and their failures come in clumps: retries, noisy neighbours, garbage collection. A
likelihood that ignores this convicts nearly every canary of a noisy service. So, on blocks of stable's history,

    tau^2 = variance of the pods' log rates, less the part that counting explains, shrunk towards a prior;
    eta   = 0.9 x the largest exponent at which the pods' likelihood ratios, their lasting offsets removed, still have a
            mean of at most 1 for small and large faults.

Both are predictable (a look is judged with what was learned before it). With little history they stay near the prior:
wide and slow rather than wrong.
"""

import math
from typing import ClassVar

import numpy as np

from rollout.judge.batch import MOST_PODS, Batch
from rollout.judge.counting import Counts, log_normaliser
from rollout.judge.onset import Bools, Floats, Indices

BLOCK_SECONDS = 15.0
"""Length of a block: as long as a burst that must not convict."""

ENOUGH_BLOCKS = 600
"""Pod-blocks after which the learned exponent counts fully (15 minutes of ten pods)."""

ENOUGH_FAILURES = 20.0
"""Failures after which it counts fully."""

PRIOR_SPREAD = 0.3
"""Standard deviation of the log rate between healthy pods, while history does not tell it."""

PRIOR_PODS = 5
"""Pods that the prior spread is taken to rest on: its tails are Student's with 4 degrees of freedom."""

PRIOR_TEMPER = 0.25
"""Exponent of the likelihood while history does not tell how clumped failures are."""

EXPONENTS: Floats = np.array([1.0, 0.8, 0.6, 0.45, 0.33, 0.25, 0.18, 0.12])
"""Candidates for eta, descending."""

FAULTS: Floats = np.log([2.0, 10.0])
"""Log ratios of the faults that the likelihood ratios are taken for."""

_DOUBT = 3.0
_TILTS: Floats = np.concatenate([[0.0], FAULTS])
_HALF = 0.5


class NoiseBank:
    """What has been learned of each channel. Young pods teach nothing here: `warmth` learns from them.

    Attributes:
        failed: failures of each pod, shape (channels, MOST_PODS).
        size: requests or pod-seconds of each pod, shape (channels, MOST_PODS).
        block_failed: failures in the present block, shape (channels, MOST_PODS).
        block_size: requests or pod-seconds in the present block, shape (channels, MOST_PODS).
        block_began: time at which it began, shape (channels,); minus infinity before the first look.
        blocks: pod-blocks taken in, shape (channels,).
        gains: sums of likelihood ratios, shape (channels, exponents, faults).
        worst: highest sure rate of a single pod in a block in which the others were well, shape (channels,).
    """

    STATE: ClassVar[tuple[str, ...]] = (
        "failed",
        "size",
        "block_failed",
        "block_size",
        "block_began",
        "blocks",
        "gains",
        "worst",
    )

    def __init__(self, whole: Bools) -> None:
        self._whole = whole
        channels = whole.size
        self.failed, self.size, self.block_failed, self.block_size = np.zeros((4, channels, MOST_PODS))
        self.block_began = np.full(channels, -math.inf)
        self.blocks, self.worst = np.zeros((2, channels))
        self.gains = np.zeros((channels, EXPONENTS.size, FAULTS.size))

    def add(self, batch: Batch) -> Indices:
        """Take in one look of stable's pods.

        Returns:
            The channels of which a block was closed, so that there is something new to be learned.
        """
        first = batch.looked & np.isinf(self.block_began)
        self.block_began = np.where(first, batch.at - batch.seconds, self.block_began)
        self.block_failed += batch.pods[0]
        self.block_size += batch.pods[1]
        closing = np.flatnonzero(batch.looked & (batch.at - self.block_began >= BLOCK_SECONDS * 0.99))
        if closing.size:
            self._close(closing)
            self.block_began[closing] = batch.at[closing]
        return closing

    def tempers(self, rows: Indices) -> Floats:
        """Eta of some channels, shape (rows,)."""
        fits = np.all(self.gains[rows] <= self.blocks[rows, None, None], axis=2)
        fits[:, -1] = True
        learned = 0.9 * EXPONENTS[np.argmax(fits, axis=1)]
        failures = np.minimum(1.0, self.failed[rows].sum(axis=1) / ENOUGH_FAILURES)
        trust = self.knowledge()[rows] * failures
        tempers: Floats = PRIOR_TEMPER ** (1 - trust) * learned**trust
        return tempers

    def spreads(self, rows: Indices) -> tuple[Floats, Floats]:
        """Tau of some channels, and the number of pods that it may be taken to rest on; each of shape (rows,)."""
        failed, size = self.failed[rows], self.size[rows]
        counted = failed >= 1
        pods = np.maximum(counted.sum(axis=1), 1)
        logs = np.where(counted, np.log(np.maximum(failed, 1) / np.maximum(size, 1e-300)), 0.0)
        chance = np.where(counted, 1 / np.maximum(failed, 1), 0.0).sum(axis=1) / pods
        around = np.where(counted, logs - (logs.sum(axis=1) / pods)[:, None], 0.0)
        between = np.maximum((around**2).sum(axis=1) / np.maximum(pods - 1, 1) - chance, 0.0)
        known = (pods - 1) * PRIOR_SPREAD**2 / (PRIOR_SPREAD**2 + chance)
        doubt = _DOUBT / (2 + known)  # how many pods the prior is worth: the fewer, the more the pods themselves tell
        spread = np.sqrt((doubt * PRIOR_SPREAD**2 + known * between) / (doubt + known))
        return spread, np.maximum(PRIOR_PODS, np.round(known) + 1)

    def knowledge(self) -> Floats:
        """How much of the blocks that full trust asks for there is, 0 to 1; shape (channels,)."""
        found: Floats = np.minimum(1.0, self.blocks / ENOUGH_BLOCKS)
        return found

    def enough(self, rows: slice) -> bool:
        """Whether history tells the noise of some channels: at least half of what full trust asks for."""
        blocks, failures = self.blocks[rows], self.failed[rows].sum(axis=1)
        return bool(np.all(blocks >= _HALF * ENOUGH_BLOCKS) and np.all(failures >= _HALF * ENOUGH_FAILURES))

    def _close(self, rows: Indices) -> None:
        """Judge every pod of the block against the others, then add the block to the totals."""
        failed, size = self.block_failed[rows], self.block_size[rows]
        there = size > 0
        teach = (there.sum(axis=1) >= 2) & (self.blocks[rows] < 4 * ENOUGH_BLOCKS)  # noqa: PLR2004 - a pod and another
        if teach.any():
            chosen = rows[teach]
            failed_, size_, there_ = failed[teach], size[teach], there[teach]
            others = Counts(
                failed_.ravel(),
                size_.ravel(),
                (failed_.sum(axis=1, keepdims=True) - failed_).ravel(),
                (size_.sum(axis=1, keepdims=True) - size_).ravel(),
                np.repeat(self._whole[chosen], MOST_PODS),
            )
            gains = _gains(others, self._offsets(chosen).ravel())
            taught = np.where(there_.ravel()[:, None, None], gains, 0.0)
            self.gains[chosen] += taught.reshape(*there_.shape, *gains.shape[1:]).sum(axis=1)
            self.worst[chosen] = np.maximum(self.worst[chosen], _alone(others, there_))
            self.blocks[chosen] += there_.sum(axis=1)
        self.failed[rows] += failed
        self.size[rows] += size
        self.block_failed[rows] = 0.0
        self.block_size[rows] = 0.0

    def _offsets(self, rows: Indices) -> Floats:
        """Lasting log ratios of the pods to all of them, shrunk as counting demands; shape (rows, MOST_PODS)."""
        failed, size = self.failed[rows], self.size[rows]
        total = np.maximum(size.sum(axis=1, keepdims=True), 1e-9)
        expected = size * failed.sum(axis=1, keepdims=True) / total
        offsets: Floats = np.log((failed + 1 / PRIOR_SPREAD**2) / (expected + 1 / PRIOR_SPREAD**2))
        return offsets


def _gains(pods: Counts, own: Floats) -> Floats:
    """Likelihood ratios of each pod as a canary among the others, to each exponent; shape (pods, exponents, faults)."""
    tilt = own[:, None] + _TILTS
    normaliser = log_normaliser(pods, tilt, np.ones(own.size))
    gain = pods.failed[:, None] * FAULTS - (normaliser[:, 1:] - normaliser[:, :1])
    powers: Floats = np.exp(np.minimum(EXPONENTS[:, None] * gain[:, None, :], 50.0))
    return powers


def _alone(pods: Counts, there: Bools) -> Floats:
    """The highest sure rate of a pod whose others were well, of each channel; shape (channels,)."""
    sure = np.maximum(pods.failed - 2 * np.sqrt(pods.failed), 0.0) / np.maximum(pods.size, 1e-300)
    others = pods.stable_failed / np.maximum(pods.stable_size, 1e-300)
    found: Floats = np.where(others < _HALF * sure, sure, 0.0).reshape(there.shape)
    highest: Floats = np.where(there, found, 0.0).max(axis=1)
    return highest
