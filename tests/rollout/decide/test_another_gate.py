"""One more gate, registered from outside: one predicate and one row, and everything that asks knows it.

What the next author writes is `TIDE` and `PILOT` here; a gate in the house stands in a module of its own.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from rollout.api.status import Outcome, Phase, Status
from rollout.decide import gates
from rollout.decide.context import Context
from rollout.decide.gate import Blocked, Facts, Gate
from rollout.decide.gates import blocked_by
from rollout.decide.moves import Move
from rollout.engine.conditions import conditions_of
from rollout.forecast.next_step import outlook
from rollout.forecast.plan import plan_of
from rollout.view.planned import plan_text
from rollout.view.scene import describe
from tests.rollout.decide.simulation import Simulation, serving
from tests.rollout.decide.world import EPOCH, NAME, World, spec_of
from tests.rollout.engine.plant import Plant, plant

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from rollout.api.spec import Spec
    from rollout.decide.observation import Observation

FLOOD = EPOCH + 120
HARBOUR = "no pilot is on board"


def low(_: Spec, _status: Status, facts: Facts) -> Blocked | None:
    """By the time alone: whoever knows the time can say it."""
    if facts.now >= FLOOD:
        return None
    return Blocked("tide", "the tide is low", until=FLOOD, unblock="the flood")


def alone(_: Spec, _status: Status, facts: Facts) -> Blocked | None:
    """By what a look finds: without one, only the engine's word is known."""
    return Blocked("pilot", HARBOUR, until=FLOOD, unblock="the pilot") if HARBOUR in facts.seen.notes else None


TIDE = Gate("tide", "LowTide", frozenset({Move.STEP}), low)
PILOT = Gate("pilot", "NoPilot", frozenset({Move.START, Move.STEP, Move.END}), alone)
STEPS = {"strategy": {"steps": [{"weight": 20, "hold": 5}, {"weight": 50, "hold": 5}]}}
WINDOW = """\
from rollout.decide.gate import Blocked


def closed(_spec, _status, facts):
    return Blocked("window", "no releases before 9:00") if facts.now % 86400 < 32400 else None
"""


@dataclass
class Harbour(World):
    """A world in which a look may find that no pilot is there."""

    notes: list[str] = field(default_factory=list)

    def observe(self, status: Status, engine_wrote_at: float | None) -> Observation:
        return replace(super().observe(status, engine_wrote_at), notes=tuple(self.notes))


@pytest.fixture
def tide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gates, "GATES", (*gates.GATES, TIDE))


@pytest.fixture
def pilot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gates, "GATES", (*gates.GATES, PILOT))


def waiting_condition(made: Simulation) -> tuple[str, str, str]:
    world = made.world
    ctx = Context(world.spec, made.status, world.observe(made.status, None), world.now)
    [found] = [each for each in conditions_of(ctx) if each.type == "Waiting"]
    return found.status, found.reason, found.message


def release() -> Simulation:
    made = serving(**STEPS)
    made.world.want("v2", **STEPS)
    return made


@pytest.mark.usefixtures("tide")
def test_the_release_holds_says_why_and_goes_on_when_it_opens():
    made = release().run(60)
    assert (made.status.phase, made.status.weight.desired) == (Phase.PREPARING, 0)
    waiting = made.status.waiting
    assert (waiting.reason, waiting.until, waiting.gate, waiting.unblock) == (
        "the tide is low",
        FLOOD,
        "tide",
        "the flood",
    )
    assert waiting_condition(made) == ("True", "LowTide", "the tide is low")
    made.until(Phase.STEPPING, limit=FLOOD - made.world.now + 1)
    assert made.world.now >= FLOOD, "not before"
    assert made.status.waiting.gate == ""
    made.until(Phase.IDLE)
    assert made.status.last.outcome is Outcome.PROMOTED


def test_a_module_of_its_own_is_a_row(tmp_path: Path):
    """As the page says: the module takes its words from the house, and the table takes the module."""
    root = Path(gates.__file__).parents[2]
    shutil.copytree(root / "rollout", tmp_path / "rollout", ignore=shutil.ignore_patterns("__pycache__"))
    home = tmp_path / "rollout" / "decide"
    (home / "window.py").write_text(WINDOW)
    table = (home / "gates.py").read_text()
    table = table.replace(
        "from rollout.decide.moves", "from rollout.decide import window\nfrom rollout.decide.moves", 1
    )
    row = '    Gate("window", "OutsideWindow", frozenset({Move.START}), window.closed),\n)\n"""All gates'
    assert table.count(')\n"""All gates') == 1
    (home / "gates.py").write_text(table.replace(')\n"""All gates', row, 1))
    for first in ("gates", "window"):
        script = (
            f"import rollout.decide.{first}; from rollout.decide.gates import GATES; print(GATES[-1].closed.__module__)"
        )
        environment = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{root}"}
        command = [sys.executable, "-c", script]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert done.stdout == "rollout.decide.window\n", done.stderr


