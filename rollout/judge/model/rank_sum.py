"""The rank-sum law: of the sum of the canary's scores, drawn without replacement from the requests of both arms.

Given that n of N requests went to the canary and N_c of them all have score c, its sum x has, where odds are exp(s c),
likelihood exp(s x) / Z(s), with Z(s) = E exp(s x) over draws of n of the N requests (Fisher's multivariate noncentral
hypergeometric law). Let each request be drawn on its own, with odds exp(lambda + s c) such that n are expected in all,
and let S be how many are. Given S = n the draws have Fisher's law (Chen, Dempster & Liu 1994), so that

    log Z(s) = Phi(s) - Phi(0) + log (P_s(S = n) / P_0(S = n)),
    Phi(s)   = sum_c N_c log(1 + exp(lambda + s c)) - n lambda,

where P_0(S = n) is binomial. Two bounds make that a likelihood ratio that is worth one at most and loses next to
nothing:

    P_s(S = n) <= exp(-v) I_0(v), v the variance of S   (for each p, |1 - p + p exp(it)|^2 <= exp(-2p(1-p)(1-cos t))),
    P_s(S = n) >= P_0(S = n)                            (Hoeffding 1956, theorem 5: n is the mean of both).

The first is taken for a fault, unless draws with replacement (Hoeffding 1963) bound Z(s) closer, as they do where n is
small; the second for the null, also for one that tolerates odds of its own.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import betaln, i0e

from rollout.judge.model.onset_prior import Bools, Floats, Indices

GRID = 17
"""Tilts at which Z is worked out where more are asked for; cubic in between, to some 1e-5 of the canary's requests as
a rule; 2e-2 was found where two buckets have all of them and a tilt of 2.5 puts nearly all of one with the canary."""

_NONE = 1e-9
"""Requests that are as good as none, and have a logarithm."""


@dataclass(frozen=True, slots=True)
class Spread:
    """What happened between two looks to requests that have scores, one entry for each of k columns.

    Attributes:
        scores: of the buckets, shape (k, buckets).
        score: sum over the canary's requests, shape (k,).
        size: requests of the canary, at least one, shape (k,).
        pooled: requests of both arms in each bucket, shape (k, buckets).
    """

    scores: Floats
    score: Floats
    size: Floats
    pooled: Floats

    def take(self, at: Indices) -> "Spread":
        """The same of some columns, by position."""
        return Spread(self.scores[at], self.score[at], self.size[at], self.pooled[at])


def log_likelihood_ratios(spread: Spread, tilts: Floats, faults: Bools, tolerance: Floats) -> Floats:
    """Log likelihood ratios of tilts s over s = 0, where the null still allows odds of r0.

    Args:
        spread: what was seen of k columns.
        tilts: s, shape (k, m).
        faults: which of them are to be bounded from below; the others are from above; shape (m,).
        tolerance: r0 of each column, shape (k,).

    Returns:
        s x - log (Z(log r0 + s) / Z(log r0)), shape (k, m); 0 where stable has no requests.
    """
    # Z at log r0 + 0, then at log r0 + s. `extra` bounds log (P_s(S = n) / P_0(S = n)); the null takes 0 for it.
    none = np.zeros((len(tilts), 1))
    phi, _, extra, beside = _worked_out(spread, np.concatenate([none, tilts], axis=1) + _allowed(tolerance))
    # s x - log (Z(log r0 + s) / Z(log r0)).
    log_ratios: Floats = spread.score[:, None] * tilts - (phi[:, 1:] - phi[:, :1]) - np.where(faults, extra[:, 1:], 0.0)
    return np.where(beside, log_ratios, 0.0)


class ScoreTilts:
    """Tilts that are asked for again and again: every a of a column plus every b of it.

    Z is worked out at GRID tilts from the least to the largest: Phi is Hermite's cubics in between, the bound of a
    fault the larger one of its two neighbours'. All that is linear in what is worked out, so a look is one product with
    a matrix that is kept.

    Args:
        a: shape (columns, p).
        b: shape (columns, q).
        faults: which b are to be bounded from below, as faults are; shape (q,).
    """

    def __init__(self, a: Floats, b: Floats, faults: Bools) -> None:
        columns, self._shape = len(a), (b.shape[1], a.shape[1])
        # The grid: GRID tilts from the least to the largest of each column, after 0 for the null.
        tilts: Floats = (b[:, :, None] + a[:, None, :]).reshape(columns, b.shape[1] * a.shape[1])
        low, high = tilts.min(axis=1, keepdims=True), tilts.max(axis=1, keepdims=True)
        step = np.maximum((high - low) / (GRID - 1), 1e-9)
        self._tilts: Floats = np.concatenate([np.zeros_like(low), low + step * np.arange(GRID)], axis=1)
        # Where each tilt lies: the grid point before it, and how far it is on the way to the next, 0 to 1.
        left = np.minimum(((tilts - low) / step).astype(np.intp), GRID - 2)
        far = (tilts - low) / step - left
        # Hermite's cubic: weights of Phi and of its slope at both grid points.
        bend_left, bend_right = far * (1 - far) ** 2, far**2 * (1 - far)
        phi, slope = np.zeros((2, *tilts.shape, GRID))
        extra = np.zeros((*tilts.shape, GRID - 1))
        at = *np.ix_(*map(np.arange, tilts.shape)), left
        after = *at[:2], left + 1
        phi[at], phi[after] = 1 - far + bend_left - bend_right, far - bend_left + bend_right
        slope[at], slope[after] = step * bend_left, -step * bend_right
        # A fault also has the bound of the ratio of chances.
        extra[at] = np.repeat(faults, a.shape[1])
        # One line for each tilt: weights of the score, of Phi(log r0), and, negative, of Phi, slope and bound.
        allowed = np.ones((*tilts.shape, 1))
        self._shares: Floats = np.concatenate([tilts[:, :, None], allowed, -phi, -slope, -extra], axis=2)

    def log_likelihood_ratios(self, columns: Indices | slice, spread: Spread, tolerance: Floats) -> Floats:
        """The same as the function of this name, for these tilts of some columns.

        Args:
            columns: which, k of them.
            spread: what was seen of them.
            tolerance: r0 of each, shape (k,).

        Returns:
            Shape (k, q, p).
        """
        phi, slope, extra, beside = _worked_out(spread, self._tilts[columns] + _allowed(tolerance))
        # Of a bound the larger one of two neighbours, of each interval of the grid.
        extra = np.maximum(extra[:, 1:-1], extra[:, 2:])
        known = np.concatenate([spread.score[:, None], phi, slope[:, 1:], extra], axis=1)
        log_ratios = np.matmul(self._shares[columns], known[:, :, None])[:, :, 0]
        return np.where(beside, log_ratios, 0.0).reshape(len(log_ratios), *self._shape)


def _allowed(tolerance: Floats) -> Floats:
    """The tilt that the null allows, shape (k, 1)."""
    allowed: Floats = np.log(tolerance)[:, None]
    return allowed


def _worked_out(spread: Spread, tilts: Floats) -> tuple[Floats, Floats, Floats, Bools]:
    """Phi(s), its slope, and the bound of log (P_s(S = n) / P_0(S = n)), each of shape (k, m).

    The last is whether stable has requests to compare with, shape (k, 1); without them nothing is said.
    """
    pooled, size = spread.pooled[:, :, None], spread.size[:, None]
    total = np.maximum(pooled.sum(axis=1), size + _NONE)
    others = total - size
    log_size, log_others = np.log(size), np.log(others)
    odds = log_size - log_others
    # Drawn with replacement: log of the mean of exp(s c). A first guess of lambda makes n expected in all.
    powers = np.exp(tilts[:, :, None] * spread.scores[:, None])
    replaced = np.log(np.matmul(powers, pooled)[:, :, 0] / total)
    drawn = odds - replaced  # lambda
    # One step of Newton's on the scale of log odds, where the mean of S is almost a straight line in lambda.
    mean, variance = _summed(powers * np.exp(drawn)[:, :, None], pooled, pooled)
    rest = total - mean
    drawn += (odds - np.log(mean / rest)) * mean * rest / (total * variance)
    # Phi(s) = sum of N_c log(1 + exp(lambda + s c)) - n lambda.
    powers *= np.exp(drawn)[:, :, None]
    phi = np.matmul(np.log(1 + powers), pooled)[:, :, 0] - size * drawn  # log1p is slower, and needed below 1e-16 only
    # Its slope: the mean score of those drawn; and the variance of S.
    slope, variance = _summed(powers, pooled * spread.scores[:, :, None], pooled)
    # Phi(0), and log P_0(S = n), which is binomial.
    start = size * log_size + others * log_others - total * np.log(total)
    binomial = start - np.log(total + 1) - betaln(size + 1, others + 1)
    # log (P_s(S = n) / P_0(S = n)): by the variance, or by draws with replacement, whichever is less.
    extra = np.minimum(np.log(i0e(variance)) - binomial, size * replaced - phi - start)
    return phi, slope, extra, others > 2 * _NONE


def _summed(odds: Floats, weights: Floats, counts: Floats) -> tuple[Floats, Floats]:
    """Sums of chances p, and of p (1 - p), over the buckets; each of shape (k, m).

    Args:
        odds: p / (1 - p), shape (k, m, buckets).
        weights: how much each p counts, shape (k, buckets, 1).
        counts: how much each p (1 - p) counts, shape (k, buckets, 1).
    """
    # p = odds / (1 + odds), p (1 - p) = p / (1 + odds).
    beside = 1 + odds
    chances = odds / beside
    means = np.matmul(chances, weights)[:, :, 0]
    chances /= beside
    return means, np.matmul(chances, counts)[:, :, 0]
