"""A calm service with a long history is held to what it has shown; any other, and any floor that is named, stay."""

import numpy as np
import pytest

from rollout.judge import Judge, JudgePolicy, SignalKind, SignalPolicy
from rollout.judge.data.batch import Batch
from rollout.judge.evidence.battery import Evidence
from rollout.signals.kinds import SIGNAL_KINDS
from rollout.signals.looks import Arm, PodLook, SignalLook, SourceStatus
from tests.rollout.judge.traffic import EPOCH

PODS = 9
USUAL = SIGNAL_KINDS[SignalKind.ERRORS].floor
HOUR = 240


def healthy_rate(*, blocks=HOUR, tenfold=0.0, together=1, floor=None, kind=SignalKind.ERRORS, seed=0):
    """p0 after a history of nine pods that fail 0.1 % of 300 requests a block."""
    rng, evidence = np.random.default_rng(seed), Evidence(JudgePolicy(signals=(SignalPolicy("a", kind, floor=floor),)))
    for block in range(blocks):
        batch = Batch.empty(1)
        batch.looked[:], batch.at[:], batch.seconds[:] = True, 15.0 * (block + 1), 15.0
        mean = 0.3 * np.where(rng.random(PODS) < tenfold, 10, 1) / together
        batch.pods[0, 0, :PODS], batch.pods[1, 0, :PODS] = together * rng.poisson(mean), 300
        batch.counts[0, 2:] = batch.pods[:, 0].sum(axis=1)
        evidence.take_in(batch, np.array([False]))
    evidence.catch_up()
    return float(evidence._healthy.rates()[0][0])


def test_a_calm_service_is_held_to_its_own_rate():
    assert 0.001 < healthy_rate() < 0.4 * USUAL


@pytest.mark.parametrize(
    "otherwise",
    [{"blocks": 40}, {"tenfold": 0.03}, {"together": 5}, {"floor": USUAL}],
    ids=["short history", "bursts", "failures in fives", "a floor that the policy names"],
)
def test_all_others_are_held_to_the_floor(otherwise):
    assert healthy_rate(**otherwise) >= USUAL


def test_a_block_that_counting_does_not_explain_still_counts():
    rng, rates = np.random.default_rng(0), []
    for worst in (0, 40):
        evidence = Evidence(JudgePolicy(signals=(SignalPolicy("a", SignalKind.ERRORS),)))
        for block in range(HOUR):
            batch = Batch.empty(1)
            batch.looked[:], batch.at[:], batch.seconds[:] = True, 15.0 * (block + 1), 15.0
            batch.pods[0, 0, :PODS], batch.pods[1, 0, :PODS] = rng.poisson(0.3, PODS), 300
            batch.pods[0, 0, 0] += worst if block == 100 else 0
            batch.counts[0, 2:] = batch.pods[:, 0].sum(axis=1)
            evidence.take_in(batch, np.array([False]))
        evidence.catch_up()
        rates.append(float(evidence._healthy.rates()[0][0]))
    assert rates[1] > 0.05 > rates[0]


def test_a_fault_of_one_failure_a_second_is_seen_in_six():
    def look(at, seconds, canary):
        chance = rng.random(PODS) < 0.02 * seconds
        pods = {
            f"s{pod}": PodLook(Arm.STABLE, 9000, seconds, int(20 * seconds), {"5xx": int(chance[pod])})
            for pod in range(PODS)
        }
        pods["c"] = PodLook(Arm.CANARY, 9000, seconds, int(20 * seconds), {"5xx": canary})
        return [SignalLook("errors", EPOCH + at, SourceStatus.OK, pods)]

    policy = JudgePolicy(signals=(SignalPolicy("errors", SignalKind.ERRORS), SignalPolicy("slow", SignalKind.LATENCY)))
    judge, rng = Judge(policy), np.random.default_rng(0)
    for number in range(HOUR):
        pods = {f"s{at}": PodLook(Arm.STABLE, 9000, 15, 300, {"5xx": int(rng.poisson(0.3))}) for at in range(PODS)}
        judge.learn([SignalLook("errors", EPOCH + 15.0 * number - 3600, SourceStatus.OK, pods)])
    judge.begin_step(0.1)
    for number in range(1, 61):
        judge.look(EPOCH + number, look(float(number), 1.0, 0))
    for quarter in range(1, 41):
        at = 60 + quarter / 4
        judge.look(EPOCH + at, look(at, 0.25, int(quarter % 4 == 0)))
    assert judge.convicted_at is not None
    assert judge.convicted_at - EPOCH - 60 <= 6
