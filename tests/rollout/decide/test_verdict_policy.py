"""Which verdict has which policy."""

from __future__ import annotations

import pytest

from rollout.api.status import Status
from rollout.decide.context import Context
from rollout.decide.observation import Observation
from rollout.decide.verdict_policy import policy_of, step_may_end
from rollout.judge.verdict.verdicts import Assessment, Verdict
from tests.rollout.decide.world import EPOCH, spec_of


def context(**analysis) -> Context:
    return Context(spec_of("v1", analysis=analysis), Status(), Observation("r", "v1", 1), EPOCH)


@pytest.mark.parametrize("verdict", Verdict)
def test_every_verdict_but_good_and_bad_has_a_policy(verdict: Verdict):
    assert (policy_of(context(), verdict.value) is None) is (verdict in {Verdict.GOOD, Verdict.BAD})


def test_policies_are_not_mixed_up():
    deadlines = {"undecided": 1, "no_traffic": 2, "no_data": 3, "source_down": 4}
    ctx = context(**{key: {"deadline": seconds} for key, seconds in deadlines.items()})
    for key, seconds in deadlines.items():
        assert policy_of(ctx, key.replace("_", "-")).deadline == seconds


def test_a_step_that_nobody_judges_may_end():
    assert step_may_end(context(signals=[])).go_on


def test_where_something_is_to_be_judged_silence_is_no_data():
    held = step_may_end(context(no_data={"action": "hold", "deadline": 60}))
    assert not held.go_on
    assert (held.status.doubt, held.status.held_since) == ("no-data", EPOCH)


@pytest.mark.parametrize(("asked", "goes_on"), [(None, False), (EPOCH - 1, False), (EPOCH, True)])
def test_what_the_judge_said_of_an_earlier_step_is_of_no_use(asked: float | None, *, goes_on: bool):
    good = Assessment(Verdict.GOOD, 0.0, (), 0.0, None, "fine")
    seen = Observation("r", "v1", 1, assessment=good, assessed_at=asked)
    ctx = Context(spec_of("v1"), Status(verified_at=EPOCH), seen, EPOCH + 10)
    assert step_may_end(ctx).go_on is goes_on
