"""What a person's word does in each phase."""

from __future__ import annotations

import pytest

from rollout.api.spec import Spec
from rollout.api.status import Outcome, Phase
from tests.rollout.decide.simulation import Simulation, serving, stepping_at
from tests.rollout.decide.test_rollbacks import PHASES, baking, preparing, promoting
from tests.rollout.decide.world import World, revision, spec_of


def gated(*gates: int) -> dict:
    weights = (5, 20, 50)
    made = [{"weight": weights[at], "hold": 10, "gate": "manual" if at in gates else "none"} for at in range(3)]
    return {"strategy": {"steps": made}}


def answered(made: Simulation, verb: str, **rest: str) -> str:
    made.world.say(verb, **rest)
    made.look()
    return made.status.command_answer


# ------------------------------------------------------------------ pause and resume


@pytest.mark.parametrize("phase", PHASES)
def test_pause_holds_and_resume_goes_on(phase: str):
    made = PHASES[phase]()
    assert answered(made, "pause", reason="lunch") == "paused"
    assert made.journal()[-1] in {"paused: paused by ann: lunch", "ready: 1 of 1 canary pods ready"}
    made.world.accepts = True
    made.world.image("v2").most_ready = 9
    weight = made.status.weight.desired
    made.run(200)
    assert made.status.phase is not Phase.IDLE
    assert made.status.weight.desired in {weight, 0}
    assert answered(made, "pause") == "it is paused already"
    assert answered(made, "resume") == "resumed"
    assert answered(made, "resume") == "it is not paused"
    made.until(Phase.IDLE)
    assert made.status.stable.image == "v2"


def test_a_paused_canary_is_still_taken_back():
    made = stepping_at(20)
    answered(made, "pause")
    made.world.image("v2").verdict = "bad"
    made.look()
    assert made.status.phase is Phase.ROLLING_BACK
    assert made.status.paused is None


def test_a_command_does_not_hold_up_a_bad_verdict():
    made = stepping_at(20)
    made.world.image("v2").verdict = "bad"
    assert answered(made, "pause") == "paused"
    assert made.status.phase is Phase.ROLLING_BACK


def test_paused_bake_keeps_the_way_back():
    made = baking()
    answered(made, "pause")
    made.run(100)
    made.world.image("v2").verdict = "bad"
    made.until(Phase.ROLLED_BACK)
    assert made.world.route == {revision("v1"): 100}


def test_paused_bake_keeps_a_third_version_out():
    made = baking()
    answered(made, "pause")
    made.world.want("v3")
    made.run(60)
    assert made.status.phase is Phase.BAKING
    assert made.status.stable.image == "v2"


def test_pause_while_idle_keeps_releases_from_starting():
    made = serving()
    assert answered(made, "pause") == "paused"
    made.world.want("v2")
    made.run(30)
    assert made.status.phase is Phase.IDLE
    answered(made, "resume")
    made.until(Phase.STEPPING)


def test_pause_during_a_rollback_keeps_the_next_release_out_but_not_the_rollback():
    made = stepping_at(20)
    made.world.want("v3")
    made.until(Phase.ROLLING_BACK)
    answered(made, "pause")
    made.run(30)
    assert made.status.phase is Phase.IDLE
    assert made.world.route == {revision("v1"): 100}
    answered(made, "resume")
    made.until(Phase.STEPPING)


def test_a_hold_begins_anew_after_a_pause():
    made = serving(analysis={"no_data": {"action": "hold", "deadline": 20, "then": "roll-back"}})
    made.world.want("v2", analysis={"no_data": {"action": "hold", "deadline": 20, "then": "roll-back"}})
    made.world.verdict = "no-data"
    made.reach(lambda: made.status.doubt == "no-data")
    answered(made, "pause")
    made.run(100)
    answered(made, "resume")
    made.run(10)
    assert made.status.phase is Phase.STEPPING
    made.until(Phase.ROLLED_BACK, limit=15)


# ------------------------------------------------------------------ gates


