"""A canary that gets other requests than it was to get is not called good."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from rollout.judge import Judge, Verdict
from rollout.judge.evidence.sample_ratio_mismatch import LEVEL, SampleRatioTest
from tests.rollout.judge.traffic import EPOCH, ERRORS_ONLY, Traffic, play


@given(asked=st.floats(0.01, 0.99), requests=st.integers(1, 40))
@settings(deadline=None)
def test_expectation_is_one_when_requests_are_shared_as_asked(asked, requests):
    mean = sum(
        binom.pmf(canary, requests, asked) * math.exp(SampleRatioTest(asked, canary, requests - canary).log_e())
        for canary in range(requests + 1)
    )
    assert mean == pytest.approx(1.0, abs=1e-6)


def test_a_mismatch_needs_certainty_and_a_difference_that_matters():
    assert SampleRatioTest(0.2, 30, 70).mismatch() == ""
    assert "30.0% of 1000 requests reached the canary, 20.0% was asked for" in SampleRatioTest(0.2, 300, 700).mismatch()
    assert SampleRatioTest(0.2, 210_000, 790_000).log_e() > math.log(1 / LEVEL)
    assert SampleRatioTest(0.2, 210_000, 790_000).mismatch() == ""
    assert "0.0% of 500" in SampleRatioTest(0.2, 0, 500).mismatch()


@pytest.mark.parametrize("asked", [0.0, 1.0])
def test_without_two_arms_there_is_nothing_to_share(asked):
    assert SampleRatioTest(asked, 5, 500).log_e() == 0.0


def test_a_canary_with_half_the_requests_it_should_have_is_not_called_good():
    right, wrong = Judge(ERRORS_ONLY), Judge(ERRORS_ONLY)
    right.begin_step(0.2)
    wrong.begin_step(0.4)
    looks = list(Traffic(weight=0.2).looks(1, 60))
    assert play(right, looks).verdict is Verdict.GOOD
    withheld = play(wrong, looks)
    assert withheld.verdict is Verdict.UNDECIDED
    assert "40.0% was asked for" in withheld.reason
    assert Judge.restore(ERRORS_ONLY, wrong.save()).look(0.0, []).verdict is Verdict.UNDECIDED
    wrong.begin_step(0.2)
    assert play(wrong, Traffic(weight=0.2).looks(1, 120)).verdict is Verdict.GOOD


def test_a_bad_canary_is_bad_whatever_its_share():
    judge = Judge(ERRORS_ONLY)
    judge.begin_step(0.5)
    assert play(judge, Traffic(weight=0.2, onset=20, canary_fails=0.5).looks(1, 40)).verdict is Verdict.BAD


def test_requests_under_two_weights_are_never_counted_together():
    judge = Judge(ERRORS_ONLY)
    judge.begin_step(0.2, since=EPOCH)
    assert play(judge, Traffic(weight=0.2).looks(1, 60)).verdict is Verdict.GOOD
    judge.change_share(0.0)
    moving = play(judge, Traffic(weight=0.9).looks(2, 120))
    assert (moving.verdict, judge.share) == (Verdict.GOOD, 0.0), "held against no share, and what is proven stays so"
    judge.change_share(0.9, since=EPOCH + 120)
    assert play(judge, Traffic(weight=0.9).looks(3, 180)).verdict is Verdict.GOOD
    judge.change_share(0.9)
    judge.change_share(0.5)
    assert "50.0% was asked for" in play(judge, Traffic(weight=0.9).looks(4, 240)).reason


def test_a_look_that_began_under_another_weight_says_nothing_of_this_one():
    ratio = SampleRatioTest(0.5, since=100.0)
    ratio.count(0, 10_000, began=85.0)
    assert (ratio.canary, ratio.stable, ratio.mismatch()) == (0, 0, "")
    ratio.count(40, 60, began=100.0 - 1e-9)
    assert (ratio.canary, ratio.stable) == (40, 60), "sums of times are not exact"


def test_what_is_saved_of_it_keeps_its_keys():
    ratio = SampleRatioTest(0.5, 3, 4, since=100.0)
    assert ratio.saved() == {"asked": 0.5, "canary": 3, "stable": 4}
    assert SampleRatioTest(**ratio.saved()) == SampleRatioTest(0.5, 3, 4)
