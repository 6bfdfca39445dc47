"""The absolute-rate test: gross faults on little traffic, by the canary's own numbers.

It never blames the canary for a fault that stable shares.

The ratio test conditions on the number of failures, so one canary failure is worth at most log(1 / share) however
gross the fault. Here each failure is worth log(p1 / p0), where p0 is the most that history calls healthy:

    fault:   the canary fails at p1 from an unknown onset, stable goes on as in its history
    healthy: both go on as in their history (canary at p0)
    shared:  both fail at the same q from an unknown onset, for each q of a grid
    E = mixture of faults / max(healthy, w * shared at every q)

is an e-process against "healthy" and 1/w times one against every shared outage, because each alone in the denominator
gives a martingale. Shared faults have the same onset prior as the canary's own, so telling the two apart costs no time:
only a few clean answers of stable. See docs/explanation/judge.md, "Gross faults".
"""

import math
from typing import ClassVar

import numpy as np

from rollout.judge.model.hypergeometric import Counts
from rollout.judge.model.onset_prior import (
    TINY,
    Bools,
    Floats,
    OnsetPrior,
    some,
)

SHARES: Floats = np.array([0.05, 0.2, 0.6])
"""Failure shares of a gross fault, on top of what is healthy."""

RATES: Floats = np.array([1 / 600, 1 / 30, 1.0])
"""Events per pod-second of a gross fault, on top of what is healthy."""

PRIOR: Floats = np.log([0.15, 0.45, 0.4])
"""Log weights of the three sizes."""

SHARED_SHARES: Floats = np.array([0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.6, 0.9])
"""Failure shares of an outage that both arms have."""

SHARED_RATES: Floats = np.array([1 / 60, 1 / 30, 1 / 15, 1 / 8, 1 / 4, 1 / 2, 1.0, 2.0])
"""Events per pod-second of an outage that both arms have; scaled up where more than the first is healthy."""

OUTAGE_WEIGHT = 0.5
"""w: an outage of both arms weighs half as much as a healthy service."""

LEAST_FACTOR = 4.0
"""A gross fault is at least this many times what is healthy, so that a bad draw of pods is none."""

_SIZES = SHARES.size
_FAULT, _SHARED = slice(0, _SIZES), slice(_SIZES, None)
"""Where the faults of the canary stand, and where the shared ones do."""

_CANARY, _STABLE = slice(0, 2), slice(2, 4)
"""Where the canary's failures and size stand in counts, and where stable's do."""


