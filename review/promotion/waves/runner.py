"""Waves carried out: each intent is kept before its effect, so that a killed command's successor goes on from there."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

from kube.errors import GraylingError
from review.promotion.waves.machine import (
    Apply,
    Await,
    Bake,
    Place,
    applied,
    applying,
    baked,
    halted,
    next_step,
    over,
    released_before,
    target_at,
)
from review.promotion.waves.state import Halt, Stage
from terminal.exits import ExitCode

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from review.promotion.waves.state import Seen, State, TargetState
    from rollout.client.ending import Ending


LOOK_SECONDS = 1.0
"""Between two looks at the stop switch."""


class HaltError(GraylingError):
    """Nothing more is started: a release ended badly, or somebody stopped the waves.

    Attributes:
        exit_code: of what ended it.
    """

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.exit_code = code  # type: ignore[misc] # of the release, or of the stop


class Ledger(Protocol):
    """Where the state is kept."""

    async def keep(self, state: State) -> None:
        """Write it.

        Raises:
            GraylingError: it could not be, or another command has taken over.
        """

    async def intend(self, state: State) -> None:
        """Write it, unless somebody has stopped the waves: in one step, so that a stop is never overtaken.

        Raises:
            HaltError: somebody has.
            GraylingError: it could not be written, or another command has taken over.
        """

    async def stopped(self) -> str:
        """Who has stopped the waves, and why; empty where nobody has, or nobody can be asked just now."""


class World(Protocol):
    """The clusters."""

    async def apply(self, target: TargetState) -> Sequence[Seen]:
        """Apply a stack, and answer the releases it declares.

        Raises:
            GraylingError: it could not be applied.
        """

    async def ending(self, target: TargetState, *, wait: bool) -> Ending | None:
        """How the releases of a target ended: the worst of them; None while they go on, if that is not waited for.

        Raises:
            GraylingError: it cannot be known.
        """

    def now(self) -> float:
        """Seconds since the epoch."""

    async def sleep(self, seconds: float) -> None:
        """Let time pass."""


class Runner:
    """Goes on until all is done, or something halts it."""

    def __init__(self, state: State, ledger: Ledger, world: World, tell: Callable[[str], None], timeout: float) -> None:
        self.state, self._ledger, self._world, self._tell, self._timeout = state, ledger, world, tell, timeout
        self._one = asyncio.Lock()

    async def run(self) -> State:
        """Every wave.

        Raises:
            GraylingError: what halted it; the state says so too, where it could be written.
        """
        try:
            while await self._step():
                pass
        except GraylingError as error:
            await self._halt(error)
            raise
        return self.state

    async def _step(self) -> bool:
        match next_step(self.state, self._world.now()):
            case Apply(place):
                await self._apply(place)
            case Await(places):
                await self._unless_stopped(self._all_ended(places))
            case Bake(wave, until):
                await self._unless_stopped(self._world.sleep(max(0.0, until - self._world.now())))
                await self._still_serves(wave)
            case _:
                return False
        return True

    async def _apply(self, place: Place) -> None:
        target = target_at(self.state, place)
        for before in released_before(self.state, place):
            self._insist(
                target_at(self.state, before), await self._world.ending(target_at(self.state, before), wait=False)
            )
        intent = applying(self.state, place)
        await self._ledger.intend(intent)
        self.state = intent
        self._tell(f"wave {place.wave + 1}: applying {target.name}")
        await self._keep(applied(self.state, place, await self._world.apply(target)))

    async def _all_ended(self, places: Sequence[Place]) -> None:
        """Each as it ends, so that what has baked is known even if another one is waited for longer."""
        try:
            async with asyncio.timeout(self._timeout), asyncio.TaskGroup() as group:
                for place in places:
                    group.create_task(self._ended(place))
        except TimeoutError:
            waiting = ", ".join(target_at(self.state, place).name for place in self._releasing(places))
            told = f"no outcome after {self._timeout:g} s: {waiting}"
            raise HaltError(ExitCode.TIMEOUT, told) from None
        except BaseExceptionGroup as several:
            raise several.exceptions[0] from None

    def _releasing(self, places: Sequence[Place]) -> list[Place]:
        return [place for place in places if target_at(self.state, place).stage is Stage.RELEASING]

    async def _ended(self, place: Place) -> None:
        target = target_at(self.state, place)
        self._insist(target, await self._world.ending(target, wait=True))
        self._tell(f"wave {place.wave + 1}: {target.name} has baked")
        async with self._one:
            await self._keep(baked(self.state, place, self._world.now()))

    async def _still_serves(self, wave: int) -> None:
        for target in self.state.waves[wave].targets:
            ending = await self._world.ending(target, wait=False)
            if ending is None:
                told = f"{target.name}: another release is under way: resume when that has ended"
                raise HaltError(ExitCode.REFUSED, told)
            self._insist(target, ending)
        self._tell(f"wave {wave + 1}: over")
        await self._keep(over(self.state, wave))

    def _insist(self, target: TargetState, ending: Ending | None) -> None:
        if ending is not None and ending.code is not ExitCode.DONE:
            raise HaltError(ending.code, f"{target.name}: {ending.text}")

    async def _unless_stopped(self, work: Coroutine[None, None, None]) -> None:
        """What waits ends when somebody stops the waves; the releases go on by themselves, in their clusters."""
        waiting, stop = asyncio.create_task(work), asyncio.create_task(self._until_stopped())
        try:
            done, _ = await asyncio.wait({waiting, stop}, return_when=asyncio.FIRST_COMPLETED)
            if waiting not in done:
                raise HaltError(ExitCode.ABORTED, stop.result())
            waiting.result()
        finally:
            for task in (waiting, stop):
                task.cancel()
            await asyncio.gather(waiting, stop, return_exceptions=True)

    async def _until_stopped(self) -> str:
        while not (told := await self._ledger.stopped()):
            await self._world.sleep(LOOK_SECONDS)
        return told

    async def _keep(self, state: State) -> None:
        await self._ledger.keep(state)
        self.state = state

    async def _halt(self, error: GraylingError) -> None:
        """Best effort: what halted it is raised whether or not it could be written."""
        halt = Halt(code=int(error.exit_code), text=str(error), at=self._world.now())
        try:
            await self._keep(halted(self.state, halt))
        except GraylingError as second:
            self._tell(f"the state could not be written: {second}")
