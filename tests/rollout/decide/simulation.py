"""An engine that drives `decide` in a small world as the real loop does, and dies between any two of its own steps.

Every decision passes through the laws of :mod:`laws`, so that each example is a test of all of them.
"""

from __future__ import annotations

import json
from copy import deepcopy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rollout.api.status import Phase, Status
from rollout.decide.actions import (
    Shift,
)
from rollout.decide.decide import decide
from tests.rollout.decide.laws import check
from tests.rollout.decide.world import World, spec_of

if TYPE_CHECKING:
    from collections.abc import Callable

TICK = 0.25


class KilledError(Exception):
    """The engine's process is gone."""


@dataclass
class Simulation:
    """One engine in one world. ``kill`` is asked at every point where the process may die."""

    world: World
    kill: Callable[[], bool] = lambda: False
    status: Status = field(default_factory=Status)
    deaths: int = 0
    phases: list[Phase] = field(default_factory=list)
    weights: list[int] = field(default_factory=list)
    _wrote_at: float | None = None

    # ------------------------------------------------------------------ the loop

    def look(self) -> None:
        """One pass of the real loop, or as much of it as the process lives to do."""
        try:
            while self._pass():
                pass
        except KilledError:
            self.restart()

    def _pass(self) -> bool:
        before, world = self.status, self.world
        seen = world.observe(before, self._wrote_at)
        after, actions = decide(world.spec, before, seen, world.now)
        check(world.spec, before, seen, world.now, after, actions)
        self._may_die()
        if after != before:
            self.status = after
            self._note(after)
        for action in actions:
            self._may_die()
            if not world.perform(action):
                break
            if isinstance(action, Shift):
                self._wrote_at = world.now
        self._may_die()
        return after.phase is not before.phase or after.step != before.step

    def _note(self, status: Status) -> None:
        if not self.phases or self.phases[-1] is not status.phase:
            self.phases.append(status.phase)
        if not self.weights or self.weights[-1] != status.weight.desired:
            self.weights.append(status.weight.desired)

    def _may_die(self) -> None:
        if self.kill():
            raise KilledError

    def restart(self) -> None:
        """A successor with nothing but what was persisted."""
        self.deaths += 1
        self.status, self._wrote_at = Status.model_validate(json.loads(json.dumps(self.status.wire()))), None

    # ------------------------------------------------------------------ time

    def run(self, seconds: float, *, every: float = TICK) -> Simulation:
        """Look, wait, look again."""
        end = self.world.now + seconds
        while self.world.now < end and not self.world.finalized:
            self.look()
            self.world.pass_time(every)
        return self

    def until(self, *phases: Phase, limit: float = 600.0, every: float = TICK) -> Simulation:
        """Run until one of these phases is persisted."""
        return self.reach(lambda: self.status.phase in phases, limit=limit, every=every)

    def reach(self, goal: Callable[[], bool], *, limit: float = 600.0, every: float = TICK) -> Simulation:
        """Run until something is true.

        Raises:
            AssertionError: it did not become true within ``limit`` seconds.
        """
        end = self.world.now + limit
        while self.world.now < end:
            self.look()
            if goal():
                return self
            self.world.pass_time(every)
        raise AssertionError(f"not reached in {limit:g} s: {self.status.phase}, {self.journal()[-3:]}")

    # ------------------------------------------------------------------ to tell

    def journal(self) -> list[str]:
        release = self.status.release or self.status.last
        return [f"{entry.what}: {entry.text}" for entry in release.journal] if release else []

    def summary(self) -> dict[str, Any]:
        """The final world, without times."""
        status = self.status
        return {
            "phase": status.phase,
            "stable": status.stable and status.stable.image,
            "route": self.world.route,
            "pods": self.world.pod_numbers(),
            "refused": [entry.image for entry in status.refused],
            "outcome": status.last and status.last.outcome,
            "reason": status.last and status.last.outcome_reason,
            "steps": [(step.index, step.weight) for step in status.last.steps] if status.last else [],
            "told": [entry.what for entry in status.last.journal] if status.last else [],
        }


def serving(image: str = "v1", **changes: Any) -> Simulation:
    """A world in which ``image`` serves, and nothing is under way."""
    return _copy_of(_serving, image, changes)


def stepping_at(weight: int, image: str = "v2", **changes: Any) -> Simulation:
    """A release of ``image`` that holds verified at ``weight``."""
    return _copy_of(_stepping_at, (weight, image), changes)


_MADE: dict[str, Simulation] = {}
"""Worlds that many tests begin with; a world is the same whenever it is made."""


def _copy_of(make: Callable[[Any, dict[str, Any]], Simulation], what: Any, changes: dict[str, Any]) -> Simulation:
    key = f"{make.__name__} {what} {changes}"
    if key not in _MADE:
        _MADE[key] = make(what, changes)
    made = _MADE[key]
    return deepcopy(made, {id(each): each for each in (made.status, made.world.spec)})  # neither is ever changed


def _serving(image: str, changes: dict[str, Any]) -> Simulation:
    made = Simulation(World(spec_of(image, **changes)))
    made.until(Phase.IDLE).reach(lambda: made.status.stable is not None).run(8)
    made.phases.clear()
    made.weights.clear()
    made.world.log.clear()
    made.world.lost = 0
    return made


def _stepping_at(what: tuple[int, str], changes: dict[str, Any]) -> Simulation:
    weight, image = what
    made = serving(**changes)
    made.world.want(image, **changes)
    made.reach(lambda: made.status.weight.desired == weight and made.status.verified_at is not None)
    return made
