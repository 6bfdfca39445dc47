"""How many of the m failures fall on the canary: the conditional laws that every count-based test here uses.

Given that n of N requests went to the canary and m of N failed, the canary's failures x have, when the odds of failing
differ by psi = exp(s), Fisher's noncentral hypergeometric law with likelihood exp(s x) / Z(s), where

    Z(s) = sum_j P(j; N, m, n) exp(s j),     P the (central) hypergeometric law.

Under exchangeability (s = 0) exp(s x) / Z(s) is an exact e-value for every s. Where the support is small Z is summed;
elsewhere it is replaced by the smaller of two upper bounds, the moment generating functions of Bin(m, n/N) and
Bin(n, m/N), which dominate the hypergeometric law in convex order (Hoeffding 1963). Larger Z means a smaller e-value:
the bounds are conservative, and the first of them is the ratio test for Poisson counts,
e = d^x ((1 + rho) / (1 + d rho))^m with rho = n / (N - n).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from rollout.judge.onset import Floats, Indices

Bools = NDArray[np.bool_]

EXACT_SUPPORT = 24
"""Largest number of canary failures for which Z is summed exactly."""

_LOG_FACTORIAL: Floats = gammaln(np.arange(8192) + 1.0)
_STEPS: Floats = np.arange(EXACT_SUPPORT + 1, dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Counts:
    """What happened between two looks, one entry a channel, all of shape (channels,).

    Attributes:
        failed: failures of the canary (x).
        size: requests, or pod-seconds of exposure, of the canary (n).
        stable_failed: failures of stable.
        stable_size: requests or pod-seconds of stable.
        whole: True where sizes are requests, each failing at most once; False for exposures.
    """

    failed: Floats
    size: Floats
    stable_failed: Floats
    stable_size: Floats
    whole: Bools

    @property
    def all_failed(self) -> Floats:
        """m: failures of both arms."""
        return self.failed + self.stable_failed

    @property
    def all_size(self) -> Floats:
        """N: requests or pod-seconds of both arms."""
        return self.size + self.stable_size

    def take(self, rows: Bools | Indices) -> "Counts":
        """The same of some channels, by index or mask."""
        return Counts(
            self.failed[rows],
            self.size[rows],
            self.stable_failed[rows],
            self.stable_size[rows],
            self.whole[rows],
        )


def log_normaliser(counts: Counts, tilt: Floats, tolerance: Floats) -> Floats:
    """Logarithm of Z(log r0 + s) / Z(log r0): exact for small support, else an upper bound at r0 = 1.

    Args:
        counts: one entry a channel.
        tilt: s, shape (channels, points).
        tolerance: r0, the odds ratio (for exposures: rate ratio) that the null still allows, shape (channels,).

    Returns:
        Shape (channels, points).
    """
    bound = _bound(counts, tilt, tolerance)
    exact = _summable(counts)
    if exact.any():
        bound[exact] = _summed(counts.take(exact), tilt[exact], tolerance[exact])
    return bound


def _summable(counts: Counts) -> Bools:
    support = np.minimum(counts.all_failed, counts.size)
    both = (counts.size > 0) & (counts.stable_size > 0) & (support > 0)
    return counts.whole & both & (support <= EXACT_SUPPORT) & (counts.all_size < _LOG_FACTORIAL.size)


def _bound(counts: Counts, tilt: Floats, tolerance: Floats) -> Floats:
    """The smaller of the two binomial normalisers; they have the same mean at s = 0."""
    share = tolerance * counts.size / np.maximum(tolerance * counts.size + counts.stable_size, 1e-300)
    grown = np.expm1(tilt)
    by_failures = counts.all_failed[:, None] * np.log1p(share[:, None] * grown)
    if not counts.whole.any():
        return by_failures
    odds = tolerance * counts.all_failed / np.maximum(counts.all_size - counts.all_failed, 1e-9)
    failing = np.minimum(odds / (1 + odds), 1.0)
    by_requests = counts.size[:, None] * np.log1p(failing[:, None] * grown)
    usable = counts.whole & (tolerance == 1.0)
    return np.where(usable[:, None], np.minimum(by_failures, by_requests), by_failures)


def _log_pmf(counts: Counts) -> Floats:
    """Hypergeometric log probabilities of 0..EXACT_SUPPORT canary failures; shape (channels, support)."""
    top = int(np.max(np.minimum(counts.all_failed, counts.size)))
    j = _STEPS[: top + 1]
    n, m, total = counts.size[:, None], counts.all_failed[:, None], counts.all_size[:, None]
    parts = (m - j, n - j, total - m - n + j)
    inside = (parts[0] >= 0) & (parts[1] >= 0) & (parts[2] >= 0)
    fact = _LOG_FACTORIAL
    log_p = -fact[j.astype(np.intp)]
    for part in parts:
        log_p = log_p - fact[np.maximum(part, 0).astype(np.intp)]
    log_p = log_p + sum(fact[a.astype(np.intp)] for a in (m, total - m, n, total - n)) - fact[total.astype(np.intp)]
    return np.where(inside, log_p, -np.inf)


def _summed(counts: Counts, tilt: Floats, tolerance: Floats) -> Floats:
    log_p = _log_pmf(counts)
    j = _STEPS[: log_p.shape[1]]
    log_p = log_p + j * np.log(tolerance)[:, None]
    base = np.exp(log_p - log_p.max(axis=1, keepdims=True))
    powers = np.exp(j[:, None] * tilt[:, None, :])
    summed: Floats = np.matmul(base[:, None, :], powers)[:, 0, :]
    ratio: Floats = np.log(summed) - np.log(base.sum(axis=1))[:, None]
    return ratio
