"""Which verdict has which policy."""

from __future__ import annotations

import pytest

from rollout.context import Context
from rollout.doubt import policy_of, step_may_end
from rollout.judge.verdicts import Verdict
from rollout.status import Status
from rollout.world import Observation
from tests.rollout.decide.simulation import EPOCH, spec_of


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
    assert step_may_end(context()).go_on
