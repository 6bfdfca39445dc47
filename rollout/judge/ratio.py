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

import numpy as np
from scipy.stats import t as student

from rollout.judge.counting import Counts, log_normaliser
from rollout.judge.onset import Floats, Indices, OnsetPrior, log_mean_exp, log_of

NODE_WEIGHTS: Floats = np.array([0.02, 0.06, 0.12, 0.18, 0.24, 0.18, 0.12, 0.06, 0.02])
"""Prior mass of the pod-effect nodes; each sits at the middle quantile of its mass."""

NODE_QUANTILES: Floats = np.cumsum(NODE_WEIGHTS) - NODE_WEIGHTS / 2

STEPS: Floats = np.linspace(math.log(1.4), math.log(20), 8)
"""Log ratios that a fault may add to the pod effect: 1.4 to 20, below which a rollback is not worth it."""


def pod_effects(spread: float, pods: int) -> Floats:
    """Nodes of the healthy pod effect: spread * sqrt(1 + 1/pods) * Student quantiles with pods - 1 degrees of freedom.

    Args:
        spread: standard deviation (tau) of the log rate between healthy pods.
        pods: number of stable pods it was learned from, at least 2.
    """
    quantiles: Floats = student.ppf(NODE_QUANTILES, max(pods - 1, 1))
    return spread * math.sqrt(1 + 1 / max(pods, 2)) * quantiles


class RatioBank:
    """Evidence that the canary's rate is above stable's, one row a channel.

    Attributes:
        nodes: pod effects u, shape (channels, nodes).
        temper: eta, shape (channels,).
        log_null: log L(u), shape (channels, nodes).
        log_fault: log A, shape (channels, nodes, steps).
        elapsed: seconds under judgement, shape (channels,).
    """

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

    def bet(self, rows: Indices, counts: Counts, tolerance: Floats, seconds: Floats) -> None:
        """Take in one look of some channels.

        Args:
            rows: the channels, shape (k,), each at most once.
            counts: their increments, shape (k,).
            tolerance: the ratio r0 the null allows in this look, shape (k,).
            seconds: time since their look before, shape (k,).
        """
        nodes = self.nodes[rows]
        shifted = nodes[:, :, None] + self._steps
        tilt = np.concatenate([nodes, shifted.reshape(len(rows), -1)], axis=1)
        gain = counts.failed[:, None] * tilt - log_normaliser(counts, tilt, tolerance)
        gain *= self.temper[rows, None]
        fresh = log_of(self._prior.spent(self.elapsed[rows], seconds))
        null = self.log_null[rows]
        begun = np.logaddexp(self.log_fault[rows], (fresh[:, None] + null)[:, :, None])
        self.log_fault[rows] = begun + gain[:, nodes.shape[1] :].reshape(shifted.shape)
        self.log_null[rows] = null + gain[:, : nodes.shape[1]]
        self.elapsed[rows] += seconds

    def log_e(self) -> Floats:
        """Natural logarithm of the e-processes, shape (channels,)."""
        weights = self._log_weights
        null = log_mean_exp(self.log_null, weights, (1,))
        fault = log_mean_exp(self.log_fault, weights[:, None] - math.log(self._steps.size), (1, 2))
        waiting = log_of(self._prior.unspent(self.elapsed))
        evidence: Floats = np.logaddexp(fault - null, waiting)
        return evidence
