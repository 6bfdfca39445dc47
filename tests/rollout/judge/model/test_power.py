"""The information limit: golden numbers and shapes."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rollout.judge import (
    detection_limit_seconds,
    promotion_limit_seconds,
    smallest_detectable_ratio,
    worst_case_failed_requests,
)
from rollout.judge.model.power import kl_two_sample


def test_golden_divergence():
    information = kl_two_sample(150, 1350, 0.02, 0.01)
    assert information == pytest.approx(0.5136671387, abs=1e-9)
    assert math.log(100) / information == pytest.approx(8.9653, abs=1e-4)


@pytest.mark.parametrize(
    ("rps", "rate", "ratio", "seconds"),
    [(100, 0.01, 1.5, 475), (100, 0.01, 2, 134), (10, 0.01, 10, 41), (1000, 0.001, 3, 41), (100, 0.001, 10, 42)],
)
def test_table_of_limits(rps, rate, ratio, seconds):
    assert detection_limit_seconds(rps, 0.1, rate, ratio, 0.01) == pytest.approx(seconds, rel=0.02)


@given(rps=st.floats(1, 1000), weight=st.floats(0.01, 0.9), rate=st.floats(1e-4, 0.05), hold=st.floats(10, 3600))
@settings(deadline=None, max_examples=40)
def test_the_smallest_ratio_takes_just_the_hold(rps, weight, rate, hold):
    ratio = smallest_detectable_ratio(rps, weight, rate, hold)
    if math.isfinite(ratio):
        assert ratio > 1
        assert detection_limit_seconds(rps, weight, rate, ratio) <= hold * 1.001


def test_what_cannot_be_seen():
    assert detection_limit_seconds(100, 0.1, 0.01, 1.0) == math.inf
    assert detection_limit_seconds(0, 0.1, 0.01, 2.0) == math.inf
    assert smallest_detectable_ratio(0.01, 0.1, 0.001, 10) == math.inf
    assert smallest_detectable_ratio(1e9, 0.5, 0.01, 1e9) == pytest.approx(1.0, abs=1e-3)


def test_promotion_and_worst_case():
    assert promotion_limit_seconds(100, 0.1, 0.001, 0.01) == pytest.approx(44, rel=0.05)
    assert promotion_limit_seconds(100, 0.1, 0.02, 0.01) == math.inf
    assert worst_case_failed_requests(100, 0.2, 1.5, 0.5) == pytest.approx(15)
    assert worst_case_failed_requests(100, 0.2, 60, blast_budget=50) == 50
