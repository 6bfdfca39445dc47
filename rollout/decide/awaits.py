"""What a phase waits for by itself, and on which clock: said once, for `status.waiting` and for who looks ahead.

What holds a release from outside is a gate's to say (:mod:`rollout.decide.gates`); it is asked first.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING, NamedTuple

from rollout.api.status import Phase
from rollout.decide.bake import must_return
from rollout.decide.clocks import (
    bake_clock,
    hold_clock,
    old_pods_clock,
    pods_back_clock,
    pods_clock,
    routed_clock,
    taken_clock,
    unwell_clock,
    zero_clock,
)
from rollout.decide.context import ALL, NOT_READY
from rollout.decide.desired_state import had_traffic
from rollout.decide.moves import is_at_its_step, lacks_pods
from rollout.decide.pod_readiness import NOT_ROUTED
from rollout.decide.verdict_policy import ends_at, policy_of
from rollout.decide.verify import owes_proof

if TYPE_CHECKING:
    from collections.abc import Callable

    from rollout.decide.clocks import Clock
    from rollout.decide.context import Context


class For(Enum):
    """What is waited for."""

    NOTHING = auto()
    A_LOOK = auto()
    PODS = auto()
    ROUTE = auto()
    WEIGHT = auto()
    HOLD = auto()
    VERDICT = auto()
    PODS_BACK = auto()
    PROMOTION = auto()
    BAKE = auto()
    OLD_PODS = auto()
    ROUTE_GONE = auto()
    DRAIN = auto()
    ZERO = auto()


class Awaited(NamedTuple):
    """What is waited for, since when, and until when at the latest; None where no clock runs."""

    what: For
    since: float | None = None
    until: float | None = None


def awaited(ctx: Context) -> Awaited:
    """What the status, as it was just decided, waits for."""
    return _PHASES[ctx.status.phase](ctx)


def _by(what: For, clock: Clock) -> Awaited:
    return Awaited(what, clock.since, clock.until)


def _idle(ctx: Context) -> Awaited:
    stable = ctx.status.stable
    if stable is not None and ctx.seen.desired_revision in {stable.revision, ""}:
        return Awaited(For.NOTHING)
    return Awaited(For.A_LOOK, ctx.status.phase_since)


def _preparing(ctx: Context) -> Awaited:
    if ctx.status.doubt == NOT_ROUTED:
        return _by(For.ROUTE, routed_clock(ctx))
    return _by(For.PODS, pods_clock(ctx))


def _stepping(ctx: Context) -> Awaited:
    status = ctx.status
    if lacks_pods(ctx):
        return _pods_back(ctx)
    if status.step >= len(ctx.steps):
        return _before_promotion(ctx)
    if not is_at_its_step(ctx) and not owes_proof(status):
        return _verdict_or_pods(ctx)
    if status.verified_at is None:
        return _weight(ctx)
    clock = hold_clock(ctx)
    if ctx.since(clock.since) < clock.seconds or not status.doubt:
        return _by(For.HOLD, clock)
    return _verdict(ctx)


def _before_promotion(ctx: Context) -> Awaited:
    if policy_of(ctx, ctx.status.doubt) is not None:
        return _verdict(ctx)
    if owes_proof(ctx.status):
        return _weight(ctx)
    return Awaited(For.PROMOTION, ctx.status.phase_since, ctx.now)


def _verdict_or_pods(ctx: Context) -> Awaited:
    return _verdict(ctx) if policy_of(ctx, ctx.status.doubt) else _by(For.PODS, pods_clock(ctx))


def _weight(ctx: Context) -> Awaited:
    """A weight that is asked for and not verified yet."""
    if ctx.status.doubt and ctx.status.doubt not in {NOT_READY, NOT_ROUTED}:
        return _verdict(ctx)
    return _by(For.WEIGHT, taken_clock(ctx))


def _verdict(ctx: Context) -> Awaited:
    until = ends_at(ctx)
    return Awaited(For.VERDICT, ctx.status.doubt_since if until is None else ctx.status.held_since, until)


def _pods_back(ctx: Context) -> Awaited:
    return _by(For.PODS_BACK, pods_back_clock(ctx))


def _promoting(ctx: Context) -> Awaited:
    if lacks_pods(ctx):
        return _pods_back(ctx)
    return _weight(ctx) if ctx.status.weight.desired == ALL else _verdict_or_pods(ctx)


def _baking(ctx: Context) -> Awaited:
    """One that goes wrong with no way back lasts longer: whoever did not look has only the engine's word for that."""
    longer, known = unwell_clock(ctx), ctx.status.waiting
    unwell = ctx.seen.blind and known is not None and known.until == longer.until
    return _by(For.BAKE, longer if unwell or (not ctx.seen.blind and must_return(ctx)) else bake_clock(ctx))


def _rolling_back(ctx: Context) -> Awaited:
    status = ctx.status
    if not ctx.can.keeps_old:
        return _by(For.OLD_PODS, old_pods_clock(ctx))
    if status.stable is None:
        return _by(For.ROUTE_GONE, zero_clock(ctx))
    if not had_traffic(status):
        drained = None if status.phase_since is None else status.phase_since + ctx.spec.strategy.drain
        return Awaited(For.DRAIN, status.phase_since, drained)
    return _by(For.ZERO, zero_clock(ctx))


_PHASES: dict[Phase, Callable[[Context], Awaited]] = {
    Phase.IDLE: _idle,
    Phase.ROLLED_BACK: _idle,
    Phase.PREPARING: _preparing,
    Phase.STEPPING: _stepping,
    Phase.PROMOTING: _promoting,
    Phase.BAKING: _baking,
    Phase.ROLLING_BACK: _rolling_back,
}
