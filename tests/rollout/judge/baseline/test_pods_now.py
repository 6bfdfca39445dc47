"""Pods that are apart now are told from those that counting, clumps or lasting differences put apart."""

import math

import numpy as np
import pytest

from rollout.judge import Judge, JudgePolicy, SignalKind, SignalPolicy
from rollout.judge.baseline.pods_now import FEWEST, LASTS_SECONDS, PodsNow
from rollout.judge.data.batch import MOST_PODS
from rollout.signals.looks import Arm, PodLook, SignalLook, SourceStatus
from tests.rollout.judge.traffic import EPOCH

PODS = 9
FIRST = np.array([0])
POLICY = JudgePolicy(signals=(SignalPolicy("errors", SignalKind.ERRORS),))


def seen(failed, *, own=0.0, clumped=1.0, seconds=15.0, noise=0.0):
    now, counts = PodsNow(1), np.zeros((2, 1, MOST_PODS))
    counts[0, 0, : len(failed)], counts[1, 0, : len(failed)] = failed, 1000
    now.noise[:] = noise
    now.follow(
        FIRST, np.pad(np.broadcast_to(own, len(failed)), (0, MOST_PODS - len(failed)))[None], np.array([clumped])
    )
    now.see(*counts, np.array([seconds]))
    return float(now.noise[0])


def test_pods_that_an_outage_has_half_reached_are_as_far_apart_as_they_are():
    failed = np.array([10.0] * 5 + [300.0] * 4)
    squared = float((failed.std(ddof=1) / failed.mean()) ** 2)
    assert seen(failed) == pytest.approx(math.log1p(squared) * (1 + 1 / PODS) * (PODS + 3) / PODS, rel=0.05)


def test_counting_alone_puts_none_apart():
    rng = np.random.default_rng(1)
    found = [seen(rng.poisson(mean, PODS)) for mean in (0.05, 0.6, 5, 60) for _ in range(500)]
    assert np.mean(np.array(found) > 0) < 0.015
    assert max(found) < 0.3


def test_what_lasts_and_what_clumps_is_known_already():
    apart = np.log([1.0] * 5 + [3.0] * 4)
    assert seen(100 * np.exp(apart), own=apart) == 0.0
    assert seen(100 * np.exp(apart)) > 0.2
    fives = 5 * np.random.default_rng(2).poisson(2, PODS).astype(float)
    assert seen(fives, clumped=8.0) == 0.0


def test_few_failures_are_a_poor_measure():
    few, many = np.array([0.0] * 8 + [FEWEST]), np.array([0.0] * 8 + [300.0])
    assert seen(few) < 0.1 * seen(many)


def test_of_fewer_pods_one_more_is_farther_away():
    assert seen([10.0, 300.0, 10.0]) > seen([10.0, 300.0, 10.0] * 3)


def test_it_fades_and_never_below_what_is_seen_now():
    even = np.full(PODS, 100.0)
    assert seen(even, noise=1.0, seconds=180.0) > 0.5, "an outage of three minutes goes as it came"
    assert seen(even, noise=1.0, seconds=LASTS_SECONDS) == pytest.approx(math.exp(-1))
    assert seen(np.array([10.0] * 5 + [300.0] * 4), noise=0.1) > 0.5
    assert seen(np.array([10.0] * 5 + [300.0] * 4), seconds=0.0) == 0.0, "not judged, so that others change nothing"


def look(at, failed, size=3000):
    pods = {
        f"s{number}": PodLook(Arm.STABLE, 9000, 15, size, {"5xx": count}) for number, count in enumerate(failed[:-1])
    }
    if failed[-1] is not None:
        pods["c"] = PodLook(Arm.CANARY, 9000, 15, size, {"5xx": failed[-1]})
    return [SignalLook("errors", EPOCH + at, SourceStatus.OK, pods)]


def calm_service(rng):
    """A judge that has seen an hour of nine pods, and three minutes of the canary."""
    judge = Judge(POLICY)
    for number in range(240):
        judge.learn(look(15.0 * number - 3600, [*rng.poisson(6, PODS).tolist(), None]))
    judge.begin_step(0.1)
    for number in range(1, 13):
        judge.look(EPOCH + 15.0 * number, look(15.0 * number, rng.poisson(6, PODS + 1).tolist()))
    return judge


def test_an_outage_that_comes_pod_by_pod_is_not_the_canarys_and_a_fault_is():
    coming = [6, 7, 5, 6, 8, 20, 45, 90, 120, 130]
    judge = calm_service(np.random.default_rng(3))
    judge.look(EPOCH + 195, look(195, coming))
    assert judge.convicted_at is None
    restored = Judge.restore(POLICY, judge.save())
    everywhere, gone = [180] * (PODS + 1), [6, 5, 7, 6, 6, 5, 6, 7, 6, 40]
    for each in (judge, restored):
        each.look(EPOCH + 210, look(210, everywhere))
        each.look(EPOCH + 225, look(225, gone))
        assert each.convicted_at is None, "the canary is the last that it leaves"
    alone = calm_service(np.random.default_rng(3))
    alone.look(EPOCH + 195, look(195, [6, 7, 5, 6, 8, 5, 6, 7, 6, 130]))
    assert alone.convicted_at == EPOCH + 195, "stable's pods are as alike as ever"
