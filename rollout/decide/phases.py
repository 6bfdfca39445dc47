"""What each phase does with one look. Every function answers the status that should be true next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rollout.api.journal import JournalKind
from rollout.api.revision import replicas_for
from rollout.api.status import (
    Outcome,
    Phase,
    Weight,
)
from rollout.decide.approval import note
from rollout.decide.bake import baking
from rollout.decide.clocks import (
    hold_clock,
)
from rollout.decide.context import (
    ALL,
    NOT_HELD,
    SKIPPED,
    begin,
    begin_step,
    change_release,
    change_step,
    enter,
    finish,
    roll_back,
    write_journal,
)
from rollout.decide.desired_state import weights_of
from rollout.decide.gates import blocked
from rollout.decide.moves import Move, is_alone
from rollout.decide.pod_readiness import readiness, routed
from rollout.decide.rolling_back import rolling_back
from rollout.decide.verdict_policy import UNJUDGED, may_still_rise, step_may_end
from rollout.decide.verify import (
    PATIENCE_SECONDS,
    owes_proof,
    silence,
    verify,
)
from rollout.decide.without_pods import (
    after_outage,
    moved_away_before,
    without_pods,
    without_pods_status,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from rollout.api.status import Status
    from rollout.decide.context import Context


def idle(ctx: Context) -> Status:
    """Nothing is under way: start a release where another revision is desired and nobody refused it."""
    status, desired = ctx.status, ctx.seen.desired_revision
    if status.stable and desired == status.stable.revision:
        return enter(status, ctx.now, Phase.IDLE) if status.phase is Phase.ROLLED_BACK else status
    if blocked(ctx):
        return status
    return begin(ctx)


def preparing(ctx: Context) -> Status:
    """Pods of the canary are coming up; nothing else has changed yet."""
    if blocked(ctx, Move.PODS):
        return ctx.change(**NOT_HELD)
    alone = is_alone(ctx)
    needed = ctx.full if alone else replicas_for(ctx.full, ctx.steps[0].weight)
    pods = readiness(ctx, needed)
    if pods.late and (before := moved_away_before(ctx)):
        return roll_back(ctx, Outcome.CANCELLED, f"{pods.trouble}; the time before, {before}")
    if pods.trouble:
        return roll_back(ctx, Outcome.ROLLED_BACK, pods.trouble)
    if not pods.ready or blocked(ctx):
        return pods.status
    told = f"{ctx.ready} of {needed} canary pods ready"
    if alone:
        ready = write_journal(pods.status, ctx.now, JournalKind.READY, told)
        return _ask_for_all(enter(ready, ctx.now, Phase.PROMOTING), ctx.now)
    route = routed(ctx.with_status(pods.status))
    if route.trouble:
        return roll_back(ctx, Outcome.ROLLED_BACK, route.trouble)
    if not route.ready:
        return route.status
    ready = write_journal(route.status, ctx.now, JournalKind.READY, f"{told} and known to the gateway")
    first = ctx.steps[0]
    return begin_step(enter(note(ctx, ready, 0), ctx.now, Phase.STEPPING), ctx.now, 0, first.weight, first.hold)


def stepping(ctx: Context) -> Status:
    """A share of the traffic is at the canary, or is about to be raised."""
    if reason := _must_go(ctx):
        return roll_back(ctx, Outcome.ROLLED_BACK, reason, convicted=True)
    if without_pods(ctx):
        return without_pods_status(ctx)
    ctx = ctx.with_status(_realigned(ctx.with_status(after_outage(ctx.status))))
    status = ctx.status
    over = status.step >= len(ctx.steps)
    wanted = not over and status.weight.desired == ctx.steps[status.step].weight
    if not wanted and not owes_proof(status):
        return _leave(ctx, over=over)
    seen = verify(ctx, weights_of(status))
    if seen.trouble:
        return roll_back(ctx.with_status(seen.status), Outcome.ROLLED_BACK, seen.trouble)
    ctx = ctx.with_status(seen.status)
    if ctx.status.verified_at is None or not wanted or blocked(ctx):
        return ctx.status
    if ctx.since(ctx.status.verified_at) < hold_clock(ctx).seconds:
        return ctx.status
    return _end_step(ctx)


def _must_go(ctx: Context) -> str:
    found = ctx.seen.assessment
    if found is not None and found.verdict == "bad":
        return found.reason
    return silence(ctx)


def _realigned(ctx: Context) -> Status:
    """Steps added or removed in flight: go on with the first that is not below what the canary has already."""
    status, has = ctx.status, ctx.status.weight.desired
    if status.steps == len(ctx.steps):
        return status
    ended = status.release is not None and bool(status.release.steps) and status.release.steps[-1].ended_at is not None
    fits = (at for at, step in enumerate(ctx.steps) if step.weight > has or (step.weight == has and not ended))
    step = len(ctx.steps) if status.step >= status.steps else next(fits, len(ctx.steps))
    return ctx.change(step=step, steps=len(ctx.steps), gate_passed=-1)


def _leave(ctx: Context, *, over: bool) -> Status:
    """Go on from a weight to the next, or to all traffic: also where steps were edited, only as its verdict allows."""
    newest = ctx.status.release.steps[-1] if ctx.status.release and ctx.status.release.steps else None
    if newest is not None and newest.ended_at is None and newest.verdict != SKIPPED and ctx.status.weight.desired:
        if blocked(ctx, Move.END):
            return ctx.status
        verdict = step_may_end(ctx)
        if verdict.roll_back:
            return roll_back(ctx.with_status(verdict.status), Outcome.ROLLED_BACK, verdict.roll_back)
        if not verdict.go_on:
            return verdict.status
        ctx = ctx.with_status(_with_verdict(ctx, verdict.status))
    return _to_promoting(ctx) if over else _raise(ctx)


def _end_step(ctx: Context) -> Status:
    verdict = step_may_end(ctx)
    if verdict.roll_back:
        return roll_back(ctx.with_status(verdict.status), Outcome.ROLLED_BACK, verdict.roll_back)
    if not verdict.go_on:
        return verdict.status
    status = _with_verdict(ctx, verdict.status)
    status = status.model_copy(update={"step": status.step + 1, "written_at": None})
    return write_journal(
        status, ctx.now, JournalKind.STEP_ENDED, f"step {status.step} of {len(ctx.steps)} ended: {_told(ctx)}"
    )


def _with_verdict(ctx: Context, status: Status) -> Status:
    """The step ends here, by what the judge said of it; what comes next is counted from now on."""
    found = ctx.assessed
    status = change_step(status, ended_at=ctx.now, verdict=str(found.verdict) if found else "not judged")
    if found is not None and found.verdict == "good":
        status = change_release(status, proven=True)
    return status.model_copy(update={"verified_at": None, "phase_since": ctx.now})


def _told(ctx: Context) -> str:
    if ctx.assessed is not None:
        return ctx.assessed.reason
    return UNJUDGED if ctx.spec.analysis.signals else "nothing is judged"


def _raise(ctx: Context) -> Status:
    step = ctx.steps[ctx.status.step]
    pods = readiness(ctx, replicas_for(ctx.full, step.weight))
    if pods.trouble:
        return roll_back(ctx, Outcome.ROLLED_BACK, pods.trouble)
    if not pods.ready or blocked(ctx):
        return pods.status
    heard = may_still_rise(ctx.with_status(pods.status))
    if heard.roll_back:
        return roll_back(ctx.with_status(heard.status), Outcome.ROLLED_BACK, heard.roll_back)
    if not heard.go_on:
        return heard.status
    opened = note(ctx, heard.status, ctx.status.step)
    return begin_step(opened, ctx.now, ctx.status.step, step.weight, step.hold)


def _to_promoting(ctx: Context) -> Status:
    left = change_step(ctx.status, ended_at=ctx.now)
    return ctx.status if blocked(ctx) else enter(left, ctx.now, Phase.PROMOTING)


def _ask_for_all(status: Status, now: float) -> Status:
    clocks = {"phase_since": now, "written_at": None, "verified_at": None, **NOT_HELD}
    asked = status.model_copy(update={"weight": Weight(desired=ALL), **clocks})
    return write_journal(asked, now, JournalKind.WEIGHT, "asking for all traffic", weight=ALL)


def promoting(ctx: Context) -> Status:
    """The canary gets the pods for all traffic, then all traffic."""
    if reason := _must_go(ctx):
        return roll_back(ctx, Outcome.ROLLED_BACK, reason, convicted=True)
    if without_pods(ctx):
        return without_pods_status(ctx)
    ctx = ctx.with_status(after_outage(ctx.status))
    if ctx.status.weight.desired != ALL:
        return _before_all(ctx)
    if not ctx.shared:
        return _promoted(ctx)
    seen = verify(ctx, weights_of(ctx.status))
    if seen.status.verified_at is not None or _nobody_comes(ctx.with_status(seen.status)):
        return _promoted(ctx.with_status(seen.status))
    return roll_back(ctx, Outcome.ROLLED_BACK, seen.trouble) if seen.trouble else seen.status


def _before_all(ctx: Context) -> Status:
    """The pods for all traffic, and a judge that can be heard; then all traffic is asked for."""
    pods = readiness(ctx, ctx.full)
    if pods.trouble:
        return roll_back(ctx, Outcome.ROLLED_BACK, pods.trouble)
    if not pods.ready or blocked(ctx):
        return pods.status
    heard = may_still_rise(ctx.with_status(pods.status))
    if heard.roll_back:
        return roll_back(ctx.with_status(heard.status), Outcome.ROLLED_BACK, heard.roll_back)
    return _ask_for_all(heard.status, ctx.now) if heard.go_on else heard.status


def _nobody_comes(ctx: Context) -> bool:
    """All traffic is none: what the steps made of that was their policy's to say, and nothing is left to wait for.

    That needs somebody who counts: where the counts are silent, nobody knows whether anyone comes.
    """
    found = ctx.seen.assessment
    counted = found is not None and found.verdict not in {"source-down", "no-data"}
    accepted = ctx.status.weight.accepted == ALL and not ctx.seen.share.requests
    return accepted and counted and ctx.since(ctx.status.written_at) >= PATIENCE_SECONDS


def _promoted(ctx: Context) -> Status:
    status, version = ctx.status, ctx.status.canary
    serving = version.model_copy(update={"since": ctx.now}) if version else None
    if status.stable is None:
        status = change_release(ctx.change(stable=serving), proven=True)
        return finish(status, ctx.now, Phase.IDLE, Outcome.PROMOTED, "the first version serves")
    status = write_journal(
        status, ctx.now, JournalKind.PROMOTED, "all traffic is at the new version; the old one stays for the bake"
    )
    swapped = {"stable": serving, "previous": status.stable, "canary": None, "weight": Weight()}
    return enter(status, ctx.now, Phase.BAKING, **swapped)


PHASES: dict[Phase, Callable[[Context], Status]] = {
    Phase.IDLE: idle,
    Phase.ROLLED_BACK: idle,
    Phase.PREPARING: preparing,
    Phase.STEPPING: stepping,
    Phase.PROMOTING: promoting,
    Phase.BAKING: baking,
    Phase.ROLLING_BACK: rolling_back,
}
