"""How many of the m failures fall on the canary: the conditional laws that every count-based test here uses.

Given that n of N requests went to the canary and m of N failed, the canary's failures x have, when the odds of failing
differ by psi = exp(s), Fisher's noncentral hypergeometric law with likelihood exp(s x) / Z(s), where

    Z(s) = sum_j P(j; N, m, n) exp(s j),     P the (central) hypergeometric law.

Under exchangeability (s = 0) exp(s x) / Z(s) is an exact e-value for every s. Where the support is small Z is summed;
elsewhere it is replaced by the moment generating function of a binomial law that dominates it in convex order
(Hoeffding 1956): of m trials with chance n/N, or n with chance m/N, whichever are fewer. Larger Z means a smaller
e-value: the bound is conservative, and the first of the two is the ratio test for Poisson counts,
e = d^x ((1 + rho) / (1 + d rho))^m with rho = n / (N - n).
"""

from dataclasses import dataclass

import numpy as np

from rollout.judge.model.onset_prior import (
    Bools,
    Floats,
    Indices,
    indices_of,
)

EXACT_SUPPORT = 24
"""Largest number of canary failures for which Z is summed exactly."""

_STEPS: Floats = np.arange(EXACT_SUPPORT + 1.0)


@dataclass(frozen=True, slots=True)
class Counts:
    """What happened between two looks, one entry for each column.

    Attributes:
        values: failures of the canary (x), its requests or pod-seconds of exposure (n), failures of stable, and
            stable's requests or pod-seconds; shape (4, columns).
        whole: True where sizes are requests, each failing at most once; False for exposures; shape (columns,).
    """

    values: Floats
    whole: Bools

    def take(self, columns: Bools | Indices) -> "Counts":
        """The same of some columns, by index or mask."""
        return Counts(self.values[:, columns], self.whole[columns])

    def where(self, kept: Bools) -> "Counts":
        """The same with nothing in the columns that are not kept."""
        return Counts(np.where(kept, self.values, 0.0), self.whole)

    def but(self, columns: Indices) -> "Counts":
        """The same with nothing in some columns, by index."""
        if not columns.size:
            return self
        values = self.values.copy()
        values[:, columns] = 0.0
        return Counts(values, self.whole)


class Tilts:
    """Log odds that are asked for again and again: every a of a column plus every b of it.

    exp(j s) is kept for every count j, of a and of b apart: a sum over counts is then one product of matrices.

    Args:
        a: shape (columns, p), or (1, p) where all columns have the same.
        b: shape (columns, q).
    """

    def __init__(self, a: Floats, b: Floats) -> None:
        self._odds: Floats = b[:, :, None] + a[:, None, :]
        self._powers_a: Floats = np.exp(_STEPS[:, None] * a[:, None, :])
        self._powers_b: Floats = np.exp(b[:, :, None] * _STEPS)

    def log_likelihood_ratios(self, counts: Counts, tolerance: Floats) -> Floats:
        """Log likelihood ratios of log odds s = a + b over s = 0, where the null still allows r0.

        Args:
            counts: what was seen of each column.
            tolerance: r0, the odds ratio (for exposures: rate ratio), shape (columns,).

        Returns:
            x s - log (Z(log r0 + s) / Z(log r0)), the latter exact for small support, else an upper bound for s > 0;
            shape (columns, q, p).
        """
        failed, size, stable_failed, stable_size = counts.values
        # x s, of every s = a + b.
        found: Floats = self._odds * failed[:, None, None]
        # The canary can have at most so many of the failures.
        support = np.minimum(failed + stable_failed, size)
        there = support > 0
        exact = there & counts.whole & (support <= EXACT_SUPPORT) & (stable_size > 0)
        columns = indices_of(exact)
        if columns.size:
            # Z(log r0 + s) / Z(log r0) = sum over j of P(j) exp(s j), P at odds ratio r0.
            top = int(support[columns].max()) + 1
            shares = _shares(counts.values[:, columns], top, tolerance[columns])
            of_a = (self._powers_a[columns] if len(self._powers_a) > 1 else self._powers_a)[:, :top]
            found[columns] -= np.log(np.matmul(shares[:, None, :] * self._powers_b[columns, :, :top], of_a))
        columns = indices_of(there ^ exact)
        if columns.size:
            # The same of the binomial law that bounds it: (1 + chance (exp(s) - 1))^trials.
            trials, chance = _binomial(counts.take(columns), tolerance[columns])
            of_a = self._powers_a[columns, 1] if len(self._powers_a) > 1 else self._powers_a[:, 1]
            bound = self._powers_b[columns, :, 1][:, :, None] * of_a[:, None, :]
            bound -= 1
            bound *= chance[:, None, None]
            found[columns] -= trials[:, None, None] * np.log1p(bound, out=bound)
        return found


def _shares(values: Floats, top: int, tolerance: Floats) -> Floats:
    """Chances of 0..top-1 canary failures at odds ratio `tolerance`, from neighbour to neighbour; (columns, top)."""
    x, n, y, other = values[:, :, None]
    m = x + y
    # P(j + 1) / P(j) = r0 (m - j) (n - j) / ((j + 1) (N - n - m + j + 1)).
    before, after = _STEPS[: top - 1], _STEPS[1:top]
    more = (m - before) * (n - before) * tolerance[:, None]
    fewer = after * (after + (other - m))
    chances = np.empty((len(m), top))
    chances[:, 0] = 1.0
    if fewer.min() > 0:
        np.multiply.accumulate(more / fewer, axis=1, out=chances[:, 1:])
    else:
        possible = fewer > 0
        np.cumprod(np.where(possible, more / np.where(possible, fewer, 1.0), 1.0), axis=1, out=chances[:, 1:])
        chances[:, :-1] *= possible
    chances /= chances.sum(axis=1, keepdims=True)
    return chances


def _binomial(counts: Counts, tolerance: Floats) -> tuple[Floats, Floats]:
    """The binomial law that bounds the canary's failures at odds ratio r0: trials and chance, both (columns,).

    For exposures it is the law itself. For requests, x is a sum of k = min(m, n) independent trials of unequal chances
    (Vatutin & Mikhailov 1982), so the binomial law of k trials with its mean mu is larger in convex order. From
    E[x (N - n - m + x)] = r0 E[(n - x) (m - x)], with v an upper bound of the variance,

        mu (N - n - m + mu) - r0 (n - mu) (m - mu) <= max(r0 - 1, 0) v.
    """
    x, n, y, other = counts.values
    m = x + y
    # For exposures: of m failures each is the canary's with chance r0 n / (r0 n + N - n).
    share = tolerance * n / np.maximum(tolerance * n + other, 1e-300)
    trials = np.where(counts.whole, np.minimum(n, m), m)
    variance = np.minimum(trials / 4, m * share)
    # For requests: mu solves (1 - r0) mu^2 + slope mu = rest, in the form that is exact where r0 is 1.
    bend = tolerance - 1
    slope = other - m + tolerance * (n + m)
    rest = tolerance * n * m + np.maximum(bend, 0.0) * variance
    mean = 2 * rest / (slope + np.sqrt(np.maximum(slope**2 - 4 * bend * rest, 0.0)))
    chance = np.where(counts.whole, np.minimum(mean / np.maximum(trials, 1e-300), 1.0), share)
    return trials, chance
