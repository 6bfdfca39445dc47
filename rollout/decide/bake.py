"""The bake: the new version serves alone, and the old one stands by until nothing speaks for it any more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rollout.api.status import Outcome, Phase
from rollout.decide.clocks import bake_clock
from rollout.decide.context import (
    can_return,
    change_release,
    finish,
    roll_back,
)
from rollout.decide.gates import blocked
from rollout.decide.memory import stays_out
from rollout.decide.verify import silence
from rollout.decide.without_pods import PLANNED

if TYPE_CHECKING:
    from rollout.api.status import Status
    from rollout.decide.context import Context

NO_WAY_BACK = "the version before has no ready pod to go back to"


def baking(ctx: Context) -> Status:
    """The new version serves alone; the old one is still there at full scale, one route write away."""
    reason = must_return(ctx)
    if reason and can_return(ctx):
        outcome = Outcome.CANCELLED if reason.startswith(PLANNED) else Outcome.ROLLED_BACK
        return roll_back(ctx, outcome, reason, convicted=_is_convicted(ctx))
    stable, desired, left = ctx.status.stable, ctx.seen.desired_revision, bake_left(ctx)
    if blocked(ctx):
        return ctx.status
    moved_on = stable is not None and desired != stable.revision and not stays_out(ctx.status, ctx.seen)
    unwell = bool(reason) and left > -ctx.spec.strategy.ready_deadline
    if moved_on or (left <= 0 and not unwell):
        return _bake_over(ctx, reason)
    return ctx.status


def bake_left(ctx: Context) -> float:
    """Seconds of the bake that are left; below 0 it is over. One that goes wrong with no way back lasts longer."""
    clock = bake_clock(ctx)
    return clock.seconds - ctx.since(clock.since)


def _is_convicted(ctx: Context) -> bool:
    """Whether what was measured speaks against the new version."""
    found = ctx.seen.assessment
    return (found is not None and found.verdict == "bad") or bool(silence(ctx))


def must_return(ctx: Context) -> str:
    """What speaks against the new version in its bake, or keeps it from serving."""
    found = ctx.seen.assessment
    if found is not None and found.verdict == "bad":
        return found.reason
    stable = ctx.seen.revisions.get(ctx.status.stable.revision) if ctx.status.stable else None
    if stable is None:
        return "the pods of the new version are gone"
    if stable.ready == 0 and stable.disrupted:
        return f"{PLANNED}: the version before serves until it has some again"
    if silent := silence(ctx):
        return silent
    return f"no pod of the new version is ready: {stable.problem or 'all are unready'}" if stable.ready == 0 else ""


def _bake_over(ctx: Context, against: str) -> Status:
    found = ctx.assessed
    earlier = bool(ctx.status.release and ctx.status.release.proven)
    proven = not against and (earlier or (found is not None and found.verdict == "good"))
    excess = found.excess_failed_requests if found else 0.0
    ended = {"proven": proven, "excess_failed_requests": excess, "verdict_at_end": ctx.status.analysis}
    status = change_release(ctx.status, **ended)
    if proven:
        return finish(status, ctx.now, Phase.IDLE, Outcome.PROMOTED, "proven not worse than the version before")
    reason = "nothing spoke against it, but the traffic did not prove it"
    if against:
        reason = f"{against}; {NO_WAY_BACK}"
    return finish(status, ctx.now, Phase.IDLE, Outcome.PROMOTED_NOT_PROVEN, reason)
