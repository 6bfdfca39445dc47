"""Steps that wait for approvals: which count, what is said of the others, and that nothing else opens the gate."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rollout.api.status import Approved, Outcome, Phase
from rollout.decide.approval import APPROVAL, UNKNOWN_REQUESTER
from rollout.decide.observation import ApprovalFacts
from rollout.engine.conditions import conditions_of
from rollout.forecast.next_step import outlook
from rollout.forecast.plan import plan_of
from rollout.view.planned import plan_text
from rollout.view.scene import describe
from tests.rollout.decide.approving import ONE, TWO_OF_SRE, releasing
from tests.rollout.decide.told import said, story
from tests.rollout.decide.world import NAME

NO_GATE = {"gate": "none"}


def test_the_step_waits_until_it_is_approved_and_says_by_whom():
    made = releasing(ONE)
    assert (made.status.phase, made.status.weight.desired) == (Phase.PREPARING, 0)
    waiting = made.status.waiting
    assert (waiting.gate, waiting.unblock) == (APPROVAL, "1 approval (`release approve`)")
    assert made.said == "step 1 waits for 1 approval: there is none; `release approve --step 1`"
    given = made.approve("ann", reason="looks well")
    made.look()
    assert (made.status.phase, made.status.weight.desired) == (Phase.STEPPING, 20)
    assert ("gate", "step 1 opened by approval of ann (looks well)", None) in story(made)
    assert made.status.release.approvals == [Approved(step=1, approver="ann", reason="looks well", at=given.made_at)]
    made.until(Phase.IDLE)
    assert made.status.last.outcome is Outcome.PROMOTED
    assert [each.approver for each in made.status.last.approvals] == ["ann"]


def test_so_many_different_people_of_the_group():
    made = releasing(TWO_OF_SRE)
    made.approve("ann")
    made.approve("ann", reason="once more")
    made.approve("dan", groups=["dev"])
    made.run(2)
    assert made.status.weight.desired == 0
    assert made.said == (
        "step 1 waits for 2 approvals of group sre: of 3, 1 counts (ann), 1 is by nobody of group sre, "
        "1 is by somebody who is counted already; `release approve --step 1`"
    )
    made.approve("cid")
    made.look()
    assert made.status.weight.desired == 20
    assert [(each.approver, each.group) for each in made.status.release.approvals] == [("ann", "sre"), ("cid", "sre")]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"revision": "shop-00000000"}, "1 is for revision shop-00000000"),
        ({"attempt": "an-earlier-one"}, "1 is for another attempt"),
        ({"digest": "sha256:" + 64 * "0"}, "1 is for another spec"),
        ({"step": 2}, "1 is for step 2"),
        ({"expires": 1_800_000_001.0}, "1 is expired"),
        ({"made_at": 1_799_999_999.0}, "1 is from before its policy stood"),
        ({"approver": "bob"}, "1 is by who asked for the version"),
        ({"approver": "oidc:Bob@example.com"}, "1 is by who asked for the version"),
    ],
)
def test_what_does_not_count_is_told(changes, why):
    made = releasing(ONE, NO_GATE)
    made.approve(**changes)
    made.run(2)
    assert made.status.weight.desired == 0
    assert f"of 1, 0 count, {why}" in made.said


def test_all_steps_may_be_approved_at_once_and_each_is_counted():
    made = releasing(ONE, ONE)
    made.approve("ann", "all")
    made.until(Phase.IDLE)
    assert made.status.last.outcome is Outcome.PROMOTED
    assert [each.step for each in made.status.last.approvals] == [1, 2]


def test_one_that_is_taken_back_before_the_step_closes_the_gate_again_and_later_changes_nothing():
    made = releasing(NO_GATE, ONE, seconds=4)
    made.approve("ann", 2)
    made.run(1)
    assert made.status.weight.desired == 20, "the first step is not over"
    made.world.given.clear()
    made.run(20)
    assert (made.status.weight.desired, made.status.waiting.gate) == (20, APPROVAL)
    made.approve("ann", 2)
    made.look()
    assert made.status.weight.desired == 40
    made.world.given.clear()
    made.until(Phase.IDLE)
    assert made.status.last.outcome is Outcome.PROMOTED


def test_one_that_expires_before_the_step_counts_no_more():
    made = releasing(NO_GATE, ONE, seconds=4)
    made.approve("ann", 2, expires=made.world.now + 1)
    made.run(20)
    assert made.status.weight.desired == 20
    assert "1 is expired" in made.said


def test_a_spec_that_changes_in_flight_needs_new_approvals():
    made = releasing(NO_GATE, ONE)
    made.approve("ann", 2)
    changed = made.world.spec.model_dump()
    changed["strategy"]["bake"] = 7
    made.world.spec = type(made.world.spec).model_validate(changed)
    made.run(20)
    assert made.status.weight.desired == 20
    assert "1 is for another spec" in made.said


def test_an_approval_is_not_for_the_next_attempt():
    made = releasing(ONE)
    made.approve("ann")
    made.look()
    made.world.say("abort")
    made.until(Phase.ROLLED_BACK)
    made.world.say("retry")
    made.run(30)
    assert (made.status.phase, made.status.weight.desired) == (Phase.PREPARING, 0)
    assert "1 is for another attempt" in made.said


@pytest.mark.parametrize(
    "facts", [{"problem": "the policy is not on the cluster"}, {"unreadable": 1}], ids=["distrusted", "unreadable"]
)
def test_what_cannot_be_believed_or_read_is_no_approval(facts):
    made = releasing(ONE)
    for name, value in facts.items():
        setattr(made.world, name, value)
    if made.world.problem:
        made.approve("ann")
    made.run(2)
    assert made.status.weight.desired == 0
    assert (made.world.problem or "1 is unreadable or edited") in made.said
    made.world.problem, made.world.given[:] = "", []
    made.approve("ann")
    made.look()
    assert made.status.weight.desired == 20


def test_nobody_looked_is_no_approval():
    assert ApprovalFacts().problem
    assert replace(ApprovalFacts(), problem="").given == ()


def test_where_nobody_knows_who_asked_one_person_more_has_to_approve():
    made = releasing(ONE, asked_by="")
    made.approve("ann")
    made.run(2)
    assert made.status.weight.desired == 0
    assert made.said.startswith("step 1 waits for 2 approvals: of 1, 1 counts (ann)")
    assert UNKNOWN_REQUESTER in made.said
    made.approve("cid")
    made.look()
    assert made.status.weight.desired == 20


def test_promote_opens_no_gate_of_approvals_and_says_the_right_verb():
    made = said(releasing(ONE), "promote")
    assert (made.status.command_done, made.status.weight.desired) == (False, 0)
    assert made.status.command_answer == (
        "promote opens no gate of approvals: step 1 waits for 1 approval: there is none; `release approve --step 1`"
    )


def test_promote_jumps_over_no_gate_of_approvals_that_is_still_to_come():
    made = releasing(NO_GATE, NO_GATE, ONE).until(Phase.STEPPING)
    said(made, "promote")
    assert made.status.command_done is False
    assert "`release approve --step 3`" in made.status.command_answer
    made.approve("ann", 3)
    said(made, "promote")
    assert made.status.command_done is True
    assert [each.approver for each in made.status.release.approvals] == ["ann"]
    made.until(Phase.IDLE)
    assert made.status.last.outcome is Outcome.PROMOTED


def test_a_manual_gate_before_it_is_opened_as_ever():
    made = said(releasing({"gate": "manual"}, ONE), "promote")
    assert made.status.command_done is True
    made.run(20)
    assert (made.status.weight.desired, made.status.waiting.gate) == (20, APPROVAL)


def test_a_bad_verdict_is_taken_back_from_behind_the_gate():
    made = releasing(NO_GATE, ONE)
    made.run(20)
    made.world.image("v2").verdict = "bad"
    made.until(Phase.ROLLED_BACK, limit=10)
    assert made.status.last.outcome is Outcome.ROLLED_BACK


def test_the_first_version_comes_without_steps_and_so_without_approvals():
    made = releasing(ONE)
    assert made.status.last.to_version.image == "v1"
    assert made.status.last.approvals == []


def test_plan_and_status_tell_it():
    made = releasing(NO_GATE, TWO_OF_SRE)
    plan = plan_of(NAME, made.world.spec, made.status, now=made.world.now)
    assert [step.gate for step in plan.steps] == ["none", APPROVAL]
    assert "the step to 40 % waits for 2 approvals of group sre (`release approve`): the end is open" in plan.warnings
    assert "gate: approval" in plan_text(plan)
    made.run(20)
    ahead = outlook(made.world.spec, made.status, made.world.now)
    assert ahead.text == made.said, "as the engine told it last"
    scene = describe("shop", made.world.spec, made.status, made.world.now)
    assert dict(scene.facts)["waits"].startswith("step 2 waits for 2 approvals of group sre: there is none")
    [condition] = [each for each in conditions_of(made.context()) if each.type == "Waiting"]
    assert (condition.status, condition.reason) == ("True", "Approval")
