"""The core test: is the canary worse than stable, when healthy pods already differ and the onset is unknown?

Null: the canary's log ratio to stable is a random pod effect u. Alternative: it is u before an unknown onset and
u + delta after it. With L(s) the conditional likelihood of `counting`, tempered by eta,

    A[u, d] <- (A[u, d] + onset mass * L(u)) * l(u + d),     L(u) <- L(u) * l(u)
    E = (mean of A + unspent onset mass * mean of L(u)) / mean of L(u)

Now and then a healthy pod is hit for a block of time: with the chance of a burst l(s) is l(s + b) for that block, both
under the null and under the alternative, so every sum is kept for a calm and for a hit block. E is a test martingale
averaged over the draw of the canary's pods. A single node u = 0 gives the plain ratio e-process.
Many channels (a signal, or one bucket edge of it) are kept side by side so that one look is a handful of array
operations.
"""

import math
from typing import ClassVar

import numpy as np
from scipy.stats import t as student

from rollout.judge.counting import EXACT_SUPPORT, Counts, log_normaliser, powers_of
from rollout.judge.onset import Bools, Floats, Indices, OnsetPrior, log_add, log_mean_exp, log_of

_HALF: Floats = np.array([0.01, 0.02, 0.035, 0.05, 0.065, 0.08, 0.09, 0.1])
NODE_WEIGHTS: Floats = np.concatenate([_HALF, [0.1], _HALF[::-1]])
"""Prior mass of the pod-effect nodes; each sits at the middle quantile of its mass.

Near enough to each other: a healthy effect between two nodes must not look like a fault after an hour of busy latency.
"""

NODE_QUANTILES: Floats = np.cumsum(NODE_WEIGHTS) - NODE_WEIGHTS / 2

BLOCK_SECONDS = 15.0
"""How long a burst lasts."""

STEPS: Floats = np.linspace(math.log(1.4), math.log(20), 6)
"""Log ratios that a fault may add to the pod effect: 1.4 to 20, below which a rollback is not worth it."""

STEP_WEIGHTS: Floats = np.array([0.18, 0.22, 0.18, 0.14, 0.14, 0.14])
"""Prior mass of each: more of it where a fault is so small that it takes long."""


def pod_effects(spread: Floats, pods: Floats) -> Floats:
    """Nodes of the healthy pod effect: spread * sqrt(1 + 1/pods) * Student quantiles with pods - 1 degrees of freedom.

    Args:
        spread: standard deviation (tau) of the log rate between healthy pods, shape (k,).
        pods: number of stable pods it was learned from, at least 2, shape (k,).

    Returns:
        Shape (k, nodes).
    """
    few = np.maximum(pods, 2.0)
    quantiles: Floats = student.ppf(NODE_QUANTILES, (few - 1)[:, None])
    return (spread * np.sqrt(1 + 1 / few))[:, None] * quantiles


