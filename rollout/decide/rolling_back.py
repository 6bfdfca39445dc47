"""The way back: weight 0 until no request reaches the canary, or the old pods where they were given up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rollout.api.status import Outcome, Phase, Version
from rollout.api.texts import told as fit
from rollout.decide.clocks import old_pods_clock, over, zero_clock
from rollout.decide.context import REASON, change_release, finish, refuse
from rollout.decide.desired_state import had_traffic, leads_nowhere, weights_of
from rollout.decide.verify import not_zero, verify_zero

if TYPE_CHECKING:
    from rollout.api.status import Status
    from rollout.decide.context import Context


def rolling_back(ctx: Context) -> Status:
    """Weight 0, again and again until no request reaches the canary; nothing else matters before that."""
    if not ctx.can.keeps_old:
        return _returned(ctx) if _old_pods_back(ctx) else ctx.status
    if ctx.status.stable is None:
        return ctx.status if leads_nowhere(ctx) and not _out_of_patience(ctx) else _returned(ctx)
    if not had_traffic(ctx.status):
        return _returned(ctx)
    status = verify_zero(ctx, weights_of(ctx.status))
    if status.verified_at is not None:
        return _returned(ctx.with_status(status))
    if not _out_of_patience(ctx):
        return status
    missing = fit(not_zero(ctx, weights_of(ctx.status)), REASON)
    return _returned(ctx.with_status(change_release(status, incomplete=missing)))


def _out_of_patience(ctx: Context) -> bool:
    """Whether a rollback has had the time it takes."""
    return over(ctx, zero_clock(ctx))


def _old_pods_back(ctx: Context) -> bool:
    """All pods of the old version are ready; or they had their time, and the next version may be what cures them."""
    stable = ctx.status.stable
    facts = ctx.seen.revisions.get(stable.revision) if stable else None
    back = stable is None or (facts is not None and facts.ready >= ctx.replicas)
    clock = old_pods_clock(ctx)
    return back or ctx.since(clock.since) >= clock.seconds


def _returned(ctx: Context) -> Status:
    status, release = ctx.status, ctx.status.release
    outcome = (release.outcome if release else None) or Outcome.ROLLED_BACK
    reason = release.outcome_reason if release else ""
    if outcome in {Outcome.ROLLED_BACK, Outcome.ABORTED}:
        taken_back = status.canary or Version(revision=ctx.seen.desired_revision)
        return finish(refuse(status, ctx.now, taken_back, reason), ctx.now, Phase.ROLLED_BACK, outcome, reason)
    return finish(status, ctx.now, Phase.IDLE, outcome, reason)
