"""The law of the sum of the canary's scores, drawn without replacement from the requests of both arms.

Given that n of N requests went to the canary and N_c of them all have score c, its sum x has, where odds are exp(s c),
likelihood exp(s x) / Z(s) with Z(s) = E exp(s x) over draws of n of the N requests (Fisher's multivariate noncentral
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
from scipy.special import gammaln, i0e, xlogy

from rollout.judge.onset import Bools, Floats, Indices

GRID = 17
"""Tilts at which Z is worked out where more are asked for; cubic in between, to some 1e-5 of the canary's requests as
a rule; 2e-2 was found where two buckets have all of them and a tilt of 2.5 puts nearly all of one with the canary."""


@dataclass(frozen=True, slots=True)
class Spread:
    """What happened between two looks to requests that have scores, one entry for each of k channels.

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

    def take(self, rows: Indices) -> "Spread":
        """The same of some channels."""
        return Spread(self.scores[rows], self.score[rows], self.size[rows], self.pooled[rows])


def told_of(spread: Spread, tilts: Floats, faults: Bools, tolerance: Floats) -> Floats:
    """Log likelihood ratios of tilts s over s = 0, where the null still allows odds of r0.

    Args:
        spread: what was seen of k channels.
        tilts: s, shape (k, m).
        faults: which of them are to be bounded from below; the others are from above; shape (m,).
        tolerance: r0 of each channel, shape (k,); less than 1 is taken as 1.

    Returns:
        s x - log (Z(log r0 + s) / Z(log r0)), shape (k, m); 0 where stable has no requests.
    """
    phi, _, extra = _from_allowed(spread, tilts, tolerance)
    told: Floats = spread.score[:, None] * tilts - phi - np.where(faults, extra, 0.0)
    return _beside_stable(spread, told)


class ScoreTilts:
    """Tilts that are asked for again and again: every a of a channel plus every b of it.

    Z is worked out at GRID tilts from the least to the largest: Phi is Hermite's cubics in between, the bound of a
    fault the larger one of its two neighbours'.

    Args:
        a: shape (channels, p).
        b: shape (channels, q).
        faults: which b are to be bounded from below, as faults are; shape (q,).
    """

    def __init__(self, a: Floats, b: Floats, faults: Bools) -> None:
        self._faults = faults
        self._shape = b.shape[1], a.shape[1]
        tilts: Floats = (b[:, :, None] + a[:, None, :]).reshape(len(a), b.shape[1] * a.shape[1])
        self._tilts = tilts
        low, high = tilts.min(axis=1, keepdims=True), tilts.max(axis=1, keepdims=True)
        self._step = np.maximum((high - low) / (GRID - 1), 1e-9)
        self._grid = low + self._step * np.arange(GRID)
        where = (tilts - low) / self._step
        self._left = np.minimum(where.astype(np.intp), GRID - 2)
        far = where - self._left
        bounded = np.broadcast_to(np.repeat(faults, a.shape[1]), tilts.shape)
        self._parts = np.stack([np.ones_like(far), far, far * (1 - far) ** 2, far**2 * (1 - far), bounded], axis=2)

    def put(self, rows: Indices | slice, a: Floats, b: Floats) -> None:
        """Replace those of some channels."""
        new = ScoreTilts(a, b, self._faults)
        self._tilts[rows], self._step[rows], self._grid[rows] = new._tilts, new._step, new._grid
        self._left[rows], self._parts[rows] = new._left, new._parts

    def told(self, rows: Indices, spread: Spread, tolerance: Floats) -> Floats:
        """What `told_of` tells of these tilts of some channels.

        Args:
            rows: the channels, shape (k,).
            spread: what was seen of them.
            tolerance: r0 of each, shape (k,).

        Returns:
            Shape (k, q, p).
        """
        phi, slope, extra = _from_allowed(spread, self._grid[rows], tolerance)
        rise, slope = phi[:, 1:] - phi[:, :-1], slope * self._step[rows]
        bends = slope[:, :-1] - rise, rise - slope[:, 1:]
        each = np.stack([phi[:, :-1], rise, *bends, np.maximum(extra[:, :-1], extra[:, 1:])], axis=2)
        each = each[np.arange(rows.size)[:, None], self._left[rows]]
        told: Floats = spread.score[:, None] * self._tilts[rows] - np.einsum("kmc,kmc->km", each, self._parts[rows])
        return _beside_stable(spread, told).reshape(rows.size, *self._shape)


def _beside_stable(spread: Spread, told: Floats) -> Floats:
    """What is told, if stable has requests to be told apart from."""
    return np.where((spread.pooled.sum(axis=1) > spread.size)[:, None], told, 0.0)


def _from_allowed(spread: Spread, tilts: Floats, tolerance: Floats) -> tuple[Floats, Floats, Floats]:
    """Phi(log r0 + s) - Phi(log r0), its slope, and the bound of a fault's rest of Z; each of shape (k, m)."""
    allowed = np.log(np.maximum(tolerance, 1.0))[:, None]
    phi, slope, extra = _worked_out(spread, np.concatenate([np.zeros_like(allowed), tilts], axis=1) + allowed)
    return phi[:, 1:] - phi[:, :1], slope[:, 1:], extra[:, 1:]


def _worked_out(spread: Spread, tilts: Floats) -> tuple[Floats, Floats, Floats]:
    """Phi(s), its slope, and the bound of log (P_s(S = n) / P_0(S = n)); each of shape (k, m)."""
    used = int(np.flatnonzero(spread.pooled.any(axis=0))[-1]) + 1
    pooled, scores, size = spread.pooled[:, :used, None], spread.scores[:, None, :used], spread.size[:, None]
    total = np.maximum(pooled.sum(axis=1), size + 1e-9)
    odds = np.log(size / (total - size))
    log_odds = tilts[:, :, None] * scores
    top = log_odds.max(axis=2)
    powers = np.exp(log_odds - top[:, :, None])
    replaced = np.log(np.matmul(powers, pooled)[:, :, 0] / total)
    drawn = odds - replaced  # lambda + top
    # One step of Newton's on the scale of log odds, where the mean of S is almost a straight line in lambda.
    chance = _chances(powers * np.exp(drawn)[:, :, None])
    mean = np.matmul(chance, pooled)[:, :, 0]
    variance = mean - np.matmul(np.square(chance, out=chance), pooled)[:, :, 0]
    drawn += (odds - np.log(mean / (total - mean))) * mean * (total - mean) / (total * variance)
    powers *= np.exp(drawn)[:, :, None]
    phi = np.matmul(np.log1p(powers), pooled)[:, :, 0] - size * (drawn - top)
    chance = _chances(powers)
    slope = np.matmul(chance, pooled * scores.transpose(0, 2, 1))[:, :, 0]
    variance = np.matmul(chance * (1 - chance), pooled)[:, :, 0]
    start = xlogy(size, size / total) + xlogy(total - size, 1 - size / total)
    binomial = gammaln(total + 1) - gammaln(size + 1) - gammaln(total - size + 1) + start
    return phi, slope, np.minimum(np.log(i0e(variance)) - binomial, size * (replaced + top) - phi - start)


def _chances(odds: Floats) -> Floats:
    found: Floats = odds / (1 + odds)
    return found
