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

from rollout.judge.onset import Bools, Floats

GRID = 17
"""Tilts at which Z is worked out where more are asked for; cubic in between, to some 1e-5 of the canary's requests."""


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
    allowed = np.log(np.maximum(tolerance, 1.0))[:, None]
    wanted = np.concatenate([np.zeros_like(allowed), tilts], axis=1) + allowed
    law = _law if wanted.shape[1] <= GRID else _between
    phi, extra = law(spread, wanted)
    told: Floats = spread.score[:, None] * tilts - (phi[:, 1:] - phi[:, :1]) - np.where(faults, extra[:, 1:], 0.0)
    others = spread.pooled.sum(axis=1) - spread.size
    return np.where((others > 0)[:, None], told, 0.0)


def _law(spread: Spread, tilts: Floats) -> tuple[Floats, Floats]:
    """Phi(s), and the bound of log (P_s(S = n) / P_0(S = n)); each of shape (k, m)."""
    phi, _, extra = _worked_out(spread, tilts)
    return phi, extra


def _between(spread: Spread, tilts: Floats) -> tuple[Floats, Floats]:
    """The same by way of GRID tilts: Phi by Hermite's cubics, the other by the larger of two neighbours."""
    low, high = tilts.min(axis=1, keepdims=True), tilts.max(axis=1, keepdims=True)
    step = np.maximum((high - low) / (GRID - 1), 1e-9)
    phi, slope, extra = _worked_out(spread, low + step * np.arange(GRID))
    where = (tilts - low) / step
    left = np.minimum(where.astype(np.intp), GRID - 2)
    far = where - left
    rows = np.arange(len(tilts))[:, None]
    rise = np.diff(phi, axis=1)
    slope *= step
    over, under = slope[:, :-1] - rise, rise - slope[:, 1:]
    bent = (1 - far) * over[rows, left] + far * under[rows, left]
    found: Floats = phi[rows, left] + far * (rise[rows, left] + (1 - far) * bent)
    return found, np.maximum(extra[:, :-1], extra[:, 1:])[rows, left]


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
