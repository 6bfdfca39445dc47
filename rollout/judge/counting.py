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
from scipy.special import gammaln

from rollout.judge.onset import Bools, Floats, Indices

EXACT_SUPPORT = 24
"""Largest number of canary failures for which Z is summed exactly."""

_LOG_FACTORIAL: Floats = gammaln(np.arange(8192) + 1.0)
_WHOLE_STEPS: Indices = np.arange(EXACT_SUPPORT + 1, dtype=np.intp)
_STEPS: Floats = _WHOLE_STEPS.astype(np.float64)


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

    def where(self, kept: Bools) -> "Counts":
        """The same with nothing in the channels that are not kept."""
        failed, size = np.where(kept, self.failed, 0.0), np.where(kept, self.size, 0.0)
        stable_failed, stable_size = np.where(kept, self.stable_failed, 0.0), np.where(kept, self.stable_size, 0.0)
        return Counts(failed, size, stable_failed, stable_size, self.whole)


def powers_of(tilt: Floats) -> Floats:
    """exp(j s) for j up to EXACT_SUPPORT, for callers whose tilts stay; shape (channels, EXACT_SUPPORT + 1, points)."""
    powers: Floats = np.exp(_STEPS[:, None] * tilt[:, None, :])
    return powers


def log_normaliser(counts: Counts, tilt: Floats, tolerance: Floats, powers: Floats | None = None) -> Floats:
    """Logarithm of Z(log r0 + s) / Z(log r0): exact for small support, else an upper bound at r0 = 1.

    Args:
        counts: one entry a channel.
        tilt: s, shape (channels, points).
        tolerance: r0, the odds ratio (for exposures: rate ratio) that the null still allows, shape (channels,).
        powers: `powers_of` the tilt, where it is known.

    Returns:
        Shape (channels, points).
    """
    found = np.zeros(tilt.shape)
    support = np.minimum(counts.all_failed, counts.size)
    busy = (counts.size > 0) & (counts.stable_size > 0) & (support > 0)
    exact = busy & counts.whole & (support <= EXACT_SUPPORT) & (counts.all_size < _LOG_FACTORIAL.size)
    rows = np.flatnonzero(exact)
    if rows.size:
        top = int(support[rows].max()) + 1
        raised = powers_of(tilt[rows])[:, :top] if powers is None else powers[rows, :top]
        found[rows] = _summed(counts.take(rows), raised, tolerance[rows])
    rows = np.flatnonzero((counts.size > 0) & (counts.all_failed > 0) & ~exact)
    if rows.size:
        found[rows] = _bound(counts.take(rows), tilt[rows], tolerance[rows])
    return found


def _bound(counts: Counts, tilt: Floats, tolerance: Floats) -> Floats:
    """The smaller of the two binomial normalisers; they have the same mean at s = 0."""
    share = tolerance * counts.size / np.maximum(tolerance * counts.size + counts.stable_size, 1e-300)
    grown = np.expm1(tilt)
    by_failures = counts.all_failed[:, None] * np.log1p(share[:, None] * grown)
    usable = counts.whole & (tolerance == 1.0)
    if not usable.any():
        return by_failures
    failing = np.minimum(counts.all_failed / np.maximum(counts.all_size, 1e-9), 1.0)
    by_requests = counts.size[:, None] * np.log1p(failing[:, None] * grown)
    return np.where(usable[:, None], np.minimum(by_failures, by_requests), by_failures)


def _log_pmf(counts: Counts, top: int) -> Floats:
    """Hypergeometric log probabilities of 0..top-1 canary failures; shape (channels, top)."""
    j = _WHOLE_STEPS[:top]
    n, m, total = (each.astype(np.intp)[:, None] for each in (counts.size, counts.all_failed, counts.all_size))
    parts = np.stack([np.broadcast_to(j, (n.size, top)), m - j, n - j, total - m - n + j])
    outer = np.stack([m, total - m, n, total - n])
    fact = _LOG_FACTORIAL
    log_p = fact[outer].sum(axis=0) - fact[total] - fact[np.maximum(parts, 0)].sum(axis=0)
    return np.where(parts.min(axis=0) >= 0, log_p, -np.inf)


def _summed(counts: Counts, powers: Floats, tolerance: Floats) -> Floats:
    top = powers.shape[1]
    log_p = _log_pmf(counts, top) + _STEPS[:top] * np.log(tolerance)[:, None]
    base = np.exp(log_p - log_p.max(axis=1, keepdims=True))
    summed: Floats = np.matmul(base[:, None, :], powers)[:, 0, :]
    ratio: Floats = np.log(summed) - np.log(base.sum(axis=1))[:, None]
    return ratio