class RatioBank:
    """Evidence that the canary's rate is above stable's, one row a channel.

    Attributes:
        nodes: pod effects u, shape (channels, nodes).
        temper: eta, shape (channels,).
        chance: that a block is hit, shape (channels,).
        size: log ratio by which the canary then fails more, shape (channels,).
        log_null: log L(u) with the present block calm, and hit, shape (channels, 2, nodes).
        log_fault: log A, shape (channels, 2, nodes, steps).
        elapsed: seconds under judgement, shape (channels,).
        block: seconds of the present block, shape (channels,).
    """

    STATE: ClassVar[tuple[str, ...]] = (
        "nodes",
        "temper",
        "chance",
        "size",
        "log_null",
        "log_fault",
        "elapsed",
        "block",
    )

    def __init__(
        self,
        channels: int,
        prior: OnsetPrior,
        *,
        steps: Floats = STEPS,
        step_weights: Floats = STEP_WEIGHTS,
        weights: Floats = NODE_WEIGHTS,
    ) -> None:
        self._prior = prior
        self._steps = steps
        self._log_weights = np.log(weights / weights.sum())
        self._log_both = self._log_weights[:, None] + np.log(step_weights / step_weights.sum())
        shape = (channels, 2, weights.size)
        self.nodes = np.zeros((channels, weights.size))
        self.temper = np.ones(channels)
        self.chance, self.size, self.elapsed, self.block = np.zeros((4, channels))
        self.log_null = np.zeros(shape)
        self.log_fault = np.full((*shape, steps.size), math.log(prior.at_start))
        self.log_null[:, 1], self.log_fault[:, 1] = -np.inf, -np.inf
        self._tilt = np.zeros((channels, 2 * weights.size * (1 + steps.size)))
        self._powers = np.ones((channels, EXACT_SUPPORT + 1, self._tilt.shape[1]))
        self.settle()

    def settle(self, rows: Indices | slice = slice(None)) -> None:
        """Make the bank follow nodes and bursts that were changed in some rows; not once these have been bet with."""
        nodes = self.nodes[rows]
        shifted = (nodes[:, :, None] + self._steps).reshape(len(nodes), nodes.shape[1] * self._steps.size)
        calm = np.concatenate([nodes, shifted], axis=1)
        self._tilt[rows] = np.concatenate([calm, calm + self.size[rows][:, None]], axis=1)
        self._powers[rows] = powers_of(self._tilt[rows])

    def expect(self, rows: Indices, nodes: Floats, chance: Floats, size: Floats) -> None:
        """Say what healthy canaries do, before the first bet of these rows.

        Args:
            rows: channels, shape (k,).
            nodes: pod effects, shape (k, nodes).
            chance: that a block is hit by a burst, shape (k,).
            size: log ratio by which it then fails more, shape (k,).
        """
        self.nodes[rows], self.chance[rows], self.size[rows] = nodes, chance, size
        self.settle(rows)
        fresh = np.zeros(self.elapsed.size, dtype=np.bool_)
        fresh[rows] = True
        self._draw(fresh)

    def bet(self, counts: Counts, tolerance: Floats, seconds: Floats, young: Bools) -> None:
        """Take in one look; a channel without counts and seconds has none.

        What a cold start shows says nothing of the pods' lasting effect: while the canary is young L stays as it is,
        and the fault is held against the larger of u and 0.

        Args:
            counts: increments, shape (channels,).
            tolerance: the ratio r0 the null allows in this look, shape (channels,).
            seconds: time since the look before, shape (channels,).
            young: r0 is (also) that of a cold start, shape (channels,).
        """
        split, (channels, _, _, steps) = self.nodes.shape[1], self.log_fault.shape
        gain = counts.failed[:, None] * self._tilt - log_normaliser(counts, self._tilt, tolerance, self._powers)
        gain *= self.temper[:, None]
        gain = gain.reshape(channels, 2, split * (1 + steps))
        null, fault = gain[:, :, :split], gain[:, :, split:].reshape(channels, 2, split, steps)
        if young.any():
            middle = np.maximum(np.arange(split), split // 2)
            expected = _both(self.log_null + null) - _both(self.log_null)
            fault = np.where(young[:, None, None, None], fault[:, :, middle] - expected[:, :, middle, None], fault)
            null = np.where(young[:, None, None], null - expected, null)
        fresh = log_of(self._prior.spent(self.elapsed, seconds))
        begun = log_add(self.log_fault, (fresh[:, None, None] + self.log_null)[:, :, :, None])
        self.log_fault = begun + fault
        self.log_null = self.log_null + null
        self.elapsed = self.elapsed + seconds
        self.block = self.block + seconds
        over = self.block >= BLOCK_SECONDS * 0.99
        if over.any():
            self._draw(over)

    def _draw(self, rows: Bools) -> None:
        """Begin a new block in some rows: whether it is hit is open again."""
        chances = np.stack([np.log1p(-self.chance), log_of(self.chance)], axis=1)[:, :, None]
        null = _both(self.log_null) + chances
        fault = _both(self.log_fault) + chances[:, :, :, None]
        self.log_null = np.where(rows[:, None, None], null, self.log_null)
        self.log_fault = np.where(rows[:, None, None, None], fault, self.log_fault)
        self.block = np.where(rows, 0.0, self.block)

    def log_e(self) -> Floats:
        """Natural logarithm of the e-processes, shape (channels,)."""
        null = log_mean_exp(self.log_null, self._log_weights, (1, 2))
        fault = log_mean_exp(self.log_fault, self._log_both, (1, 2, 3))
        waiting = log_of(self._prior.unspent(self.elapsed))
        evidence: Floats = np.logaddexp(fault - null, waiting)
        return evidence


def _both(logs: Floats) -> Floats:
    """Logarithm of the sum over calm and hit; shape kept but for 1 on that axis."""
    return log_add(logs[:, :1], logs[:, 1:])
