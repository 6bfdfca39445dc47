"""What no judge can beat: the smallest fault a step can see, and the least time a fault of given size takes to see.

Any rule that stops falsely with probability alpha and surely under the fault needs, on average, log(1/alpha) nats of
information (Wald's identity with data processing). A second of traffic carries K nats, the smallest divergence of the
truth from any healthy pair of rates:

    K = min over q of  n_c KL(p_c || r0 q) + n_b KL(p_b || q),   KL(p || q) = p log(p/q) + (1-p) log((1-p)/(1-q))
"""

import math

from scipy.optimize import brentq, minimize_scalar
from scipy.special import xlogy

_TINY = 1e-12


def kl_bernoulli(p: float, q: float) -> float:
    """KL divergence of Bernoulli(p) from Bernoulli(q) in nats."""
    return float(xlogy(p, p / q) + xlogy(1 - p, (1 - p) / (1 - q)))


def kl_two_sample(
    canary: float, stable: float, canary_rate: float, stable_rate: float, tolerance: float = 1.0
) -> float:
    """K: nats that `canary` and `stable` requests carry against "canary rate = tolerance x stable rate".

    Args:
        canary: requests of the canary.
        stable: requests of stable.
        canary_rate: true failure share of the canary, above 0 and below 1.
        stable_rate: true failure share of stable, above 0 and below 1.
        tolerance: ratio r0 that the null allows.
    """

    def divergence(q: float) -> float:
        return canary * kl_bernoulli(canary_rate, min(tolerance * q, 1 - _TINY)) + stable * kl_bernoulli(stable_rate, q)

    ends = sorted((canary_rate / tolerance, stable_rate))
    low, high = 0.999 * ends[0], min(1.001 * ends[1], (1 - 1e-9) / tolerance)
    found = minimize_scalar(divergence, bounds=(low, high), method="bounded", options={"xatol": _TINY})
    return float(found.fun)


def detection_limit_seconds(
    rps: float, weight: float, baseline_rate: float, ratio: float, alpha: float = 0.01, tolerance: float = 1.0
) -> float:
    """Least mean time in which any judge at level alpha can see the canary fail `ratio` times as often as stable.

    Args:
        rps: requests per second of both arms together.
        weight: the canary's share of them, between 0 and 1.
        baseline_rate: stable's failure share.
        ratio: canary rate over stable rate.
        alpha: rate of false rollbacks.
        tolerance: ratio that is accepted (r0); a ratio not above it is never seen.

    Returns:
        Seconds; infinite when there is nothing to see or nothing to see it with.
    """
    if ratio <= tolerance or not 0 < weight < 1 or rps <= 0 or baseline_rate <= 0:
        return math.inf
    rate = min(ratio * baseline_rate, 1 - 1e-9)
    return math.log(1 / alpha) / kl_two_sample(rps * weight, rps * (1 - weight), rate, baseline_rate, tolerance)


def smallest_detectable_ratio(
    rps: float, weight: float, baseline_rate: float, hold_seconds: float, alpha: float = 0.01, tolerance: float = 1.0
) -> float:
    """Smallest ratio of failure rates that a step of `hold_seconds` can be expected to see; infinite if none.

    Arguments as in `detection_limit_seconds`.
    """
    largest = (1 - 1e-9) / max(baseline_rate, _TINY)

    def late(log_ratio: float) -> float:
        return detection_limit_seconds(rps, weight, baseline_rate, math.exp(log_ratio), alpha, tolerance) - hold_seconds

    if largest <= tolerance or late(math.log(largest)) > 0:
        return math.inf
    low = math.log(tolerance) + 1e-4
    if late(low) <= 0:
        return math.exp(low)
    return math.exp(float(brentq(late, low, math.log(largest), xtol=1e-6)))


def promotion_limit_seconds(
    rps: float, weight: float, baseline_rate: float, target: float, beta: float = 0.05
) -> float:
    """Least mean time to prove that a canary which fails like stable stays below an absolute target.

    Args:
        rps: requests per second of both arms together.
        weight: the canary's share of them.
        baseline_rate: the failure share of a healthy canary.
        target: failure share to be excluded.
        beta: rate at which a canary at the target may be called good.

    Returns:
        Seconds; infinite when the healthy rate is not below the target.
    """
    if baseline_rate >= target or weight * rps <= 0:
        return math.inf
    return math.log(1 / beta) / (rps * weight * kl_bernoulli(baseline_rate, target))


def worst_case_failed_requests(
    rps: float, weight: float, seconds: float, failure_share: float = 1.0, *, blast_budget: int | None = None
) -> float:
    """Requests that fail at most when a canary fails at `failure_share` and goes after `seconds`.

    Args:
        rps: requests per second of both arms together.
        weight: the canary's share of them.
        seconds: time until the last request is served by it: detection, writing, and data plane.
        failure_share: share of its requests that fail.
        blast_budget: excess failed requests after which it goes at once, however much time is left.
    """
    failed = rps * weight * seconds * failure_share
    return failed if blast_budget is None else min(failed, float(blast_budget))
