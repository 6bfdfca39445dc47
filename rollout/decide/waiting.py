"""What a release waits for, why, and until when: said in every phase for as long as it does not end.

`status.waiting` is read by people, by `release watch` and by whoever asks why nothing happens. It is made of the same
facts and the same clocks that the decision is made of.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rollout.api.revision import replicas_for
from rollout.api.spec import OnDoubt
from rollout.api.status import Phase, Waiting
from rollout.api.texts import told
from rollout.decide.bake import NO_WAY_BACK, must_return
from rollout.decide.commands import waiting_gate
from rollout.decide.context import REASON, is_refusal, is_refused
from rollout.decide.desired_state import had_traffic, leaves_its_route, weights_of
from rollout.decide.pod_readiness import (
    NOT_READY,
    NOT_ROUTED,
    why_not_ready,
    why_not_routed,
)
from rollout.decide.verdict_policy import UNJUDGED, ends_at, policy_of
from rollout.decide.verify import not_zero, patience, why_not_written
from rollout.decide.without_pods import (
    NOBODY,
    OUTAGE,
    PLANNED,
    without_pods,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from rollout.decide.context import Context

FULL = 100


def waiting_of(ctx: Context) -> Waiting | None:
    """What the status, as it was just decided, waits for; None where nothing is wanted of it."""
    status = ctx.status
    if status.paused is not None and status.phase is not Phase.ROLLING_BACK:
        by = f" by {status.paused.by}" if status.paused.by else ""
        why = f": {status.paused.reason}" if status.paused.reason else ""
        return Waiting(reason=told(f"paused{by}{why}; `release resume` goes on", REASON), since=status.paused.at)
    reason, since, until = _PHASES[status.phase](ctx)
    if not reason:
        return None
    said, known = told(reason, REASON), status.waiting
    if since is None:
        since = known.since if known and known.reason == said else ctx.now
    return Waiting(reason=said, since=since, until=until, refused=is_refusal(ctx, reason))


Found = tuple[str, float | None, float | None]
"""Reason (empty for none), since when, and until when at the latest."""


def _until(since: float | None, seconds: float) -> float | None:
    return None if since is None else since + seconds


def _idle(ctx: Context) -> Found:
    status = ctx.status
    if status.stable and status.stable.revision == ctx.seen.desired_revision:
        return _failing(ctx)
    if is_refused(status, ctx.seen.desired_revision):
        last = next(entry for entry in status.refused if entry.revision == ctx.seen.desired_revision)
        return (
            f"{last.image or last.revision} was taken back ({last.reason}); `release retry` tries it again",
            last.at,
            None,
        )
    if leaves_its_route(ctx):
        failure = ctx.seen.failures.get("RetireRoute")
        said = f": {failure.text}" if failure else ""
        return f"the spec has no traffic, and the route is still there: it is removed first{said}", None, None
    return "about to start", status.phase_since, None


def _failing(ctx: Context) -> Found:
    """What the API server does not take, while nothing else is wanted."""
    for name, failure in sorted(ctx.seen.failures.items()):
        return f"{name} is not taken by the API server: {failure.text}", failure.since, None
    return "", None, None


def _preparing(ctx: Context) -> Found:
    strategy, status = ctx.spec.strategy, ctx.status
    if ctx.seen.no_room:
        return ctx.seen.no_room, status.phase_since, None
    if waiting_gate(ctx):
        return _gate(ctx)
    if status.doubt == NOT_ROUTED:
        return why_not_routed(ctx), status.doubt_since, _until(status.doubt_since, strategy.verify_deadline)
    alone = status.stable is None or not ctx.shared
    return _pods(ctx, ctx.full if alone else replicas_for(ctx.full, ctx.steps[0].weight))


def _pods(ctx: Context, needed: int) -> Found:
    since = ctx.status.doubt_since if ctx.status.doubt == NOT_READY else ctx.status.phase_since
    why = why_not_ready(ctx)
    said = f"{ctx.ready} of {needed} canary pods are ready" + (f": {why}" if why else "")
    return said, since, _until(since, ctx.spec.strategy.ready_deadline)


def _gate(ctx: Context) -> Found:
    return f"step {ctx.status.step + 1} waits for `release promote`", ctx.status.phase_since, None


def _stepping(ctx: Context) -> Found:
    status = ctx.status
    if without_pods(ctx):
        return _without_pods(ctx)
    if waiting_gate(ctx):
        return _gate(ctx)
    if status.step >= len(ctx.steps):
        return _before_promotion(ctx)
    step = ctx.steps[status.step]
    if status.weight.desired != step.weight and not _owes_its_share(ctx):
        held = policy_of(ctx, status.doubt) is not None
        return _doubt(ctx) if held else _pods(ctx, replicas_for(ctx.full, step.weight))
    if status.verified_at is None:
        return _weight(ctx)
    left = step.hold - ctx.since(status.verified_at)
    if left > 0 or not status.doubt:
        return f"{status.weight.desired} % is judged", status.verified_at, _until(status.verified_at, step.hold)
    return _doubt(ctx)


def _before_promotion(ctx: Context) -> Found:
    if policy_of(ctx, ctx.status.doubt) is not None:
        return _doubt(ctx)
    return _weight(ctx) if _owes_its_share(ctx) else ("goes on to all traffic", ctx.status.phase_since, ctx.now)


def _owes_its_share(ctx: Context) -> bool:
    """Whether the weight in force is still to be seen, though the steps want another one by now."""
    newest = ctx.status.release.steps[-1] if ctx.status.release and ctx.status.release.steps else None
    return newest is not None and newest.ended_at is None and newest.verified_at is None


def _without_pods(ctx: Context) -> Found:
    status = ctx.status
    if status.withdrawn_at is not None:
        until = _until(status.withdrawn_at, ctx.spec.strategy.ready_deadline)
        return f"{PLANNED}: {ctx.ready} are ready; stable has all traffic", status.withdrawn_at, until
    until = _until(status.doubt_since, ctx.spec.strategy.ready_deadline) if status.doubt == OUTAGE else None
    return f"{NOBODY}: nothing is changed before one is", status.doubt_since, until


def _weight(ctx: Context) -> Found:
    """A weight that is asked for and not verified yet."""
    status, share = ctx.status, ctx.seen.share
    if status.doubt and status.doubt not in {NOT_READY, NOT_ROUTED}:
        return _doubt(ctx)
    if status.written_at is None or share.foreign_backends:
        since = status.phase_since if status.written_at is None else status.written_at
        return why_not_written(ctx), since, _until(since, patience(ctx))
    until = _until(status.written_at, patience(ctx))
    if status.weight.accepted != status.weight.desired:
        said = share.problem or "no answer from its controller"
        return f"the gateway has not accepted {status.weight.desired} %: {said}", status.written_at, until
    seen = "none" if share.canary_share is None else f"{100 * share.canary_share:.1f} %"
    said = f"{status.weight.desired} % is not seen in the requests yet: {seen} of {share.requests} at the canary"
    return said, status.written_at, until


def _doubt(ctx: Context) -> Found:
    status, policy = ctx.status, policy_of(ctx, ctx.status.doubt)
    said = ctx.assessed.reason if ctx.assessed else UNJUDGED
    if policy is None or policy.action is not OnDoubt.HOLD:
        return f"{status.doubt}: {said}", status.doubt_since, None
    then = "goes on" if policy.then == "go-on" else "is taken back"
    return f"{status.doubt}: {said}; {then} after that", status.held_since, ends_at(ctx)


def _promoting(ctx: Context) -> Found:
    if without_pods(ctx):
        return _without_pods(ctx)
    if ctx.status.weight.desired == FULL:
        return _weight(ctx)
    return _doubt(ctx) if policy_of(ctx, ctx.status.doubt) else _pods(ctx, ctx.full)


def _baking(ctx: Context) -> Found:
    since, strategy = ctx.status.phase_since, ctx.spec.strategy
    if against := must_return(ctx):
        return f"{against}; {NO_WAY_BACK}", since, _until(since, strategy.bake + strategy.ready_deadline)
    return "the version before stays ready", since, _until(since, strategy.bake)


def _rolling_back(ctx: Context) -> Found:
    since, strategy = ctx.status.phase_since, ctx.spec.strategy
    if not ctx.shared:
        return "the pods of the version before are not all ready", since, _until(since, strategy.ready_deadline)
    if ctx.status.stable is None:
        failure = ctx.seen.failures.get("RetireRoute")
        said = f": {failure.text}" if failure else ""
        return f"the route still leads to it{said}", since, _until(since, strategy.drain + strategy.verify_deadline)
    if not had_traffic(ctx.status):
        return "it had no traffic yet, and ends with the next look", since, _until(since, strategy.drain)
    return not_zero(ctx, weights_of(ctx.status)), since, _until(since, strategy.drain + strategy.verify_deadline)


_PHASES: dict[Phase, Callable[[Context], Found]] = {
    Phase.IDLE: _idle,
    Phase.ROLLED_BACK: _idle,
    Phase.PREPARING: _preparing,
    Phase.STEPPING: _stepping,
    Phase.PROMOTING: _promoting,
    Phase.BAKING: _baking,
    Phase.ROLLING_BACK: _rolling_back,
}
