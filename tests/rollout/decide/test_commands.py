"""A verb is answered whatever the phase, and never changes what it should not."""

from __future__ import annotations

import pytest

from rollout.api.status import (
    Command,
    Phase,
    Status,
    Version,
)
from rollout.decide.commands import VERBS, obey
from rollout.decide.context import Context
from rollout.decide.gates import MANUAL, holds
from rollout.decide.observation import Observation
from tests.rollout.decide.world import EPOCH, spec_of


def context(phase: Phase, **spec) -> Context:
    stable, canary = Version(revision="a"), Version(revision="b")
    status = Status(phase=phase, phase_since=EPOCH, stable=stable, canary=canary)
    return Context(spec_of("v1", **spec), status, Observation("b", "v2", 1), EPOCH)


@pytest.mark.parametrize("phase", Phase)
@pytest.mark.parametrize("verb", [*VERBS, "sing"])
def test_every_verb_is_answered_in_every_phase(verb: str, phase: Phase):
    after = obey(context(phase), Command(id="c1", verb=verb))
    assert after.command == "c1"
    assert after.command_answer
    assert after.stable == context(phase).status.stable or phase is Phase.BAKING


def test_who_and_why_are_told():
    after = obey(context(Phase.STEPPING), Command(id="c1", verb="pause", by="ann", reason="lunch"))
    assert (after.paused.by, after.paused.reason) == ("ann", "lunch")


@pytest.mark.parametrize(
    ("phase", "changes", "waits"),
    [
        (Phase.PREPARING, {}, True),
        (Phase.STEPPING, {}, True),
        (Phase.PROMOTING, {}, False),
        (Phase.IDLE, {}, False),
        (Phase.PREPARING, {"traffic": None}, False),
    ],
)
def test_where_a_gate_is_waited_for(phase: Phase, changes: dict, *, waits: bool):
    steps = {"strategy": {"steps": [{"weight": 5, "gate": "manual"}]}}
    assert holds(context(phase, **steps, **changes), MANUAL) is waits
