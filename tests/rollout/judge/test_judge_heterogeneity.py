"""What stable's pods teach, and what the judge does while they have not."""

import numpy as np
import pytest

from rollout.judge import Judge, Verdict
from rollout.judge.heterogeneity import MOST_PODS, PRIOR_TEMPER, Noise
from rollout.judge.ratio import pod_effects
from rollout.judge.tally import PodShares
from rollout.looks import Arm, PodLook, SignalLook, SourceStatus
from tests.rollout.judge.traffic import EPOCH, ERRORS_ONLY

REQUESTS = 300


def taught(rng, *, pods=9, blocks=120, rate=0.01, spread=0.0, burst=0.0):
    """Noise after so many blocks of pods that differ by `spread` and fail ten times as often in a `burst`."""
    noise = Noise()
    rates = rate * np.exp(rng.normal(0, spread, pods))
    for block in range(blocks):
        hit = np.where(rng.random(pods) < burst, 10.0, 1.0)
        failed = rng.binomial(REQUESTS, np.minimum(rates * hit, 1.0)).astype(float)
        shares = PodShares(tuple(f"p{i}" for i in range(pods)), failed[:, None], np.full(pods, float(REQUESTS)))
        assert noise.add(15.0 * (block + 1), 15.0, shares, whole=True)
    return noise


def test_quiet_pods_allow_nearly_the_full_likelihood():
    noise = taught(np.random.default_rng(1))
    assert noise.enough
    assert float(noise.tempers()[0]) > 0.6
    assert noise.nodes()[0][-1] < 0.5 * pod_effects(0.3, 5)[-1]


def test_bursts_temper_the_likelihood_and_widen_what_is_healthy():
    noise = taught(np.random.default_rng(2), burst=0.05)
    assert float(noise.tempers()[0]) < 0.4
    assert float(noise.worst[0]) > 0.03


def test_lasting_differences_widen_the_pod_effect():
    alike, apart = (taught(np.random.default_rng(3), spread=spread) for spread in (0.0, 0.6))
    assert apart.nodes()[0][-1] > 2 * alike.nodes()[0][-1]


@pytest.mark.parametrize(("pods", "blocks"), [(1, 200), (3, 2)])
def test_little_history_stays_near_the_prior(pods, blocks):
    noise = taught(np.random.default_rng(4), pods=pods, blocks=blocks)
    assert not noise.enough
    assert float(noise.tempers()[0]) == pytest.approx(PRIOR_TEMPER, abs=0.03)


def test_pods_come_and_go_and_only_so_many_are_remembered():
    noise = Noise()
    for block in range(3):
        names = tuple(f"p{block * 6 + i}" for i in range(6))
        noise.add(15.0 * (block + 1), 15.0, PodShares(names, np.ones((6, 1)), np.full(6, 100.0)), whole=True)
    assert len(noise.pods) == MOST_PODS
    assert noise.failed.sum() == MOST_PODS


def test_short_looks_fill_one_block():
    noise = Noise()
    shares = PodShares(("a", "b"), np.ones((2, 1)), np.full(2, 10.0))
    closed = [noise.add(0.25 * (k + 1), 0.25, shares, whole=True) for k in range(120)]
    assert sum(closed) == 2
    assert noise.failed.sum() == 240


def recorded(rng, judge, seconds, canary_rate, spread=0.3):
    """Nine noisy stable pods and one canary pod at 200 rps, looked at every 15 s."""
    rates = 0.004 * np.exp(rng.normal(0, spread, 10))
    rates[9] = canary_rate
    for number in range(1, seconds // 15 + 1):
        hit = np.where(rng.random(10) < 0.03, 10.0, 1.0)
        failed = rng.binomial(REQUESTS, np.minimum(rates * hit, 1.0))
        pods = {
            f"p{i}": PodLook(Arm.STABLE if i < 9 else Arm.CANARY, 900, 15.0, REQUESTS, {"5xx": int(failed[i])})
            for i in range(10)
        }
        at = EPOCH + 15.0 * number
        looks = [SignalLook("errors", at, SourceStatus.OK, pods)]
        if number <= 60:
            judge.learn(looks)
        elif judge.look(at, looks).verdict is Verdict.BAD:
            return at - EPOCH - 900
    return None


def test_noisy_healthy_pods_stay_and_a_real_fault_among_them_goes():
    healthy = [recorded(np.random.default_rng(s), Judge(ERRORS_ONLY), 2700, 0.005) for s in range(8)]
    faulty = [recorded(np.random.default_rng(s), Judge(ERRORS_ONLY), 2700, 0.05) for s in range(4)]
    assert healthy == [None] * 8
    assert all(delay is not None and delay <= 300 for delay in faulty)
