"""Which faults the ratio test will see, told beforehand: it is shown arms that do what is expected, and nothing else.

`model.power` tells what no judge can beat where pods are alike. Where pods differ less is seen, however many requests
there are, since a canary that is worse may be a healthy version on an unlucky pod. How much less is asked of the test
itself: columns are failure ratios, and failures come as they are expected to, as evenly as whole ones can.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.stats import t as student

from rollout.judge.baseline.lasting import TRUSTED_PODS
from rollout.judge.baseline.pod_effects import block_noise, pod_effects
from rollout.judge.baseline.pod_variation import PodVariation
from rollout.judge.evidence.prior_weights import ABSOLUTE_RATE_WEIGHT, AT_START
from rollout.judge.evidence.ratio_test import RatioTest
from rollout.judge.model.blocks import BLOCK_SECONDS
from rollout.judge.model.hypergeometric import Counts
from rollout.judge.model.onset_prior import Floats, OnsetPrior

RATIOS: Floats = np.geomspace(1.02, 100.0, 80)
"""Failure ratios that are tried."""

MOST_LOOKS = 240
"""Longer releases are shown in longer looks."""

MANY = 1e4
"""Failures in a second that are as good as any number of them."""

ONE_IN_A_HUNDRED = 0.01

_HALF = 0.5


@dataclass(frozen=True, slots=True)
class PodsKnown:
    """What is known of how stable's pods differ.

    Attributes:
        spread: standard deviation of their log rates.
        pods: that it rests on, 2 or more.
        wander: the part of the spread that comes and goes, as a standard deviation.
        wander_seconds: how long that lasts.
        temper: exponent for failures that clump.
        burst: chance that a block of 15 s is hit, log ratio by which it then fails more, and what is added to the
            chance after a block that was.
        step: mean squared change of a log rate from block to block.
    """

    spread: float
    pods: float
    wander: float = 0.0
    wander_seconds: float = 0.0
    temper: float = 1.0
    burst: tuple[float, float, float] = (0.0, 0.0, 0.0)
    step: float = 0.0

    @classmethod
    def said(cls, spread: float, pods: int) -> Self:
        """So many pods that differ by this, as somebody says, in a calm service with a long history."""
        return cls(spread, min(max(float(pods), 2.0), TRUSTED_PODS[0]))

    @classmethod
    def learned(cls, noise: PodVariation, column: int = 0) -> Self:
        """What pods have shown in a column of failures; what the judge takes for granted where they have shown none."""
        at = np.array([column])
        (spread, pods), (chance, size) = noise.spreads(at), noise.bursts(at)
        variance, kept = (float(each[0]) for each in noise.wander.told(at))
        return cls(
            spread=float(spread[0]),
            pods=float(pods[0]),
            wander=math.sqrt(variance),
            wander_seconds=-BLOCK_SECONDS / math.log(kept) if variance > 0 else 0.0,
            temper=float(noise.tempers(at)[0]),
            burst=(float(chance[0]), float(size[0]), float(noise.lasting(at)[0])),
            step=float(noise.steps(at)[0]),
        )


def smallest_seen(
    known: PodsKnown,
    steps: Sequence[tuple[float, float]],
    failing: float,
    requests: float,
    needed: float,
    horizon_seconds: float = 1800.0,
) -> float:
    """Failure ratio from which on the ratio test convicts, of a fault that comes with the version.

    Args:
        known: of stable's pods.
        steps: the canary's share of the requests, 0 to 1, and the seconds of each step.
        failing: stable's failure share.
        requests: per second, of both arms together.
        needed: log evidence of the signal that convicts.
        horizon_seconds: of the policy.

    Returns:
        The ratio; infinite where none is seen.
    """
    found = _highest(known, [step for step in steps if 0 < step[0] < 1], failing, requests, horizon_seconds)
    missing = np.flatnonzero(np.log1p(-ABSOLUTE_RATE_WEIGHT) + found < needed)
    if not missing.size:
        return float(RATIOS[0])
    # Between the last that is not seen and the next. Below it some may be seen: those of which no node is near.
    last = int(missing[-1])
    if last == RATIOS.size - 1:
        return math.inf
    low, high = (float(each) + math.log1p(-ABSOLUTE_RATE_WEIGHT) for each in found[last : last + 2])
    part = (needed - low) / (high - low)
    return float(RATIOS[last] * (RATIOS[last + 1] / RATIOS[last]) ** part)


def healthy_stray(known: PodsKnown, canary_pods: int, stable_pods: int, share: float = ONE_IN_A_HUNDRED) -> float:
    """Failure ratio that a share of healthy canaries exceed by the luck of their pods.

    The law of the mean of so many pods beside that of stable's: Student's t with as many degrees of freedom as the
    spread is known to, times spread * sqrt(1/canary pods + 1/stable pods). The judge takes a canary to be one pod.
    """
    width = known.spread * math.sqrt(1 / max(canary_pods, 1) + 1 / max(stable_pods, 1))
    return math.exp(min(width * float(student.isf(share, known.pods - 1)), math.log(RATIOS[-1])))


def _highest(
    known: PodsKnown, steps: Sequence[tuple[float, float]], failing: float, requests: float, horizon: float
) -> Floats:
    """Highest log evidence of the ratio test against each of `RATIOS`, shape (ratios,)."""
    every, count = max(BLOCK_SECONDS, sum(seconds for _, seconds in steps) / MOST_LOOKS), RATIOS.size
    test = RatioTest(count, OnsetPrior(horizon, AT_START))
    test.temper[:] = known.temper
    spread, pods, no = np.full(count, known.spread), np.full(count, known.pods), np.zeros(count, dtype=np.bool_)
    chance, size, lasting = (np.full(count, each) for each in known.burst)
    test.expect(
        np.arange(count),
        *pod_effects(spread, pods),
        chance,
        size,
        lasting=lasting,
        drawn=lasting > 0,
        noise=block_noise(spread, pods),
        step=np.full(count, known.step * every / BLOCK_SECONDS),
    )
    found = np.full(count, -math.inf)
    odds = RATIOS * failing / (1 - failing)
    rates = np.array([odds / (1 + odds), np.ones(count), np.full(count, failing), np.ones(count)])
    due = np.full((4, count), _HALF)
    for share, seconds in steps:
        looks = max(round(seconds / every), 1)
        arms = np.array([share, share, 1 - share, 1 - share])[:, None] * (requests * seconds / looks)
        for _ in range(looks):
            due += arms * rates
            whole = np.floor(due)
            whole[[0, 2]] = np.minimum(whole[[0, 2]], whole[[1, 3]])
            due -= whole
            test.bet(Counts(whole, ~no), np.ones(count), np.full(count, seconds / looks), no)
            found = np.maximum(found, test.log_e())
    return found
