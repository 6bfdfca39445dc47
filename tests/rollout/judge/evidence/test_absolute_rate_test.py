"""Gross faults are known from what is healthy and from what stable shares, and both by what stable did before."""

import math

import numpy as np
import pytest

from rollout.judge import Judge
from rollout.judge.evidence.absolute_rate_test import (
    OUTAGE_WEIGHT,
    SHARED_RATES,
    SHARED_SHARES,
    AbsoluteRateTest,
)
from rollout.judge.model.onset_prior import OnsetPrior
from tests.rollout.judge.test_laws import ONE, binomial, counts
from tests.rollout.judge.traffic import ERRORS_ONLY, errors_look


def log_e(*looks, whole=True, healthy=0.01, stable_rate=0.005, alone=False, at_start=0.5):
    test = AbsoluteRateTest(np.array([whole]), OnsetPrior(1800.0, at_start))
    test.expect(ONE * healthy, ONE * stable_rate, ONE > 0)
    for look in looks:
        test.bet(counts(*look, whole=whole), ONE, alone=np.array([alone]))
    return float(test.log_e()[0])


@pytest.mark.parametrize("rate", [0.0, 0.004, 0.01])
def test_its_expectation_is_at_most_one_for_a_healthy_canary(rate):
    canary, stable = binomial(6, rate), binomial(6, 0.005)
    mean = sum(p * q * math.exp(log_e((x, 6, y, 6))) for x, p in enumerate(canary) for y, q in enumerate(stable))
    assert mean <= 1 + 1e-9


@pytest.mark.parametrize("share", SHARED_SHARES[1:])
def test_its_expectation_is_bounded_in_an_outage_that_stable_shares(share):
    canary, stable = binomial(6, share), binomial(6, share)
    mean = sum(
        p * q * math.exp(log_e((x, 6, y, 6), at_start=1.0)) for x, p in enumerate(canary) for y, q in enumerate(stable)
    )
    assert mean <= 1 / OUTAGE_WEIGHT


def test_gross_fault_convicts_in_a_few_failures_and_not_when_shared():
    clean, fault, outage = (0, 20, 0, 80), (10, 20, 0, 80), (10, 20, 40, 80)
    assert log_e(clean, clean, fault) > math.log(1000)
    assert log_e(clean, clean, outage, outage) < 0.5
    assert log_e(clean, outage, alone=True) > math.log(1000)


def test_gross_fault_per_exposure():
    assert log_e((2, 60, 0, 300), whole=False, healthy=2e-5, stable_rate=1e-5) > math.log(5)
    assert log_e((2, 60, 12, 300), whole=False, healthy=2e-5, stable_rate=1e-5) < 1.0
    assert len(SHARED_RATES) == len(SHARED_SHARES)


@pytest.mark.parametrize("every", [0.25, 1.0, 5.0])
def test_what_is_healthy_is_learned_before_the_first_block_is_over(every):
    """Without any history: two looks of stable are enough to find 30 % failures gross, and 2 % of both arms are not."""
    judge = Judge(ERRORS_ONLY)
    for k in range(1, 4):
        judge.look(k * every, [errors_look(k * every, (100, 0), (20, 0), every)])
    judge.look(4 * every, [errors_look(4 * every, (100, 0), (20, 6), every)])
    assert judge.signals()[0].log_e > math.log(100)
    shared = Judge(ERRORS_ONLY)
    for k in range(1, 60):
        shared.look(k * every, [errors_look(k * every, (100, 2 * (k > 3)), (20, int(k > 3 and k % 3 == 0)), every)])
    assert shared.convicted_at is None
