"""Clusters and a book in memory, with a time of their own, that a command can die in at any moment."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import looptime

from review.promotion.settings import Waves
from review.promotion.waves.machine import halted
from review.promotion.waves.run import carried_out
from review.promotion.waves.runner import HaltError
from review.promotion.waves.state import Seen, fresh, read_state
from rollout.client.ending import Ending
from terminal.exits import ExitCode

DONE, BACK = Ending(ExitCode.DONE, "promoted"), Ending(ExitCode.ROLLED_BACK, "rolled-back: errors")


class Killed(BaseException):
    """The machine of the command is gone."""


@dataclass
class Fate:
    """What becomes of one target's release."""

    seconds: float = 5.0
    ending: Ending = DONE
    turns: tuple[float, Ending | None] | None = None

    def at(self, now: float) -> Ending | None:
        """What is seen of it then; ``turns`` is what becomes of it later."""
        return self.turns[1] if self.turns and now >= self.turns[0] else self.ending


@dataclass
class Place:
    """The home and the clusters: what outlives a command.

    Attributes:
        fates: by target's name.
        applied: when each was applied first. ``begun``: every apply that began, with its time.
        kill_at: the count of moments at which the command dies.
    """

    fates: dict[str, Fate]
    kept: str = ""
    stop: str = ""
    applied: dict[str, float] = field(default_factory=dict)
    begun: list[tuple[str, float]] = field(default_factory=list)
    kill_at: int = -1
    moments: int = 0

    def moment(self) -> None:
        self.moments += 1
        if self.moments == self.kill_at:
            raise Killed

    # ------------------------------------------------------------------ the book

    async def keep(self, state):
        self.moment()
        await asyncio.sleep(0.001)
        self.kept = state.model_dump_json(by_alias=True)
        self.moment()

    async def intend(self, state):
        if self.stop:
            raise HaltError(ExitCode.ABORTED, self.stop)
        await self.keep(state)

    async def release(self, seen):
        self.moment()
        assert self.stop == seen
        self.stop = ""

    async def stopped(self):
        return self.stop

    # ------------------------------------------------------------------ the clusters

    async def apply(self, target):
        self.moment()
        self.begun.append((target.name, self.now()))
        await asyncio.sleep(0.5)
        self.moment()
        self.applied.setdefault(target.name, self.now())
        self.moment()
        return [Seen(namespace="shop", name="checkout", uid=target.context, revision="checkout-1", generation=1)]

    async def ending(self, target, *, wait):
        self.moment()
        fate, left = self.fates[target.name], self.baked_at(target.name) - self.now()
        if left > 0 and not wait:
            return None
        await asyncio.sleep(max(0.0, left))
        self.moment()
        return fate.at(self.now())

    def baked_at(self, name):
        return self.applied[name] + self.fates[name].seconds

    def now(self):
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds):
        await asyncio.sleep(seconds)


@dataclass
class Book:
    """An entry of the book as a command reads it."""

    state: object
    stop: str


def plan_of(*waves, timeout="1h"):
    """``([targets], bake), …``."""
    told = [{"targets": [{"stack": "s", "context": c} for c in each], "bake": f"{bake}s"} for each, bake in waves]
    return Waves.model_validate({"home": {"context": "h", "namespace": "n"}, "waves": told, "timeout": timeout})


def names(plan):
    return [[target.name for target in wave.targets] for wave in plan.waves]


async def command(place, plan, told=lambda _line: None):
    """`start`, or `resume` where there is a state: the exit code."""
    state = halted(read_state(place.kept, "book"), None) if place.kept else None
    begin = state or fresh(plan, {"s": "sha256:1"}, run="r", by="ann", reason="", now=place.now())
    try:
        await carried_out(begin, Book(state, place.stop), place, place, told, plan.timeout)
    except HaltError as error:
        return error.exit_code
    return 0


def in_virtual_time(work):
    """Run a coroutine in a time that does not pass by itself."""
    loop = looptime.new_event_loop()
    try:
        return loop.run_until_complete(work)
    finally:
        loop.close()
