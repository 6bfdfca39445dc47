"""`good` knows what `bad` knows: that failures come together, and that pods differ."""

import numpy as np
import pytest

from rollout.judge import Judge, Verdict
from rollout.judge.baseline.pod_effects import luck, pod_effects
from rollout.signals.looks import Arm, PodLook, SignalLook, SourceStatus
from tests.rollout.judge.traffic import EPOCH, ERRORS_ONLY

REQUESTS = 1500


def ever_good(seed, *, ratio, clump=1, spread=0.0, rate=0.01):
    """Whether a canary that fails `ratio` times as often is called good within 20 minutes, after 20 of history."""
    rng, judge = np.random.default_rng(seed), Judge(ERRORS_ONLY)
    rates = rate * np.exp(rng.normal(0, spread, 10))
    rates[9] *= ratio
    for number in range(1, 161):
        failed = np.minimum(clump * rng.binomial(REQUESTS, rates / clump), REQUESTS)
        pods = {
            f"p{pod}": PodLook(Arm.CANARY if pod == 9 else Arm.STABLE, 900, 15.0, REQUESTS, {"5xx": int(failed[pod])})
            for pod in range(10)
        }
        looks = [SignalLook("errors", EPOCH + 15.0 * number, SourceStatus.OK, pods)]
        if number <= 80:
            judge.learn(looks)
        elif judge.look(looks[0].at, looks).verdict is not Verdict.UNDECIDED:
            return judge.look(looks[0].at, ()).verdict is Verdict.GOOD
    return False


@pytest.mark.parametrize(("clump", "spread"), [(20, 0.0), (5, 0.0), (1, 0.3)])
def test_twice_as_bad_is_not_good_where_failures_clump_or_pods_differ(clump, spread):
    assert sum(ever_good(seed, ratio=2.0, clump=clump, spread=spread) for seed in range(12)) <= 1


@pytest.mark.parametrize("clump", [1, 5])
def test_one_that_is_as_good_as_stable_is_called_so(clump):
    assert sum(ever_good(seed, ratio=1.0, clump=clump) for seed in range(5)) >= 4


def test_a_lucky_pod_is_as_rare_as_it_is_said_to_be():
    spread, pods = np.array([0.3]), np.array([9.0])
    better = luck(spread, pods, 0.05)[0]
    nodes, mass = pod_effects(spread, pods)
    assert mass[nodes > better].sum() == pytest.approx(0.05, abs=0.02)
    assert luck(spread, np.array([3.0]), 0.05)[0] > better
