"""Is the canary proven not to be worse? E-processes with the roles swapped, for promotion.

The null is "worse than the margin"; evidence is the likelihood of a rate below it over that at it, averaged over a
few alternatives. For tiny rates "no difference" takes hours, an absolute statement takes a minute: so a canary is good
when it is proven below the absolute target or below the margin times stable, whichever comes first (the average of the
two is an e-process for canaries that break both).
"""

import math
from collections.abc import Sequence

BETTER = (0.03, 0.1, 0.25, 0.5)
"""Alternatives, as shares of the rate at the margin."""


def log_mean(logs: Sequence[float]) -> float:
    """Logarithm of the mean of exponentials."""
    top = max(logs)
    return top + math.log(sum(math.exp(value - top) for value in logs) / len(logs))


def below_share(failed: float, size: float, target: float, better: Sequence[float]) -> list[float]:
    """Log likelihood ratios of Bernoulli shares `better` over `target`, one a share.

    Decreasing in `failed` for better < target, hence valid for every share at or above the target.
    """
    clean = size - failed
    return [failed * math.log(p / target) + clean * math.log((1 - p) / (1 - target)) for p in better]


def below_rate(failed: float, exposure: float, target: float, better: Sequence[float]) -> list[float]:
    """The same for Poisson rates per unit of exposure."""
    return [failed * math.log(p / target) - exposure * (p - target) for p in better]


def below_ratio(failed: float, all_failed: float, rho: float, margin: float, better: Sequence[float]) -> list[float]:
    """Log likelihood ratios of ratios margin * d over the margin, given the failures of both arms.

    Args:
        failed: canary failures (x).
        all_failed: failures of both arms (m).
        rho: canary size over stable size in this look.
        margin: ratio to be excluded.
        better: factors d < 1 on the margin.
    """
    at = math.log1p(margin * rho)
    return [failed * math.log(d) - all_failed * (math.log1p(d * margin * rho) - at) for d in better]
