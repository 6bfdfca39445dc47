"""What a release does next if nothing holds it: told by the spec and the status alone."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from rollout.api.status import Phase
from rollout.decide.context import ALL, OUTAGE

if TYPE_CHECKING:
    from collections.abc import Callable

    from rollout.decide.context import Context


class Move(StrEnum):
    """One way on."""

    START = "start"
    """A release begins."""
    PODS = "pods"
    """The canary gets its first pods."""
    STEP = "step"
    """A step's weight is asked for."""
    END = "end"
    """The step under way ends."""
    ALL = "all"
    """All traffic is asked for."""
    SWITCH = "switch"
    """All traffic is seen at the new version, which is stable from now on."""
    RETURN = "return"
    """The canary gets its share again after its pods were gone."""
    REST = "rest"
    """The bake is over."""
    BACK = "back"
    """A rollback is over."""


def moves_ahead(ctx: Context) -> tuple[Move, ...]:
    """What the phase still has to do, in its order; what comes last ends the phase or the step."""
    return _AHEAD[ctx.status.phase](ctx)


def is_alone(ctx: Context) -> bool:
    """Whether the version comes without steps: it is the first one, or no share can be given to it."""
    return ctx.status.stable is None or not ctx.shared


def is_at_its_step(ctx: Context) -> bool:
    """Whether the weight that is asked for is that of the step under way."""
    status = ctx.status
    return status.step < len(ctx.steps) and status.weight.desired == ctx.steps[status.step].weight


def lacks_pods(ctx: Context) -> bool:
    """Whether a canary that has a share was found without a pod for it, by a planned event or in an outage of all."""
    return ctx.status.withdrawn_at is not None or ctx.status.doubt == OUTAGE


def _preparing(ctx: Context) -> tuple[Move, ...]:
    return Move.PODS, Move.ALL if is_alone(ctx) else Move.STEP


def _stepping(ctx: Context) -> tuple[Move, ...]:
    if lacks_pods(ctx):
        return (Move.RETURN,)
    if ctx.status.step >= len(ctx.steps):
        return (Move.ALL,)
    return (Move.END if is_at_its_step(ctx) else Move.STEP,)


def _promoting(ctx: Context) -> tuple[Move, ...]:
    if lacks_pods(ctx):
        return (Move.RETURN,)
    return (Move.SWITCH if ctx.status.weight.desired == ALL else Move.ALL,)


_AHEAD: dict[Phase, Callable[[Context], tuple[Move, ...]]] = {
    Phase.IDLE: lambda _: (Move.START,),
    Phase.ROLLED_BACK: lambda _: (Move.START,),
    Phase.PREPARING: _preparing,
    Phase.STEPPING: _stepping,
    Phase.PROMOTING: _promoting,
    Phase.BAKING: lambda _: (Move.REST,),
    Phase.ROLLING_BACK: lambda _: (Move.BACK,),
}
