"""Pods that a brief burst hits are left out of what the others, and a canary, are held against."""

import numpy as np
import pytest

from rollout.judge import Judge, JudgePolicy, SignalKind, SignalPolicy, Verdict
from rollout.judge.baseline.calm_others import CalmOthers, are_hit, of_calm_others
from rollout.signals.looks import Arm, PodLook, SignalLook, SourceStatus
from tests.rollout.judge.traffic import EPOCH

PODS, TENFOLD = 9, np.array([np.log(10)])
EDGES = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
USUAL = np.array([0.0, 0.001, 0.03, 0.19, 0.42, 0.32, 0.034, 0.003])
HEALTHY, HIT = 0.002, 0.2
"""Shares of the requests that time out, as a rule and while a pod is hit."""


def hit(failed, *, chance=0.03, size=300.0):
    counts = np.array([failed], dtype=float)
    there = np.full(counts.shape, size)
    return are_hit(counts, there, np.zeros(counts.shape), np.full(counts.shape, chance), TENFOLD)[0].tolist()


def test_the_pod_that_fails_as_a_burst_would_have_it_is_hit_also_beside_another():
    assert hit([6, 5, 60, 7, 4, 6, 5, 6, 7]) == [False] * 2 + [True] + [False] * 6
    assert hit([6, 5, 60, 7, 4, 55, 5, 6, 7]) == [False] * 2 + [True] + [False] * 2 + [True] + [False] * 3


def test_counting_an_outage_of_all_and_what_is_not_there_are_no_burst():
    assert not any(hit(np.random.default_rng(1).poisson(6, PODS)))
    assert not any(hit([60, 58, 63, 61, 60, 59, 62, 60, 57]))
    assert not any(hit([6, 5, 60, 7, 4, 6, 5, 6, 7], chance=0.0)), "there are no bursts"
    assert not any(hit([0] * PODS, size=0.0))


def test_each_is_held_against_the_calm_ones_and_against_all_where_none_is():
    counted = np.stack([np.array([[1.0, 2.0, 30.0]]), np.full((1, 3), 100.0)])
    assert of_calm_others(counted, np.array([[False, False, True]]))[0].tolist() == [[2.0, 1.0, 3.0]]
    assert of_calm_others(counted, np.array([[True, True, True]]))[0].tolist() == [[32.0, 31.0, 3.0]]


def left_out(calm, *, burst=60.0, share=0.04):
    """Whether a pod that is hit is left out, after blocks in which calm pods fail as ``calm`` draws."""
    rng, others = np.random.default_rng(3), CalmOthers(1)
    for _ in range(200):
        struck = rng.random((1, PODS)) < share
        others.see(np.array([0]), np.where(struck, burst, calm(rng)), np.ones((1, PODS)), struck)
    return bool(others.left_out(np.array([0]), np.eye(PODS, dtype=bool)[:1]).any())


def test_pods_are_left_out_only_beside_calm_ones_that_fail_now_and_then_one_by_one():
    assert left_out(lambda rng: rng.poisson(6, (1, PODS)))
    assert not left_out(lambda _: np.zeros((1, PODS))), "any clump would be a fault beside those"
    assert not left_out(lambda rng: 20.0 * rng.poisson(0.3, (1, PODS))), "failures come in clumps"
    assert not left_out(lambda rng: rng.poisson(0.001, (1, PODS)), share=0.0), "too few are known"


def latency(rng, at, arm_rates):
    pods = {}
    for name, (arm, rate) in arm_rates.items():
        requests = int(rng.poisson(300))
        late = int(rng.binomial(requests, rate))
        counts = [*rng.multinomial(requests - late, USUAL / USUAL.sum()).tolist(), 0, 0, late, 0]
        pods[name] = PodLook(arm, 9000.0, 15.0, requests=requests, latency_counts=tuple(counts))
    return SignalLook("latency", EPOCH + at, SourceStatus.OK, pods, edges_seconds=EDGES)


def course(seed, *, factor):
    """The verdict on a release amid time-outs, of which the canary has so many times as many."""
    rng = np.random.default_rng(seed)
    judge = Judge(JudgePolicy(signals=(SignalPolicy("latency", SignalKind.LATENCY),)))

    def rates(worse=None):
        shares = HEALTHY + HIT * (rng.random(PODS + 1) < 0.04)
        told = {f"s{pod}": (Arm.STABLE, shares[pod]) for pod in range(PODS)}
        return told if worse is None else told | {"c0": (Arm.CANARY, min(HEALTHY * worse + shares[-1] - HEALTHY, 1.0))}

    judge.learn([latency(rng, at, rates()) for at in np.arange(-2400.0, 1.0, 15.0)])
    for at in np.arange(15.0, 1200.0, 15.0):
        said = judge.look(EPOCH + at, [latency(rng, at, rates(factor))])
        if said.verdict is Verdict.BAD:
            return said.verdict, at
    return said.verdict, at


@pytest.mark.parametrize("seed", [0, 2, 3])
def test_more_time_outs_are_found_amid_those_that_come_in_bursts(seed):
    """Of three releases one was found before, after 18 minutes."""
    verdict, at = course(seed, factor=20)
    assert verdict is Verdict.BAD
    assert at <= 600


@pytest.mark.parametrize("seed", range(3))
def test_a_healthy_canary_amid_time_outs_stays(seed):
    assert course(seed, factor=1)[0] is not Verdict.BAD
