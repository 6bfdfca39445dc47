"""What a plan says of pods that differ is what the ratio test then does."""

import math

import numpy as np
import pytest

from rollout.judge.baseline.lasting import PRIOR_SPREAD
from rollout.judge.baseline.pod_beliefs import PRIOR_TEMPER
from rollout.judge.baseline.pod_variation import PodVariation
from rollout.judge.evidence.foresight import MANY, RATIOS, PodsKnown, healthy_stray, smallest_seen
from rollout.judge.model.power import smallest_detectable_ratio
from tests.rollout.judge.evidence.test_pod_motion import highest

NEEDED = math.log(100)
HALF_AN_HOUR = ((0.1, 1800.0),)


def seen(spread, requests=MANY * 100, steps=HALF_AN_HOUR, needed=NEEDED, failing=0.01):
    return smallest_seen(PodsKnown.said(spread, 9), steps, failing, requests, needed)


@pytest.mark.parametrize(("spread", "rps"), [(0.1, 200), (0.2, 2000), (0.2, 1e6)])
def test_a_pod_that_is_as_much_worse_convicts_and_one_that_is_less_does_not(spread, rps):
    ratio = smallest_seen(PodsKnown.said(spread, 9), HALF_AN_HOUR, 0.01, rps, NEEDED)
    reached = NEEDED - math.log(0.6)
    assert highest(rps, math.log(ratio) * 1.3, spread=spread) > reached
    assert highest(rps, math.log(ratio) * 0.8, spread=spread) < reached


def test_the_farther_pods_are_apart_the_less_is_seen():
    found = [seen(spread) for spread in (0.1, 0.2, 0.4)]
    assert found == sorted(found)
    assert found[0] < 1.7
    assert found[-1] > 3


def test_more_requests_show_less_only_down_to_what_pods_differ_by():
    found = [seen(0.2, rps) for rps in (10, 100, 1e4, 1e6, 1e8)]
    assert found == sorted(found, reverse=True)
    assert found[-1] == pytest.approx(found[-2], rel=0.02)
    assert found[-1] > 1.5


def test_longer_steps_show_more_and_a_step_of_everything_shows_nothing():
    short, long = (seen(0.1, 2000, ((0.1, seconds),)) for seconds in (60.0, 86_400.0))
    assert short > long > 1
    assert math.isinf(smallest_seen(PodsKnown.said(0.1, 9), ((1.0, 600.0),), 0.01, 100, NEEDED))


def test_it_never_promises_what_no_judge_can():
    for rps in (20, 200, 2000):
        limit = smallest_detectable_ratio(rps, 0.1, 0.01, 1800.0)
        assert seen(0.02, rps) > 0.98 * limit


def test_nothing_and_everything():
    assert math.isinf(seen(0.1, 1e-6))
    assert seen(0.1, 1e4, needed=-50.0) == RATIOS[0]


def test_more_canary_pods_stray_less():
    known = PodsKnown.said(0.1, 9)
    found = [healthy_stray(known, pods, 9) for pods in (1, 2, 4, 90)]
    assert found == sorted(found, reverse=True)
    # Student's t with 8 degrees of freedom is above 2.896 once in a hundred.
    assert found[0] == pytest.approx(math.exp(0.1 * math.sqrt(1 + 1 / 9) * 2.896), rel=1e-3)
    assert healthy_stray(PodsKnown.said(3.0, 2), 1, 2) == pytest.approx(RATIOS[-1])


def test_of_pods_that_nobody_saw_the_judges_own_belief_is_told():
    known = PodsKnown.learned(PodVariation(np.array([True])))
    assert known.spread == pytest.approx(PRIOR_SPREAD)
    assert known.temper == pytest.approx(PRIOR_TEMPER)
    assert (known.wander, known.wander_seconds) == (0.0, 0.0)
    assert known.burst[0] > 0
