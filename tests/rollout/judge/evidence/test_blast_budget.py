"""A blast budget is held to the request where a service is calm, and allows for what its healthy pods do."""

import numpy as np
import pytest

from rollout.judge import Judge, JudgePolicy, Verdict
from rollout.signals.looks import Arm, PodLook, SignalLook, SourceStatus
from tests.rollout.judge.traffic import EPOCH, ERRORS

FLOOR = 0.9
"""No evidence convicts here: a tolerance of fifty and a floor of 90 % are asked for."""


def released(rps, pods, factor, seed, *, budget=100, errors=0.01, minutes=10):
    """The verdict on a canary that fails so many times as often as stable, whose pods fail by these factors."""
    rng = np.random.default_rng(seed)
    signal = ERRORS.__class__("errors", ERRORS.kind, tolerance=50.0, floor=FLOOR)
    judge = Judge(JudgePolicy(signals=(signal,), blast_budget=budget))
    rates, each = errors * np.append(pods, factor), rps * 15 / (len(pods) + 1)
    for look in range(-120, round(4 * minutes)):
        requests = rng.poisson(each, len(rates))
        failed = rng.binomial(requests, rates)
        shown = {
            f"p{at}": PodLook(
                Arm.CANARY if at == len(pods) else Arm.STABLE,
                900.0 if at < len(pods) else 60.0,
                15.0,
                int(requests[at]),
                {"5xx": int(failed[at])},
            )
            for at in range(len(rates))
            if at < len(pods) or look >= 0
        }
        its = SignalLook("errors", EPOCH + 15.0 * look, SourceStatus.OK, shown)
        if look < 0:
            judge.learn([its])
        elif judge.look(its.at, [its]).verdict is Verdict.BAD:
            return look + 1
    return None


@pytest.mark.parametrize("rps", [200, 2000, 20_000])
def test_a_healthy_canary_among_pods_that_differ_never_spends_it_however_much_traffic_there_is(rps):
    pods = np.exp(np.random.default_rng(7).normal(0, 0.6, 9))
    assert released(rps, pods, np.exp(0.9), 1) is None


@pytest.mark.parametrize(("rps", "within"), [(200, 14), (2000, 2), (20_000, 1)])
def test_a_bad_one_of_a_calm_service_spends_it_as_soon_as_that_many_failed(rps, within):
    assert released(rps, np.ones(9), 5.0, 1) <= within


def test_a_larger_budget_is_never_spent_sooner():
    found = [released(1000, np.ones(9), 4.0, 3, budget=budget) for budget in (50, 200, 800)]
    assert found == sorted(found)
