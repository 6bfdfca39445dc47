"""The core test: is the canary worse than stable, when healthy pods already differ and the onset is unknown?

Null: the canary's log ratio to stable is a random pod effect u. Alternative: it is u before an unknown onset and
u + delta after it. With L(s) the conditional likelihood of `counting`, tempered by eta,

    A[u, d] <- (A[u, d] + onset mass * L(u)) * l(u + d),     L(u) <- L(u) * l(u)
    E = (mean of A + unspent onset mass * mean of L(u)) / mean of L(u)

is a test martingale averaged over the draw of the canary's pods. A single node u = 0 gives the plain ratio e-process.
Many channels (a signal, or one bucket edge of it) are kept side by side so that one look is a handful of array
operations.
"""

import math
from typing import ClassVar

import numpy as np
from scipy.stats import t as student

from rollout.judge.counting import EXACT_SUPPORT, Counts, log_normaliser, powers_of
from rollout.judge.onset import Bools, Floats, Indices, OnsetPrior, log_mean_exp, log_of

_HALF: Floats = np.array([0.01, 0.02, 0.035, 0.05, 0.065, 0.08, 0.09, 0.1])
NODE_WEIGHTS: Floats = np.concatenate([_HALF, [0.1], _HALF[::-1]])
"""Prior mass of the pod-effect nodes; each sits at the middle quantile of its mass.

Near enough to each other: a healthy effect between two nodes must not look like a fault after an hour of busy latency.
"""

NODE_QUANTILES: Floats = np.cumsum(NODE_WEIGHTS) - NODE_WEIGHTS / 2

STEPS: Floats = np.linspace(math.log(1.4), math.log(20), 6)
"""Log ratios that a fault may add to the pod effect: 1.4 to 20, below which a rollback is not worth it."""


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
        log_null: log L(u), shape (channels, nodes).
        log_fault: log A, shape (channels, nodes, steps).
        elapsed: seconds under judgement, shape (channels,).
    """

    STATE: ClassVar[tuple[str, ...]] = ("nodes", "temper", "log_null", "log_fault", "elapsed")

    def __init__(
        self, channels: int, prior: OnsetPrior, *, steps: Floats = STEPS, weights: Floats = NODE_WEIGHTS
    ) -> None:
        self._prior = prior
        self._steps = steps
        self._log_weights = np.log(weights / weights.sum())
        shape = (channels, weights.size)
        self.nodes = np.zeros(shape)
        self.temper = np.ones(channels)
        self.log_null = np.zeros(shape)
        self.log_fault = np.full((*shape, steps.size), math.log(prior.at_start))
        self.elapsed = np.zeros(channels)
        self._tilt = np.zeros((channels, weights.size * (1 + steps.size)))
        self._powers = np.ones((channels, EXACT_SUPPORT + 1, self._tilt.shape[1]))
        self.settle()

    def settle(self, rows: Indices | slice = slice(None)) -> None:
        """Make the bank follow its nodes, after they were changed in some rows; not once these have been bet with."""
        nodes = self.nodes[rows]
        shifted = nodes[:, :, None] + self._steps
        self._tilt[rows] = np.concatenate(
            [nodes, shifted.reshape(len(nodes), nodes.shape[1] * self._steps.size)], axis=1
        )
        self._powers[rows] = powers_of(self._tilt[rows])

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
        split = self.nodes.shape[1]
        gain = counts.failed[:, None] * self._tilt - log_normaliser(counts, self._tilt, tolerance, self._powers)
        gain *= self.temper[:, None]
        null, fault = gain[:, :split], gain[:, split:].reshape(self.log_fault.shape)
        if young.any():
            middle = np.maximum(np.arange(split), split // 2)
            apart = fault[:, middle] - null[:, middle, None]
            fault = np.where(young[:, None, None], apart, fault)
            null = np.where(young[:, None], 0.0, null)
        fresh = log_of(self._prior.spent(self.elapsed, seconds))
        begun = np.logaddexp(self.log_fault, (fresh[:, None] + self.log_null)[:, :, None])
        self.log_fault = begun + fault
        self.log_null = self.log_null + null
        self.elapsed = self.elapsed + seconds

    def log_e(self) -> Floats:
        """Natural logarithm of the e-processes, shape (channels,)."""
        weights = self._log_weights
        null = log_mean_exp(self.log_null, weights, (1,))
        fault = log_mean_exp(self.log_fault, weights[:, None] - math.log(self._steps.size), (1, 2))
        waiting = log_of(self._prior.unspent(self.elapsed))
        evidence: Floats = np.logaddexp(fault - null, waiting)
        return evidence
