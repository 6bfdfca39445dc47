"""A run of waves: how it may begin, how it may go on, and carrying it out."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING
from uuid import uuid4

from review.promotion.waves.machine import halted
from review.promotion.waves.runner import Runner
from review.promotion.waves.state import Stage, StateError, differences, fresh

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from review.promotion.settings import Waves
    from review.promotion.waves.ledger import Entry, Writing
    from review.promotion.waves.runner import World
    from review.promotion.waves.state import State, TargetState

_UNAPPLIED = {Stage.PENDING, Stage.APPLYING}


def begun(entry: Entry, plan: Waves, rendered: Mapping[str, str], *, anew: bool, by: str, reason: str) -> State:
    """The state of a new run.

    Raises:
        StateError: the last one is not over, or was stopped, and ``anew`` was not said.
    """
    unfinished = entry.state is not None and not entry.state.done
    if (unfinished or entry.stop) and not anew:
        why = entry.stopped or "the last run is not over"
        raise StateError(f"start: {why}: `resume` goes on with it, `start --anew` begins again from the first wave")
    return fresh(plan, rendered, run=uuid4().hex[:12], by=by, reason=reason, now=time.time())


def resumed(entry: Entry, plan: Waves, rendered: Mapping[str, str]) -> State:
    """The state to go on from.

    Raises:
        StateError: there is none, it is over, or something was changed since.
    """
    if entry.state is None:
        raise StateError("resume: these waves were never started: `start` does")
    if entry.state.done:
        raise StateError("resume: these waves are over: `start` begins again")
    if found := differences(entry.state, plan, rendered):
        told = "\n".join(f"  {each}" for each in found)
        raise StateError(
            f"resume: not what was begun, and nothing was changed:\n{told}\n"
            "put it back, or begin again from the first wave with `start --anew`"
        )
    return halted(entry.state, None)


def to_apply(state: State) -> tuple[list[TargetState], list[TargetState]]:
    """What has not been applied yet: of the wave that is next, and of those after it."""
    left = [[each for each in wave.targets if each.stage in _UNAPPLIED] for wave in state.waves if not wave.over]
    return (left[0] if left else []), [target for targets in left[1:] for target in targets]


async def carried_out(
    state: State, entry: Entry, ledger: Writing, world: World, tell: Callable[[str], None], seconds: float
) -> State:
    """Go on from ``state`` until all is done, lifting the stop that ``entry`` showed.

    Raises:
        GraylingError: what halted it.
    """
    if entry.stop:
        await ledger.release(entry.stop)
    await ledger.keep(state)
    return await Runner(state, ledger, world, tell, seconds).run()