@pytest.mark.usefixtures("tide")
def test_status_and_plan_show_it():
    made = release().run(20)
    spec, status, now = made.world.spec, made.status, made.world.now
    ahead = outlook(spec, status, now)
    assert (ahead.text, ahead.seconds, ahead.move) == ("the tide is low", FLOOD - now, Move.STEP)
    scene = describe("shop", spec, status, now)
    assert dict(scene.facts)["waits"].startswith("the tide is low (for ")
    assert all(step.planned.endswith(", gate") for step in scene.steps)
    plan = plan_of(NAME, spec_of("v3", **STEPS), status, now=now)
    assert [step.gate for step in plan.steps] == ["tide", "none"], "it is open once the first step was let through"
    assert [step.starts_after_seconds for step in plan.steps] == [FLOOD - now, FLOOD - now + 5]
    assert plan.earliest_end_seconds == FLOOD - now + 10 + plan.bake_seconds
    assert "the step to 20 % waits for the flood" in plan.warnings
    assert "20 %    5s, gate: tide" in plan_text(plan)
    later = plan_of(NAME, spec_of("v3", **STEPS), status, now=FLOOD)
    assert [step.gate for step in later.steps] == ["none", "none"]


def test_what_only_a_look_can_see_is_told_as_the_engine_told_it_last(monkeypatch: pytest.MonkeyPatch):
    made = Simulation(Harbour(spec_of("v1", **STEPS)))
    made.until(Phase.IDLE).reach(lambda: made.status.stable is not None)
    with monkeypatch.context() as engine:
        engine.setattr(gates, "GATES", (*gates.GATES, PILOT))
        made.world.notes.append(HARBOUR)
        made.world.want("v2", **STEPS)
        made.run(10)
        assert (made.status.phase, made.status.waiting.gate) == (Phase.IDLE, "pilot")
    elder = outlook(made.world.spec, made.status, made.world.now)
    assert (elder.text, elder.move) == (HARBOUR, Move.START), "also by a command line that does not know the gate"
    with monkeypatch.context() as engine:
        engine.setattr(gates, "GATES", (*gates.GATES, PILOT))
        made.world.notes.clear()
        made.until(Phase.STEPPING).reach(lambda: made.status.verified_at is not None)
        made.world.notes.append(HARBOUR)
        made.run(20)
        assert (made.status.step, made.status.weight.desired) == (0, 20), "its hold is over, and it is held"
        assert waiting_condition(made)[1] == "NoPilot"
        made.world.notes.clear()
        made.until(Phase.IDLE)
    assert made.status.last.outcome is Outcome.PROMOTED


@pytest.mark.usefixtures("pilot")
def test_no_gate_keeps_a_release_from_turning_back():
    made = Simulation(Harbour(spec_of("v1", **STEPS)))
    made.until(Phase.IDLE).reach(lambda: made.status.stable is not None)
    made.world.want("v2", **STEPS)
    made.reach(lambda: made.status.verified_at is not None)
    made.world.notes.append(HARBOUR)
    made.run(8)
    made.world.image("v2").verdict = "bad"
    made.until(Phase.ROLLED_BACK, limit=10)
    assert made.status.last.outcome is Outcome.ROLLED_BACK


@pytest.mark.usefixtures("tide")
def test_where_several_are_closed_the_first_row_is_told():
    made = release().run(20)
    made.world.say("pause", reason="lunch")
    made.run(1)
    facts = Facts(made.world.observe(made.status, None), made.world.now)
    held = blocked_by(made.world.spec, made.status, facts)
    assert (held.gate, held.unblock) == (gates.PAUSE, "a person's `release resume`")
    assert made.status.waiting.gate == gates.PAUSE
    made.world.say("resume")
    made.run(1)
    assert made.status.waiting.gate == "tide"


@pytest.fixture
async def it() -> AsyncIterator[Plant]:
    async with plant() as made:
        yield made


async def test_a_real_engine_holds_and_goes_on(it: Plant, monkeypatch: pytest.MonkeyPatch):
    closed = [True]

    def shut(_: Spec, status: Status, _facts: Facts) -> Blocked | None:
        first = status.stable is None
        return None if first or not closed else Blocked("door", "the door is shut", unblock="a key")

    monkeypatch.setattr(gates, "GATES", (*gates.GATES, Gate("door", "DoorShut", frozenset({Move.STEP}), shut)))
    async with it.engine():
        it.declare("shop:v1")
        await it.served("shop:v1")
        it.declare("shop:v2")
        await it.until(lambda: it.status.waiting is not None and it.status.waiting.gate == "door", "held")
        told = {each.type: each.reason for each in it.status.conditions}
        assert told["Waiting"] == "DoorShut"
        assert it.weights[it.status.stable.revision] == 100
        closed.clear()
        it.say("resume")
        await it.served("shop:v2")
