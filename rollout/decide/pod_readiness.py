"""Capacity first: whether the canary has the ready pods for what it is about to be given, and for how long it has not.

The clock runs from the moment the pods were first missed, not from the beginning of the phase: a release that waited an
hour at a gate is not taken back because one pod moved to another node at the end of that hour.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from rollout.decide.clocks import over, pods_clock, routed_clock
from rollout.decide.context import NOT_READY

if TYPE_CHECKING:
    from rollout.api.status import Status
    from rollout.decide.context import Context

NOT_ROUTED = "not-routed"
REFUSED = "the API server does not take its objects"


class Readiness(NamedTuple):
    """The status with what holds it noted or gone; `trouble` is the reason to turn round, `late` that it is time."""

    status: Status
    ready: bool = False
    trouble: str = ""
    late: bool = False


def readiness(ctx: Context, needed: int) -> Readiness:
    """Look for ``needed`` ready canary pods."""
    status, facts = ctx.status, ctx.canary
    refused = ctx.seen.failures.get("EnsureRevision")
    if refused is not None and refused.final and ctx.ready < needed:
        return Readiness(status, trouble=f"{REFUSED}: {refused.text}")
    if ctx.ready >= needed:
        calm = ctx.change(doubt="", doubt_since=None) if status.doubt == NOT_READY else status
        return Readiness(calm, ready=True)
    if facts is not None and facts.fatal:
        return Readiness(status, trouble=f"the canary cannot start: {facts.problem}")
    if status.doubt != NOT_READY:
        return Readiness(ctx.change(doubt=NOT_READY, doubt_since=ctx.now))
    late = _late(ctx, needed)
    return Readiness(status, trouble=late, late=bool(late))


def _late(ctx: Context, needed: int) -> str:
    clock = pods_clock(ctx)
    if not over(ctx, clock):
        return ""
    told, problem = f"{ctx.ready} of {needed} canary pods ready after {clock.seconds:g} s", why_not_ready(ctx)
    return f"{told}: {problem}" if problem else told


def why_not_ready(ctx: Context) -> str:
    """What keeps the canary's pods from being ready, as far as anybody says; empty where nobody does."""
    refused = ctx.seen.failures.get("EnsureRevision") or ctx.seen.failures.get("Scale")
    if refused is not None:
        return f"{REFUSED}: {refused.text}"
    return ctx.canary.problem if ctx.canary else "its pods do not exist"


def routed(ctx: Context) -> Readiness:
    """Look whether the gateway knows the canary: on the route at weight 0, accepted, with an endpoint to send to.

    A weight given before that costs 503s until the gateway has heard of the pods (measured: 20 to 120 ms of them).
    """
    status, share = ctx.status, ctx.seen.share
    if _is_named(ctx) and share.accepted and share.canary_endpoints != 0:
        calm = ctx.change(doubt="", doubt_since=None) if status.doubt == NOT_ROUTED else status
        return Readiness(calm, ready=True)
    if status.doubt != NOT_ROUTED:
        return Readiness(ctx.change(doubt=NOT_ROUTED, doubt_since=ctx.now))
    if not over(ctx, routed_clock(ctx)):
        return Readiness(status)
    return Readiness(status, trouble=why_not_routed(ctx))


def _is_named(ctx: Context) -> bool:
    return ctx.status.canary is not None and ctx.status.canary.revision in ctx.seen.share.weights


def why_not_routed(ctx: Context) -> str:
    """What keeps the gateway from knowing the canary."""
    share = ctx.seen.share
    if not _is_named(ctx):
        failure = ctx.seen.failures.get("Shift")
        return f"the route could not be written: {failure.text if failure else 'it does not name the canary'}"
    if share.accepted:
        return "the gateway has no endpoint for the canary, though its pods are ready"
    return f"the gateway did not accept the route: {share.problem or 'no answer from its controller'}"