class AbsoluteRateTest:
    """Evidence of a gross fault of the canary alone, one entry for each column.

    Attributes:
        logs: of the faults, then of the shared ones, relative to healthy, shape (columns, sizes + shared sizes).
        temper: exponent for clumped failures, shape (columns,).
        elapsed: seconds under judgement, shape (columns,).
    """

    STATE: ClassVar[tuple[str, ...]] = ("logs", "temper", "elapsed")

    def __init__(self, whole: Bools, prior: OnsetPrior) -> None:
        self._whole = whole
        self._prior = prior
        columns = whole.size
        self.logs = np.full((columns, _SIZES + SHARED_SHARES.size), math.log(prior.at_start))
        self.temper = np.ones(columns)
        self.elapsed = np.zeros(columns)
        self._added = np.where(whole[:, None], SHARES, RATES)
        self._shared = np.where(whole[:, None], SHARED_SHARES, SHARED_RATES)
        self._worth = np.zeros((columns, 4, self.logs.shape[1]))
        self.settle()

    def settle(self) -> None:
        """Follow the time, which was changed."""
        self._unspent = self._prior.unspent(self.elapsed)

    def expect(self, healthy: Floats, stable_rate: Floats, watched: Bools, least: Floats | float = 0.0) -> None:
        """Say what healthy canaries do, from now on.

        Args:
            healthy: p0, the most that is called healthy for the canary, shape (columns,).
            stable_rate: upper estimate of stable's own rate from earlier looks, shape (columns,).
            watched: columns in which a gross fault is looked for at all, shape (columns,).
            least: smallest share that is a gross fault, where history is too short to know bursts, shape (columns,).
        """
        # An outage per pod-second is scaled up where more than the least one is healthy.
        whole = self._whole
        busier = np.where(whole, 1.0, np.maximum(1.0, 1.3 * healthy / SHARED_RATES[0]))[:, None]
        shared = self._shared * busier
        # What the canary's failures and size say for a fault, and for a shared one; then what stable's say for that.
        self._worth[:, _CANARY] = _worth(np.concatenate([self._faulty(healthy, least), shared], axis=1), healthy, whole)
        self._worth[:, _STABLE, _SHARED] = _worth(shared, stable_rate, whole)
        # A shared fault below what is healthy is none. Clumps temper all of it.
        self._worth[:, :, _SHARED] *= (shared > np.maximum(healthy, stable_rate)[:, None])[:, None]
        self._worth *= np.where(watched, self.temper, 0.0)[:, None, None]

    def bet(self, counts: Counts, seconds: Floats, alone: Bools, told: Floats | float = 1.0) -> None:
        """Take in one look; a column without counts and seconds has none.

        Args:
            counts: increments, shape (columns,).
            seconds: time since the look before, shape (columns,).
            alone: stable has had no traffic lately, so that it would not show a shared fault, shape (columns,).
            told: what is left of the look's evidence where stable's pods are apart, so that what has come to some of
                them would not show in all, shape (columns,).
        """
        # log (p1 / p0) for each failure, log ((1 - p1) / (1 - p0)) for each success.
        gain = np.matmul(counts.values.T[:, None], self._worth)[:, 0]
        if some(alone):
            gain[alone, _SHARED] = 0.0
        gain *= np.reshape(told, (-1, 1))
        # A <- (A + onset mass) * exp(gain), on the scale of logarithms; healthy is 1.
        self.elapsed = self.elapsed + seconds
        left = self._prior.unspent(self.elapsed)
        self.logs = np.logaddexp(self.logs, np.log(np.maximum(self._unspent - left, TINY))[:, None]) + gain
        self._unspent = left

    def _faulty(self, healthy: Floats, least: Floats | float) -> Floats:
        """Rates of the alternative, above the healthy one; shape (columns, sizes)."""
        base, whole = healthy[:, None], self._whole[:, None]
        lowest = np.maximum(LEAST_FACTOR * base, np.where(whole, np.reshape(least, (-1, 1)), 0.0))
        added = base + self._added * np.where(whole, 1 - base, 1.0)
        rates: Floats = np.maximum(added, np.where(whole, np.minimum(lowest, 0.95), lowest))
        return rates

    def log_e(self) -> Floats:
        """Natural logarithm of the e-processes, shape (columns,)."""
        # E = fault / max(healthy, w * shared); onsets that have not come yet are in both.
        waiting = np.log(self._unspent)
        fault = np.logaddexp(np.logaddexp.reduce(self.logs[:, _FAULT] + PRIOR, axis=1), waiting)
        shared = np.logaddexp(self.logs[:, _SHARED].max(axis=1), waiting) + math.log(OUTAGE_WEIGHT)
        evidence: Floats = fault - np.maximum(shared, 0.0)
        return evidence


def _worth(rate: Floats, reference: Floats, whole: Bools) -> Floats:
    """What a failure and a unit of size add to the log likelihood at `rate` over that at `reference`.

    Args:
        rate: shape (k, rates).
        reference: shape (k,).
        whole: requests, which fail at most once (Bernoulli), else events over exposures (Poisson); shape (k,).

    Returns:
        Shape (k, 2, rates).
    """
    # Bernoulli: log ((1 - p1) / (1 - p0)) for a success. Poisson: p0 - p1 for a unit of exposure.
    base, most = reference[:, None], 1 - 1e-12
    clean = np.log((1 - np.minimum(rate, most)) / (1 - np.minimum(base, most)))
    worth = np.empty((len(rate), 2, rate.shape[1]))
    worth[:, 0] = np.log(rate / base) - np.where(whole[:, None], clean, 0.0)
    worth[:, 1] = np.where(whole[:, None], clean, base - rate)
    return worth
