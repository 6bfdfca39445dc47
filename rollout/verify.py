"""A weight counts when it is verified: written, accepted by every parent, and seen in the requests themselves."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from rollout.context import change_step, write_journal
from rollout.spec import OnDoubt
from rollout.status import Weight

if TYPE_CHECKING:
    from rollout.context import Context
    from rollout.spec import Doubt
    from rollout.status import Status

QUIET_SECONDS = 1.0
SIGMAS = 4.0
LEAST_TOLERANCE = 0.05


def share_agrees(share: float, wanted: float, requests: int) -> bool:
    """Whether ``share`` of ``requests`` is what a gateway set to ``wanted`` (both 0 to 1) would show.

    Four standard deviations of the binomial share, and never narrower than five points: a gateway spreads by weighted
    random choice, and its counters are read a moment apart.
    """
    if requests <= 0:
        return False
    spread = math.sqrt(wanted * (1 - wanted) / requests)
    return abs(share - wanted) <= max(LEAST_TOLERANCE, SIGMAS * spread)


def verify(ctx: Context, weights: dict[str, int]) -> Status:
    """Note on the status how far the wanted weight has come: written, accepted, observed."""
    status, share = ctx.status, ctx.seen.share
    if dict(share.weights) != weights:
        return status
    if status.written_at is None:
        status = status.model_copy(update={"written_at": ctx.seen.written_at or ctx.now})
    if not share.accepted:
        return status
    if status.weight.accepted != status.weight.desired:
        status = _accepted(ctx.with_status(status))
    return _observed(ctx.with_status(status))


def _accepted(ctx: Context) -> Status:
    wanted = ctx.status.weight.desired
    status = change_step(ctx.status, accepted_at=ctx.now)
    return status.model_copy(update={"weight": Weight(desired=wanted, accepted=wanted)})


def _observed(ctx: Context) -> Status:
    status, share = ctx.status, ctx.seen.share
    if status.verified_at is not None or not _traffic_agrees(ctx):
        return status
    seen = None if share.canary_share is None else round(100 * share.canary_share, 2)
    weight = status.weight.model_copy(update={"observed": seen})
    status = change_step(status, verified_at=ctx.now, observed=seen)
    status = status.model_copy(update={"weight": weight, "verified_at": ctx.now})
    told = "accepted by the gateway" if seen is None else f"{seen:.1f} % of {share.requests} requests seen"
    return write_journal(status, ctx.now, "verified", f"weight {weight.desired} %: {told}", weight=weight.desired)


def _traffic_agrees(ctx: Context) -> bool:
    share, wanted = ctx.seen.share, ctx.status.weight.desired / 100
    if share.canary_share is not None and share.requests > 0:
        return share_agrees(share.canary_share, wanted, share.requests)
    if ctx.seen.assessment is None:
        return True
    policy = _uncounted(ctx)
    patience_over = ctx.since(ctx.status.written_at) >= policy.deadline
    return policy.action is OnDoubt.GO_ON or (patience_over and policy.then == "go-on")


def _uncounted(ctx: Context) -> Doubt:
    """The policy for a share that nobody can count: no requests came, or the source of the counts is silent."""
    analysis, found = ctx.spec.analysis, ctx.seen.assessment
    verdict = str(found.verdict) if found else ""
    return {"source-down": analysis.source_down, "no-data": analysis.no_data}.get(verdict, analysis.no_traffic)


def route_trouble(ctx: Context) -> str:
    """Why the wanted weight is still not verified after its deadline, or nothing."""
    waited, share = ctx.since(ctx.status.written_at), ctx.seen.share
    if ctx.status.verified_at is not None or ctx.status.written_at is None:
        return ""
    late = waited >= ctx.spec.strategy.verify_deadline
    if not share.accepted:
        return (
            f"the gateway did not accept the route: {share.problem or 'no answer from its controller'}" if late else ""
        )
    if share.requests and share.canary_share is not None:
        told = f"the gateway sends {100 * share.canary_share:.1f} % to the canary, not {ctx.status.weight.desired} %"
        return f"{told} as the route says" if late else ""
    return _silence(ctx, waited)


def _silence(ctx: Context, waited: float) -> str:
    policy = _uncounted(ctx)
    if policy.action is OnDoubt.ROLL_BACK and waited >= ctx.spec.strategy.verify_deadline:
        return "no request could be counted at the canary"
    over = policy.action is OnDoubt.HOLD and policy.then == "roll-back" and waited >= policy.deadline
    return f"no request could be counted at the canary for {policy.deadline:g} s" if over else ""
