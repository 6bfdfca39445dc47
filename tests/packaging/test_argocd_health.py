"""Argo CD's health check of a release, run by a Lua of the version that Argo CD has, over statuses of the engine."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from lupa.lua51 import LuaRuntime

from rollout.api.status import Condition, Phase, Status
from tests.rollout.decide.simulation import Simulation, serving, stepping_at
from tests.rollout.decide.world import World, spec_of

ROOT = Path(__file__).parents[2]
SCRIPT = (ROOT / "packaging" / "argocd" / "health.lua").read_text()
GATED = {"strategy": {"steps": [{"weight": 5, "gate": "manual"}]}}


def health(manifest) -> tuple[str, str]:
    """Status and message, as Argo CD gets them: it gives the object as `obj`, and no library that reaches outside."""
    lua = LuaRuntime(unpack_returned_tuples=True)
    lua.execute("os, io, package, require, dofile, loadfile, debug = nil")
    lua.globals()["obj"] = lua.table_from(manifest, recursive=True)
    answer = dict(lua.execute(SCRIPT))
    assert set(answer) == {"status", "message"}
    return answer["status"], answer["message"]


def of(status: Status | dict, generation: int = 1) -> tuple[str, str]:
    """Of a release whose engine has written this status."""
    wire = json.loads(json.dumps(status.wire() if isinstance(status, Status) else status))
    return health({"metadata": {"name": "shop", "generation": generation}, "status": wire})


def released(image: str = "v2", **changes) -> Simulation:
    made = serving(**changes)
    made.world.want(image, **changes)
    return made


def bad() -> Simulation:
    made = stepping_at(20)
    made.world.image("v2").verdict = "bad"
    return made


def paused() -> Simulation:
    made = stepping_at(20)
    made.world.say("pause", reason="lunch")
    return made.reach(lambda: made.status.paused is not None)


def gated() -> Simulation:
    made = released(**GATED)
    return made.reach(lambda: made.status.waiting is not None and bool(made.status.waiting.gate))


MOMENTS = {
    Phase.IDLE: (serving, "Healthy", "v1 serves"),
    Phase.PREPARING: (lambda: released().until(Phase.PREPARING), "Progressing", "v2 is made ready: 0 of"),
    Phase.STEPPING: (lambda: stepping_at(20), "Progressing", "step 2 of 3, v2 has 20 % of the traffic: 20 % is judged"),
    Phase.PROMOTING: (lambda: released().until(Phase.PROMOTING), "Progressing", "v2 has 50 % of the traffic: "),
    Phase.BAKING: (
        lambda: released().until(Phase.BAKING),
        "Progressing",
        "v2 serves and is watched: the version before",
    ),
    Phase.ROLLING_BACK: (lambda: bad().until(Phase.ROLLING_BACK), "Degraded", "is being taken back: "),
    Phase.ROLLED_BACK: (lambda: bad().until(Phase.ROLLED_BACK), "Degraded", "taken back: "),
}


@pytest.mark.parametrize("phase", Phase)
def test_every_phase_of_the_engine_has_an_answer(phase):
    make, status, message = MOMENTS[phase]
    made = make()
    assert made.status.phase is phase
    found = of(made.status)
    assert found[0] == status
    assert found[1].startswith(message), found


def test_why_it_was_taken_back_is_said():
    made = bad().until(Phase.ROLLED_BACK)
    [refusal] = made.status.refused
    assert refusal.reason
    assert of(made.status) == ("Degraded", f"taken back: {refusal.reason}")


def test_what_waits_for_a_person_is_suspended():
    assert of(paused().status) == ("Suspended", "paused by ann: lunch")
    status, message = of(gated().status)
    assert status == "Suspended"
    assert "release promote" in message


def test_a_release_that_nobody_has_looked_at_is_progressing():
    told = ("Progressing", "no engine has looked at it yet")
    assert health({"metadata": {"name": "shop", "generation": 1}}) == told
    assert of({}) == told
    first = Simulation(World(spec_of("v1")))
    first.look()
    assert of(first.status)[0] == "Progressing"


def test_a_status_of_an_older_spec_says_nothing_of_this_one():
    made = serving()
    seen = made.status.observed_generation
    assert of(made.status, seen)[0] == "Healthy"
    assert of(made.status, seen + 1) == ("Progressing", "the engine has not looked at this spec yet")


def test_idle_is_healthy_only_where_the_desired_version_serves():
    idle = serving().status
    assert of(idle.model_copy(update={"desired_revision": "shop-other"}))[0] == "Progressing"
    assert of(idle.model_copy(update={"stable": None}))[0] == "Progressing"


def test_a_spec_that_is_not_in_force_is_degraded():
    problem = Condition(
        type="SpecValid", status="False", reason="NotInForce", message="spec: bad", last_transition_time=1
    )
    status = serving().status.model_copy(update={"conditions": [problem]})
    assert of(status) == ("Degraded", "the spec is not in force: spec: bad")


def test_a_phase_of_another_version_of_the_engine_is_unknown():
    wire = {**serving().status.wire(), "phase": "Levitating"}
    assert of(wire) == ("Unknown", "this health check does not know the phase Levitating")


@pytest.mark.parametrize("missing", ["stable", "canary", "weight", "step", "conditions", "waiting", "desiredRevision"])
@pytest.mark.parametrize("phase", Phase)
def test_a_status_with_holes_is_never_an_error_and_never_healthier(phase, missing):
    wire = MOMENTS[phase][0]().status.wire()
    wire.pop(missing, None)
    status, _ = of(wire)
    assert status in {MOMENTS[phase][1], "Progressing"}
