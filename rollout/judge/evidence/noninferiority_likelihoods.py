"""Is the canary proven not to be worse? E-processes with the roles swapped, for promotion.

The null is "worse than the margin"; evidence is the likelihood of a rate below it over that at it, averaged over a
few alternatives. For tiny rates "no difference" takes hours, an absolute statement takes a minute: so a canary is good
when it is proven below the absolute target or below the margin times stable, whichever comes first (the average of the
two is an e-process for canaries that break both).
"""

import numpy as np

from rollout.judge.model.onset_prior import Bools, Floats

BETTER: Floats = np.array([0.03, 0.1, 0.25, 0.5])
"""Alternatives for a rate, as shares of the target."""

MARGIN_BETTER: Floats = np.array([0.5, 0.3])
"""Alternatives for the ratio to stable, as shares of the margin."""

_LOG_MARGIN_BETTER: Floats = np.log(MARGIN_BETTER)

ADDED_BETTER: Floats = np.array([0.0, 0.35])
"""Alternatives for the added slow share, as shares of the target; a third is half of stable's own."""

_SHARE_OF_EXTRA: Floats = np.append(ADDED_BETTER, 0.0)
_SHARE_OF_STABLE: Floats = np.append(np.ones(ADDED_BETTER.size), 0.5)


def below_target(target: Floats, whole: Bools) -> tuple[Floats, Floats]:
    """Log likelihood ratios of rates below a target over the target: linear in failures and size.

    Decreasing in the failures, hence valid for every rate at or above the target.

    Args:
        target: share of requests (below 1) or events per pod-second, shape (k,).
        whole: Bernoulli requests; else Poisson events, shape (k,).

    Returns:
        What each failure and each unit of size adds, both of shape (k, alternatives).
    """
    # A success adds log ((1 - p1) / (1 - p0)), a failure log (p1 / p0); Poisson: a unit of size adds p0 - p1.
    at = target[:, None]
    better = at * BETTER
    clean = np.where(whole[:, None], np.log1p(-np.minimum(better, 0.999)) - np.log1p(-np.minimum(at, 0.999)), 0.0)
    return np.log(better / at) - clean, np.where(whole[:, None], clean, at - better)


def below_ratio(counts: Floats, margin: Floats) -> Floats:
    """Log likelihood ratios of ratios below a margin over the margin, given the failures of both arms.

    Args:
        counts: canary failures, canary size, stable failures, stable size, shape (k, 4).
        margin: ratio to be excluded, shape (k,).

    Returns:
        Shape (k, alternatives); 0 where stable had nothing.
    """
    failed, size, stable_failed, stable_size = counts.T[:, :, None]
    # Of m failures x are the canary's, each with chance r n / (r n + N - n).
    # So x log(r1 / r0) - m log((r1 n + N - n) / (r0 n + N - n)), with r0 the margin.
    allowed, beside = margin[:, None] * size, np.maximum(stable_size, 1e-300)
    shrunk = np.log((beside + MARGIN_BETTER * allowed) / (beside + allowed))
    gains = failed * _LOG_MARGIN_BETTER - (failed + stable_failed) * shrunk
    found: Floats = np.where(stable_size > 0, gains, 0.0)
    return found


def below_added(counts: Floats, stable: Floats, extra: Floats) -> Floats:
    """Log likelihood ratios of slow shares below stable's plus an extra over that sum.

    Args:
        counts: as of `below_ratio`, failures being slow requests, shape (k, 4).
        stable: stable's slow share, from before the look or beside it, shape (k,).
        extra: slow share that may be added, shape (k,).

    Returns:
        Shape (k, alternatives).
    """
    # Bernoulli: slow requests at `rate` over those at `limit`, stable's share plus the extra.
    limit = np.minimum(stable + extra, 0.999)[:, None]
    rate = stable[:, None] * _SHARE_OF_STABLE + extra[:, None] * _SHARE_OF_EXTRA
    rate = np.minimum(np.maximum(rate, 1e-3), 0.99)
    slow, size = counts[:, 0, None], counts[:, 1, None]
    gains: Floats = slow * np.log(rate / limit) + (size - slow) * np.log((1 - rate) / (1 - limit))
    return gains
