"""Releases of which something is told, and what their journal says."""

from __future__ import annotations

from typing import Any

from rollout.api.status import Phase
from rollout.decide.observation import Failure
from tests.rollout.decide.simulation import Simulation, serving, stepping_at

FAILED_SINCE = 7.0


def gated(first: str = "none", second: str = "manual") -> Simulation:
    steps = [{"weight": 20, "hold": 5, "gate": first}, {"weight": 50, "hold": 5, "gate": second}]
    made = serving(strategy={"steps": steps})
    made.world.want("v2", strategy={"steps": steps})
    return made.run(30)


def failing(made: Simulation, action: str, text: str = "503 no") -> Simulation:
    made.world.broken = {action}
    made.world.failures = {action: Failure(text, FAILED_SINCE)}
    return made


def gone_bad(made: Simulation, seconds: float = 1, **world: Any) -> Simulation:
    for name, value in world.items():
        setattr(made.world, name, value)
    made.world.image("v2").verdict = "bad"
    return made.run(seconds)


def taken_back() -> Simulation:
    return gone_bad(stepping_at(20)).until(Phase.ROLLED_BACK)


def story(made: Simulation) -> list[tuple[str, str, int | None]]:
    release = made.status.release or made.status.last
    return [(entry.what, entry.text, entry.weight) for entry in release.journal]


def said(made: Simulation, verb: str, **rest: str) -> Simulation:
    made.world.say(verb, **rest)
    made.look()
    return made
