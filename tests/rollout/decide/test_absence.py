"""Absence is never consent: without a fresh word of the judge nothing goes on, and what waits for it has an end."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rollout.api.status import Outcome, Phase
from rollout.decide.decide import decide
from tests.rollout.decide.simulation import Simulation, serving, stepping_at
from tests.rollout.decide.test_rollbacks import baking

HOLD = {"analysis": {"no_data": {"action": "hold", "deadline": 60}}}


def silent(weight: int = 20, **changes) -> Simulation:
    """A release that holds at a weight, and whose judge is not heard any more."""
    made = stepping_at(weight, **(HOLD | changes))
    made.world.verdict = None
    return made


def test_a_step_that_nobody_judged_is_held_and_then_taken_back():
    made = silent()
    made.run(30)
    assert made.status.weight.desired == 20
    assert made.status.doubt == "no-data"
    assert made.status.waiting.reason.startswith("no-data: the judge has not been heard in this step; is taken back")
    made.until(Phase.ROLLED_BACK, limit=60)
    assert "no-data for 60 s" in made.status.last.outcome_reason


def test_restarts_do_not_begin_the_hold_anew():
    made = silent()
    for _ in range(12):
        made.run(6)
        made.restart()
    assert made.status.phase is not Phase.STEPPING


def test_where_nothing_is_declared_nothing_is_judged():
    made = serving(analysis={"signals": []})
    made.world.verdict = None
    made.world.want("v2", analysis={"signals": []})
    made.until(Phase.IDLE)
    assert made.status.stable.image == "v2"


@pytest.mark.parametrize("weight", [20, 50])
def test_between_two_weights_the_judge_must_still_be_heard(weight: int):
    made = stepping_at(weight, **HOLD)
    made.world.image("v2").most_ready = 1 if weight == 20 else 2
    made.reach(lambda: made.status.release.steps[-1].ended_at is not None)
    made.world.verdict = None
    made.run(2)
    made.world.image("v2").most_ready = 9
    made.run(20)
    assert made.status.weight.desired == weight
    assert made.status.doubt == "no-data"
    made.world.verdict = "undecided"
    made.until(Phase.IDLE)
    assert made.status.stable.image == "v2"


def test_a_person_who_promotes_needs_no_judge():
    made = silent()
    made.world.say("promote")
    made.until(Phase.BAKING)


def test_a_bake_that_nobody_judged_proves_nothing():
    made = serving(**HOLD)
    made.world.verdict = "undecided"
    made.world.want("v2", **HOLD)
    made.until(Phase.BAKING)
    made.world.verdict = None
    made.until(Phase.IDLE)
    assert made.status.last.outcome is Outcome.PROMOTED_NOT_PROVEN


def test_all_traffic_that_nobody_can_count_is_not_taken_for_no_traffic():
    made = stepping_at(50, **HOLD)
    made.reach(lambda: made.status.weight.desired == 100)
    made.world.countable, made.world.verdict = False, "source-down"
    made.run(20)
    assert made.status.phase is Phase.PROMOTING
    assert made.status.doubt == "source-down"
    made.world.countable, made.world.verdict = True, "good"
    made.until(Phase.BAKING)


# ------------------------------------------------------------------ clocks


def seen_late(made: Simulation, seconds: float):
    """A look that comes so much later than the one before, because nobody looked in between."""
    now = made.world.now + seconds
    seen = replace(made.world.observe(made.status, None), watching_since=now, assessment=None, assessed_at=None)
    return decide(made.world.spec, made.status, seen, now)[0]


def test_time_in_which_nobody_looked_is_no_time_held():
    made = silent()
    made.reach(lambda: made.status.doubt == "no-data")
    late = seen_late(made, 500)
    assert late.phase is Phase.STEPPING
    assert late.held_since == made.status.held_since + 500


def test_a_clock_that_was_lost_begins_now():
    made = baking()
    lost = made.status.model_copy(update={"phase_since": None})
    seen = made.world.observe(lost, None)
    found, _ = decide(made.world.spec, lost, seen, made.world.now)
    assert found.phase_since == made.world.now


# ------------------------------------------------------------------ what people said before


def test_a_manifest_that_is_applied_again_brings_no_old_word_back():
    made = stepping_at(5)
    made.world.say("pause")
    first = made.world.command
    made.look()
    for verb in ("resume", "pause", "resume"):
        made.world.say(verb)
        made.look()
    made.world.command = first
    made.run(1)
    assert made.status.paused is None
    assert made.status.command != first.id


def test_fifty_commands_are_remembered():
    made = stepping_at(5)
    for number in range(60):
        made.world.say("pause" if number % 2 else "resume")
        made.look()
    assert made.status.commands == [f"c{number}" for number in range(11, 61)]


def test_a_word_on_an_earlier_spec_changes_nothing():
    made = stepping_at(5)
    made.world.say("abort")
    made.world.command = made.world.command.model_copy(update={"generation": 1})
    made.look()
    assert made.status.phase is Phase.STEPPING
    assert made.status.command_answer == "it was said of an earlier spec, so there is nothing to do: say it again"
    made.world.say("abort")
    made.world.command = made.world.command.model_copy(update={"generation": 2})
    made.look()
    assert made.status.release.outcome is Outcome.ABORTED
