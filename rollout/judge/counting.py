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

from rollout.judge.onset import Bools, Floats, Indices

EXACT_SUPPORT = 24
"""Largest number of canary failures for which Z is summed exactly."""

_STEPS: Floats = np.arange(EXACT_SUPPORT + 1.0)


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

    def but(self, rows: Indices) -> "Counts":
        """The same with nothing in some channels, by index."""
        kept = np.ones(self.size.size, dtype=np.bool_)
        kept[rows] = False
        return self.where(kept) if rows.size else self


class Tilts:
    """Log odds that are asked for again and again: every a of a channel plus every b of it.

    exp(j s) is kept for every count j, of a and of b apart: a sum over counts is then one product of matrices.

    Args:
        a: shape (channels, p).
        b: shape (channels, q), or (1, q) where all channels have the same.
    """

    def __init__(self, a: Floats, b: Floats) -> None:
        self.a, self.b = a, b
        self._powers_a: Floats = np.exp(_STEPS[:, None] * a[:, None, :])
        self._powers_b: Floats = np.exp(b[:, :, None] * _STEPS)

    def put(self, rows: Indices | slice, a: Floats, b: Floats) -> None:
        """Replace those of some channels."""
        new = Tilts(a, b)
        self.a[rows], self.b[rows] = a, b
        self._powers_a[rows], self._powers_b[rows] = new._powers_a, new._powers_b

    def told(self, channels: Indices, counts: Counts, tolerance: Floats) -> Floats:
        """Log likelihood ratios of log odds s = a + b over s = 0, where the null still allows r0.

        Args:
            channels: whose tilts are asked for, shape (k,).
            counts: one entry for each of them.
            tolerance: r0, the odds ratio (for exposures: rate ratio), shape (k,).

        Returns:
            x s - log (Z(log r0 + s) / Z(log r0)), the latter exact for small support, else an upper bound for s > 0;
            shape (k, q, p).
        """
        found: Floats = self.b[self._of_b(channels), :, None] + self.a[channels, None, :]
        found *= counts.failed[:, None, None]
        support = np.minimum(counts.all_failed, counts.size)
        there = counts.size > 0
        exact = there & (counts.stable_size > 0) & (support > 0) & (support <= EXACT_SUPPORT) & counts.whole
        rows = np.flatnonzero(exact)
        if rows.size:
            shares = _shares(counts.take(rows), int(support[rows].max()) + 1, tolerance[rows])
            top = shares.shape[1]
            of_a, of_b = self._powers_a[channels[rows], :top], self._powers_b[self._of_b(channels[rows]), :, :top]
            found[rows] -= np.log(np.matmul(shares[:, None, :] * of_b, of_a))
        rows = np.flatnonzero(there & (counts.all_failed > 0) & ~exact)
        if rows.size:
            found[rows] -= self._bound(channels[rows], counts.take(rows), tolerance[rows])
        return found

    def _bound(self, channels: Indices, counts: Counts, tolerance: Floats) -> Floats:
        grown = self._powers_b[self._of_b(channels), :, 1][:, :, None] * self._powers_a[channels, 1][:, None, :]
        grown -= 1
        trials, chance = _binomial(counts, tolerance)
        bound: Floats = np.log1p(np.multiply(grown, chance[:, None, None], out=grown), out=grown)
        bound *= trials[:, None, None]
        return bound

    def _of_b(self, channels: Indices) -> Indices | slice:
        """Where their b are: all share one where there is only one."""
        return channels if len(self.b) > 1 else slice(None)


def _shares(counts: Counts, top: int, tolerance: Floats) -> Floats:
    """Chances of 0..top-1 canary failures at odds ratio `tolerance`, from neighbour to neighbour; (channels, top)."""
    j = _STEPS[: top - 1]
    n, m, other = counts.size[:, None], counts.all_failed[:, None], counts.stable_size[:, None]
    more = (m - j) * (n - j) * tolerance[:, None]
    fewer = (j + 1) * (other - m + j + 1)
    possible = fewer > 0
    chances = np.ones((n.size, top))
    np.cumprod(np.where(possible, more / np.where(possible, fewer, 1.0), 1.0), axis=1, out=chances[:, 1:])
    chances[:, :-1] *= possible
    chances /= chances.sum(axis=1, keepdims=True)
    return chances


def _binomial(counts: Counts, tolerance: Floats) -> tuple[Floats, Floats]:
    """The binomial law that bounds the canary's failures at odds ratio r0: trials and chance, both (channels,).

    For exposures it is the law itself. For requests, x is a sum of k = min(m, n) independent trials of unequal chances
    (Vatutin & Mikhailov 1982), so the binomial law of k trials with its mean mu is larger in convex order. From
    E[x (N - n - m + x)] = r0 E[(n - x) (m - x)], with v an upper bound of the variance,

        mu (N - n - m + mu) - r0 (n - mu) (m - mu) <= max(r0 - 1, 0) v.
    """
    n, m, other = counts.size, counts.all_failed, counts.stable_size
    share = tolerance * n / np.maximum(tolerance * n + other, 1e-300)
    trials = np.where(counts.whole, np.minimum(n, m), m)
    variance = np.minimum(trials / 4, m * share)
    bend = tolerance - 1
    slope = other - m + tolerance * (n + m)
    rest = tolerance * n * m + np.maximum(bend, 0.0) * variance
    mean = 2 * rest / (slope + np.sqrt(np.maximum(slope**2 - 4 * bend * rest, 0.0)))
    chance = np.where(counts.whole, np.minimum(mean / np.maximum(trials, 1e-300), 1.0), share)
    return trials, chance
