"""A canary that has traffic and no ready pod: its own fault, a planned event, or an outage of everything.

Its own fault takes it back at once. A planned event (an eviction, a drain, a node that shuts down) only moves its share
to stable until a pod is ready again. Where stable has no ready pod either, nobody is to blame and nothing is changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rollout.api.journal import JournalKind
from rollout.api.revision import replicas_for
from rollout.api.status import Outcome, Weight
from rollout.decide.clocks import over, pods_back_clock
from rollout.decide.context import (
    NOT_HELD,
    OUTAGE,
    roll_back,
    write_journal,
)
from rollout.decide.gates import blocked
from rollout.decide.pod_readiness import routed

if TYPE_CHECKING:
    from rollout.api.status import Status
    from rollout.decide.context import Context

PLANNED = "its pods were moved away by a planned event"
NOBODY = "no pod of any version is ready"


def without_pods(ctx: Context) -> bool:
    """Whether the canary has a share, or had one, and no pod for it."""
    return ctx.status.withdrawn_at is not None or (ctx.ready == 0 and ctx.status.weight.desired > 0)


def without_pods_status(ctx: Context) -> Status:
    """What should be true next of a canary without ready pods."""
    if ctx.status.withdrawn_at is not None:
        return _give_back(ctx)
    if nobody_serves(ctx):
        return _hold_still(ctx)
    canary, share = ctx.canary, ctx.status.weight.desired
    if _is_planned(ctx):
        return _withdraw(ctx, PLANNED)
    if ctx.status.doubt == OUTAGE and ctx.shared and canary is not None and not canary.fatal:
        return _withdraw(ctx, "stable has pods again after an outage of all, and the canary has not")
    told = canary.problem if canary else "its pods are gone"
    reason = f"no canary pod is ready while it has {share} % of the traffic"
    return roll_back(ctx, Outcome.ROLLED_BACK, f"{reason}: {told}" if told else reason)


def _is_planned(ctx: Context) -> bool:
    canary = ctx.canary
    return canary is not None and canary.disrupted > 0 and ctx.shared and not canary.fatal


def nobody_serves(ctx: Context) -> bool:
    """Whether no pod of any version is ready, and that is not the canary's own fault."""
    if ctx.status.stable is None:
        return _is_planned(ctx)
    stable = ctx.seen.revisions.get(ctx.status.stable.revision)
    return ctx.ready == 0 and stable is not None and stable.ready == 0 and stable.replicas > 0


def _hold_still(ctx: Context) -> Status:
    """An outage of everything: no weight is moved, and after a while the release is taken back without any blame."""
    if ctx.status.doubt != OUTAGE:
        held = ctx.change(doubt=OUTAGE, doubt_since=ctx.now)
        return write_journal(held, ctx.now, JournalKind.HELD, f"{NOBODY}: nothing is changed before one is")
    clock = pods_back_clock(ctx)
    if not over(ctx, clock):
        return ctx.status
    return roll_back(ctx, Outcome.CANCELLED, f"{NOBODY}, for {clock.seconds:g} s")


def moved_away_before(ctx: Context) -> str:
    """Why the last try of this version ended without a refusal, where that was for want of pods; empty otherwise."""
    last, canary = ctx.status.last, ctx.status.canary
    same = last is not None and canary is not None and last.to_version.revision == canary.revision
    if last is None or not same or last.outcome is not Outcome.CANCELLED:
        return ""
    return next((reason for reason in (PLANNED, NOBODY) if reason in last.outcome_reason), "")


def after_outage(status: Status) -> Status:
    """The status once a pod is ready again."""
    return status.model_copy(update=NOT_HELD) if status.doubt == OUTAGE else status


def _withdraw(ctx: Context, why: str) -> Status:
    nothing_yet = _asked_anew(ctx) | {"withdrawn_at": ctx.now}
    told = f"{why}: stable has all traffic until one is ready again"
    return write_journal(ctx.change(**nothing_yet), ctx.now, JournalKind.WITHDRAWN, told, weight=0)


def _asked_anew(ctx: Context) -> dict[str, Any]:
    """Nothing of what was written, accepted and seen before counts any more."""
    clocks = {"phase_since": ctx.now, "written_at": None, "verified_at": None, "withdrawn_at": None}
    return {"weight": Weight(desired=ctx.status.weight.desired), **clocks, **NOT_HELD}


def _give_back(ctx: Context) -> Status:
    """Its share, when the pods for it are there again; the hold of the step begins anew."""
    share = ctx.status.weight.desired
    if ctx.canary is not None and ctx.canary.fatal:
        return roll_back(ctx, Outcome.ROLLED_BACK, f"the canary cannot start: {ctx.canary.problem}")
    if ctx.ready >= replicas_for(ctx.full, share):
        route = routed(ctx)
        if route.trouble:
            return roll_back(ctx.with_status(route.status), Outcome.ROLLED_BACK, route.trouble)
        if not route.ready or blocked(ctx):
            return route.status
        back = route.status.model_copy(update=_asked_anew(ctx))
        return write_journal(
            back, ctx.now, JournalKind.WEIGHT, f"its pods are back: asking for {share} %", weight=share
        )
    clock = pods_back_clock(ctx)
    if not over(ctx, clock):
        return ctx.status
    return roll_back(ctx, Outcome.CANCELLED, f"{PLANNED}, and none is ready after {clock.seconds:g} s")