def test_gates_wait_for_a_person_each():
    made = serving(**gated(0, 2))
    made.world.want("v2", **gated(0, 2))
    made.run(100)
    assert made.status.phase is Phase.PREPARING
    assert answered(made, "promote") == "gate of step 1 opened"
    made.run(60)
    assert made.status.weight.desired == 20
    assert made.status.step == 2
    assert answered(made, "promote", reason="looks fine") == "gate of step 3 opened"
    assert "gate: step 3 opened by ann: looks fine" in made.journal()
    made.until(Phase.IDLE)
    assert made.weights == [0, 5, 20, 50, 100, 0]


def test_gate_opened_before_the_pods_are_ready_stays_open():
    made = serving(**gated(0))
    made.world.want("v2", **gated(0))
    made.look()
    assert answered(made, "promote") == "gate of step 1 opened"
    made.until(Phase.STEPPING)


def test_first_release_has_no_gate():
    made = Simulation(World(spec_of("v1", **gated(0))))
    made.look()
    assert answered(made, "promote") == "nothing to promote: the phase is Preparing"
    made.until(Phase.IDLE)


@pytest.mark.parametrize("gate", [0, 2])
def test_one_moved_pod_after_an_hour_at_a_gate_is_not_late(gate: int):
    made = serving(**gated(gate))
    made.world.want("v2", **gated(gate))
    made.reach(lambda: made.status.step == gate and made.status.phase in {Phase.PREPARING, Phase.STEPPING})
    made.run(1000, every=1)
    made.world.image("v2").most_ready = 0 if gate == 0 else 1
    made.run(30)
    assert made.status.phase in {Phase.PREPARING, Phase.STEPPING}
    assert made.status.doubt == "not-ready"
    made.world.image("v2").most_ready = 9
    made.run(1)
    assert made.status.doubt == ""
    answered(made, "promote")
    made.until(Phase.IDLE)


def test_never_ready_is_told_at_a_gate_too():
    made = serving(**gated(0))
    made.world.image("v2").ready = False
    made.world.want("v2", **gated(0))
    made.until(Phase.ROLLED_BACK, limit=70)


# ------------------------------------------------------------------ promote


def test_promote_in_a_step_skips_the_rest():
    made = stepping_at(5)
    assert answered(made, "promote") == "promoting in full"
    made.until(Phase.IDLE)
    assert made.weights == [0, 5, 100, 0]
    assert made.status.last.outcome is Outcome.PROMOTED
    assert made.status.last.steps[0].ended_at is not None


def test_promote_in_a_pause_resumes():
    made = stepping_at(5)
    answered(made, "pause")
    answered(made, "promote")
    made.until(Phase.BAKING)


def test_pause_after_promote_holds_the_last_raise():
    made = stepping_at(5)
    made.world.image("v2").most_ready = 1
    answered(made, "promote")
    answered(made, "pause")
    made.world.image("v2").most_ready = 9
    made.run(30)
    assert made.status.weight.desired == 5


@pytest.mark.parametrize("paused", [True, False])
def test_promote_ends_the_bake(*, paused: bool):
    made = baking()
    if paused:
        answered(made, "pause")
    assert answered(made, "promote") == "bake ended"
    made.run(1)
    assert made.status.phase is Phase.IDLE


def test_promote_where_nothing_is_to_be_promoted():
    assert answered(preparing(), "promote") == "nothing to promote: the phase is Preparing"
    assert answered(promoting(), "promote") == "nothing to promote: the phase is Promoting"
    assert answered(serving(), "promote") == "nothing to promote: the phase is Idle"


# ------------------------------------------------------------------ the rest


def test_abort_where_nothing_is_to_be_aborted():
    assert answered(serving(), "abort") == "nothing to abort: the phase is Idle"
    made = stepping_at(20)
    made.world.want("v1")
    made.until(Phase.ROLLING_BACK)
    assert answered(made, "abort") == "nothing to abort: it is being taken back already"


def test_retry_of_what_was_not_refused():
    assert answered(serving(), "retry") == f"{revision('v1')} was not refused: nothing to retry"


def test_unknown_verb_is_answered():
    told = "unknown verb 'jump': abort, pause, promote, resume, retry"
    assert answered(serving(), "jump") == told


def test_a_command_is_carried_out_once():
    made = stepping_at(20)
    answered(made, "pause")
    made.restart()
    made.run(5)
    assert sum("paused" in line for line in made.journal()) == 1


def test_specs_are_specs():
    assert Spec.model_validate(spec_of("v1", **gated(1)).wire()) == spec_of("v1", **gated(1))
