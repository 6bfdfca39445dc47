"""A canary that has traffic and no ready pod: its own fault, a planned event, or an outage of everything.

Its own fault takes it back at once. A planned event (an eviction, a drain, a node that shuts down) only moves its share
to stable until a pod is ready again. Where stable has no ready pod either, nobody is to blame and nothing is changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rollout.context import NO_DOUBT, roll_back, write_journal
from rollout.readiness import routed
from rollout.revision import replicas_for
from rollout.status import Outcome

if TYPE_CHECKING:
    from rollout.context import Context
    from rollout.status import Status

PLANNED = "its pods were moved away by a planned event"


def without_pods(ctx: Context) -> bool:
    """Whether the canary has a share, or had one, and no pod for it."""
    return ctx.status.withdrawn_at is not None or (ctx.ready == 0 and ctx.status.weight.desired > 0)


def without_pods_status(ctx: Context) -> Status:
    """What should be true next of a canary without ready pods."""
    if ctx.status.withdrawn_at is not None:
        return _give_back(ctx)
    if outage_of_both(ctx):
        return ctx.status
    canary, share = ctx.canary, ctx.status.weight.desired
    if canary is not None and canary.disrupted and ctx.shared and not canary.fatal:
        return _withdraw(ctx)
    told = canary.problem if canary else "its pods are gone"
    reason = f"no canary pod is ready while it has {share} % of the traffic"
    return roll_back(ctx, Outcome.ROLLED_BACK, f"{reason}: {told}" if told else reason)


def outage_of_both(ctx: Context) -> bool:
    """Whether no pod of either version is ready."""
    stable = ctx.seen.revisions.get(ctx.status.stable.revision) if ctx.status.stable else None
    return ctx.ready == 0 and stable is not None and stable.ready == 0 and stable.replicas > 0


def _withdraw(ctx: Context) -> Status:
    nothing_yet = {"withdrawn_at": ctx.now, "phase_since": ctx.now, "written_at": None, "verified_at": None, **NO_DOUBT}
    told = f"{PLANNED}: stable has all traffic until one is ready again"
    return write_journal(ctx.change(**nothing_yet), ctx.now, "withdrawn", told, weight=0)


def _give_back(ctx: Context) -> Status:
    """Its share, when the pods for it are there again; the hold of the step begins anew."""
    share = ctx.status.weight.desired
    if ctx.canary is not None and ctx.canary.fatal:
        return roll_back(ctx, Outcome.ROLLED_BACK, f"the canary cannot start: {ctx.canary.problem}")
    if ctx.ready >= replicas_for(ctx.full, share) and not ctx.status.paused:
        route = routed(ctx)
        if not route.ready:
            return route.status
        asked = {"withdrawn_at": None, "phase_since": ctx.now, "written_at": None, "verified_at": None, **NO_DOUBT}
        back = route.status.model_copy(update=asked)
        return write_journal(back, ctx.now, "weight", f"its pods are back: asking for {share} %", weight=share)
    deadline = ctx.spec.strategy.ready_deadline
    if ctx.waited(ctx.status.withdrawn_at) < deadline:
        return ctx.status
    return roll_back(ctx, Outcome.CANCELLED, f"{PLANNED}, and none is ready after {deadline:g} s")
