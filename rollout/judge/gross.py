"""Gross faults on little traffic: the canary on its own numbers, but never blamed for a fault that stable shares.

The ratio test conditions on the number of failures, so one canary failure is worth at most log(1 / share) however
gross the fault. Here each failure is worth log(p1 / p0), where p0 is the most that history calls healthy:

    fault:   the canary fails at p1 from an unknown onset, stable goes on as in its history
    healthy: both go on as in their history (canary at p0)
    shared:  both fail at the same q from an unknown onset
    E = fault / max(healthy, shared)

is an e-process against either null, because each alone in the denominator gives a martingale. Shared faults have the
same onset prior as the canary's own, so telling the two apart costs no time: only a few clean answers of stable.
"""

import math

import numpy as np
from scipy.special import xlogy

from rollout.judge.counting import Bools, Counts
from rollout.judge.onset import Floats, Indices, OnsetPrior, log_mean_exp, log_of

SHARES: Floats = np.array([0.05, 0.15, 0.35, 0.6, 0.9])
"""Failure shares of a gross fault, on top of what is healthy."""

RATES: Floats = np.array([1 / 900, 1 / 240, 1 / 60, 1 / 15, 1 / 3])
"""Events per pod-second of a gross fault, on top of what is healthy."""


class GrossBank:
    """Evidence of a gross fault of the canary alone, one row a channel.

    Attributes:
        log_fault: relative to healthy, shape (channels, grid).
        log_shared: relative to healthy, shape (channels, grid).
        temper: exponent for clumped failures, shape (channels,).
        elapsed: seconds under judgement, shape (channels,).
    """

    def __init__(self, whole: Bools, prior: OnsetPrior) -> None:
        self._whole = whole
        self._prior = prior
        channels = whole.size
        self.log_fault = np.full((channels, SHARES.size), math.log(prior.at_start))
        self.log_shared = self.log_fault.copy()
        self.temper = np.ones(channels)
        self.elapsed = np.zeros(channels)

    def bet(
        self, rows: Indices, counts: Counts, healthy: Floats, stable_rate: Floats, seconds: Floats, *, concurrent: Bools
    ) -> None:
        """Take in one look of some channels.

        Args:
            rows: the channels, shape (k,).
            counts: their increments, shape (k,).
            healthy: p0, the most that is called healthy for the canary, shape (k,).
            stable_rate: upper estimate of stable's own rate from earlier looks, shape (k,).
            seconds: time since the look before, shape (k,).
            concurrent: stable has had traffic lately, so that it would show a shared fault, shape (k,).
        """
        whole = self._whole[rows]
        faulty = _faulty(healthy, whole)
        canary = _gain(counts.failed, counts.size, faulty, healthy, whole)
        stable = _gain(counts.stable_failed, counts.stable_size, faulty, stable_rate, whole)
        temper = self.temper[rows, None]
        fresh = log_of(self._prior.spent(self.elapsed[rows], seconds))[:, None]
        self.log_fault[rows] = np.logaddexp(self.log_fault[rows], fresh) + temper * canary
        both = np.where(concurrent[:, None], canary + stable, 0.0)
        self.log_shared[rows] = np.logaddexp(self.log_shared[rows], fresh) + temper * both
        self.elapsed[rows] += seconds

    def log_e(self) -> Floats:
        """Natural logarithm of the e-processes, shape (channels,)."""
        waiting = log_of(self._prior.unspent(self.elapsed))
        even = np.full(SHARES.size, -np.log(SHARES.size))
        fault = np.logaddexp(log_mean_exp(self.log_fault, even, (1,)), waiting)
        shared = np.logaddexp(log_mean_exp(self.log_shared, even, (1,)), waiting)
        evidence: Floats = fault - np.maximum(shared, 0.0)
        return evidence


def _faulty(healthy: Floats, whole: Bools) -> Floats:
    """Rates of the alternative, above the healthy one; shape (k, grid)."""
    base = healthy[:, None]
    return np.where(whole[:, None], 1 - (1 - base) * (1 - SHARES), base + RATES)


def _gain(failed: Floats, size: Floats, rate: Floats, reference: Floats, whole: Bools) -> Floats:
    """Log likelihood at `rate` (k, grid) over that at `reference` (k,): Bernoulli where whole, else Poisson."""
    x, n, base, bernoulli = failed[:, None], size[:, None], reference[:, None], whole[:, None]
    ceiling = np.where(bernoulli, np.minimum(rate, 1 - 1e-12), 0.5)
    floor = np.where(bernoulli, np.minimum(base, 1 - 1e-12), 0.5)
    clean = xlogy(n - x, (1 - ceiling) / (1 - floor))
    quiet = n * (base - rate)
    gain: Floats = xlogy(x, rate / base) + np.where(bernoulli, clean, quiet)
    return gain
