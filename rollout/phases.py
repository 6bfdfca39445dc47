"""What each phase does with one look. Every function answers the status that should be true next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rollout.context import (
    begin,
    begin_step,
    change_release,
    change_step,
    enter,
    finish,
    is_refused,
    refuse,
    roll_back,
    write_journal,
)
from rollout.desire import had_traffic, weights_of
from rollout.doubt import step_may_end
from rollout.revision import replicas_for
from rollout.status import Outcome, Phase, Version, Weight
from rollout.verbs import waiting_gate
from rollout.verify import QUIET_SECONDS, route_trouble, verify

if TYPE_CHECKING:
    from collections.abc import Callable

    from rollout.context import Context
    from rollout.status import Status

FULL = 100


def idle(ctx: Context) -> Status:
    """Nothing is under way: start a release where another revision is desired and nobody refused it."""
    status, desired = ctx.status, ctx.seen.desired_revision
    if status.stable and desired == status.stable.revision:
        return enter(status, ctx.now, Phase.IDLE) if status.phase is Phase.ROLLED_BACK else status
    if is_refused(status, desired) or status.paused:
        return status
    return begin(ctx)


def preparing(ctx: Context) -> Status:
    """Pods of the canary are coming up; nothing else has changed yet."""
    alone = ctx.status.stable is None or ctx.spec.traffic is None
    needed = ctx.replicas if alone else replicas_for(ctx.replicas, ctx.steps[0].weight)
    if trouble := _pods_trouble(ctx, needed):
        return roll_back(ctx, Outcome.ROLLED_BACK, trouble)
    if ctx.ready < needed or ctx.status.paused or (not alone and waiting_gate(ctx)):
        return ctx.status
    ready = write_journal(ctx.status, ctx.now, "ready", f"{ctx.ready} of {needed} canary pods ready")
    if not alone:
        first = ctx.steps[0]
        return begin_step(enter(ready, ctx.now, Phase.STEPPING), ctx.now, 0, first.weight, first.hold)
    return _ask_for_all(enter(ready, ctx.now, Phase.PROMOTING), ctx.now)


def _pods_trouble(ctx: Context, needed: int) -> str:
    facts = ctx.canary
    if ctx.ready >= needed or facts is None:
        return _late(ctx, needed, "its pods do not exist") if facts is None else ""
    if facts.fatal:
        return f"the canary cannot start: {facts.problem}"
    return _late(ctx, needed, facts.problem)


def _late(ctx: Context, needed: int, problem: str) -> str:
    deadline = ctx.spec.strategy.ready_deadline
    if ctx.since(ctx.status.phase_since) < deadline:
        return ""
    told = f"{ctx.ready} of {needed} canary pods ready after {deadline:g} s"
    return f"{told}: {problem}" if problem else told


def stepping(ctx: Context) -> Status:
    """A share of the traffic is at the canary, or is about to be raised."""
    if reason := _must_go(ctx):
        return roll_back(ctx, Outcome.ROLLED_BACK, reason)
    status = ctx.status
    if status.step >= len(ctx.steps):
        return _to_promoting(ctx)
    if status.weight.desired != ctx.steps[status.step].weight:
        return _raise(ctx)
    ctx = ctx.with_status(verify(ctx, weights_of(status)))
    if ctx.status.verified_at is None or ctx.status.paused:
        return ctx.status
    if ctx.since(ctx.status.verified_at) < ctx.steps[status.step].hold:
        return ctx.status
    return _end_step(ctx)


def _must_go(ctx: Context) -> str:
    found = ctx.seen.assessment
    if found is not None and found.verdict == "bad":
        return found.reason
    if ctx.ready == 0 and ctx.status.weight.desired > 0:
        told = ctx.canary.problem if ctx.canary else "its pods are gone"
        return f"no canary pod is ready while it has {ctx.status.weight.desired} % of the traffic" + (
            f": {told}" if told else ""
        )
    return route_trouble(ctx)


def _end_step(ctx: Context) -> Status:
    verdict = step_may_end(ctx)
    if verdict.roll_back:
        return roll_back(ctx.with_status(verdict.status), Outcome.ROLLED_BACK, verdict.roll_back)
    if not verdict.go_on:
        return verdict.status
    found = ctx.seen.assessment
    status = change_step(verdict.status, ended_at=ctx.now, verdict=str(found.verdict) if found else "not judged")
    if found is None or found.verdict != "good":
        status = change_release(status, proven=False)
    nothing_yet = {"step": status.step + 1, "written_at": None, "verified_at": None, "phase_since": ctx.now}
    status = status.model_copy(update=nothing_yet)
    return write_journal(status, ctx.now, "step-ended", f"step {status.step} of {len(ctx.steps)} ended: {_told(ctx)}")


def _told(ctx: Context) -> str:
    return ctx.seen.assessment.reason if ctx.seen.assessment else "nothing is judged"


def _raise(ctx: Context) -> Status:
    step = ctx.steps[ctx.status.step]
    needed = replicas_for(ctx.replicas, step.weight)
    if trouble := _pods_trouble(ctx, needed):
        return roll_back(ctx, Outcome.ROLLED_BACK, trouble)
    if ctx.ready < needed or ctx.status.paused or waiting_gate(ctx):
        return ctx.status
    return begin_step(ctx.status, ctx.now, ctx.status.step, step.weight, step.hold)


def _to_promoting(ctx: Context) -> Status:
    return ctx.status if ctx.status.paused else enter(ctx.status, ctx.now, Phase.PROMOTING)


def _ask_for_all(status: Status, now: float) -> Status:
    asked = status.model_copy(update={"weight": Weight(desired=FULL), "written_at": None, "verified_at": None})
    return write_journal(asked, now, "weight", "asking for all traffic", weight=FULL)


def promoting(ctx: Context) -> Status:
    """The canary gets the pods for all traffic, then all traffic."""
    if reason := _must_go(ctx):
        return roll_back(ctx, Outcome.ROLLED_BACK, reason)
    if ctx.status.weight.desired != FULL:
        if trouble := _pods_trouble(ctx, ctx.replicas):
            return roll_back(ctx, Outcome.ROLLED_BACK, trouble)
        return _ask_for_all(ctx.status, ctx.now) if ctx.ready >= ctx.replicas else ctx.status
    if ctx.spec.traffic is None:
        return _promoted(ctx)
    status = verify(ctx, weights_of(ctx.status))
    served = status.verified_at is not None or (status.weight.accepted == FULL and not ctx.seen.share.requests)
    return _promoted(ctx.with_status(status)) if served else status


def _promoted(ctx: Context) -> Status:
    status, version = ctx.status, ctx.status.canary
    serving = version.model_copy(update={"since": ctx.now}) if version else None
    if status.stable is None:
        status = change_release(ctx.change(stable=serving), proven=True)
        return finish(status, ctx.now, Phase.IDLE, Outcome.PROMOTED, "the first version serves")
    status = write_journal(
        status, ctx.now, "promoted", "all traffic is at the new version; the old one stays for the bake"
    )
    swapped = {"stable": serving, "previous": status.stable, "canary": None, "weight": Weight()}
    return enter(status, ctx.now, Phase.BAKING, **swapped)


def baking(ctx: Context) -> Status:
    """The new version serves alone; the old one is still there at full scale, one route write away."""
    found = ctx.seen.assessment
    if found is not None and found.verdict == "bad":
        return roll_back(ctx, Outcome.ROLLED_BACK, found.reason)
    stable = ctx.seen.revisions.get(ctx.status.stable.revision) if ctx.status.stable else None
    if stable is not None and stable.ready == 0 and stable.replicas > 0:
        return roll_back(
            ctx, Outcome.ROLLED_BACK, f"no pod of the new version is ready: {stable.problem or 'all are unready'}"
        )
    moved_on = ctx.status.stable is not None and ctx.seen.desired_revision != ctx.status.stable.revision
    if ctx.since(ctx.status.phase_since) < ctx.spec.strategy.bake and not moved_on:
        return ctx.status
    return _bake_over(ctx)


def _bake_over(ctx: Context) -> Status:
    proven = bool(ctx.status.release and ctx.status.release.proven)
    status = change_release(ctx.status, excess_failed_requests=_excess(ctx), verdict_at_end=ctx.status.analysis)
    if proven:
        return finish(status, ctx.now, Phase.IDLE, Outcome.PROMOTED, "proven not worse than the version before")
    told = "nothing spoke against it, but the traffic did not prove it"
    return finish(status, ctx.now, Phase.IDLE, Outcome.PROMOTED_NOT_PROVEN, told)


def _excess(ctx: Context) -> float:
    return ctx.seen.assessment.excess_failed_requests if ctx.seen.assessment else 0.0


def rolling_back(ctx: Context) -> Status:
    """Weight 0, again and again until no request reaches the canary; nothing else matters before that."""
    if ctx.spec.traffic is None:
        return _returned(ctx) if _old_pods_back(ctx) else ctx.status
    if ctx.status.stable is None:
        return _returned(ctx) if not ctx.seen.share.exists else ctx.status
    if not had_traffic(ctx.status):
        return _returned(ctx)
    status = verify_zero(ctx)
    return _returned(ctx.with_status(status)) if status.verified_at is not None else status


def _old_pods_back(ctx: Context) -> bool:
    stable = ctx.status.stable
    facts = ctx.seen.revisions.get(stable.revision) if stable else None
    return stable is None or (facts is not None and facts.ready >= ctx.replicas)


def verify_zero(ctx: Context) -> Status:
    """Note when weight 0 was written and when the last request had left the canary."""
    share, status = ctx.seen.share, ctx.status
    if dict(share.weights) != weights_of(status):
        return status
    if status.written_at is None:
        status = status.model_copy(update={"written_at": ctx.seen.written_at or ctx.now})
        status = _reaction(status, written_at=status.written_at)
    if share.canary_quiet_seconds is None:
        calm = share.accepted and ctx.since(status.written_at) >= ctx.spec.strategy.drain
        return status.model_copy(update={"verified_at": ctx.now}) if calm else status
    if share.canary_quiet_seconds < QUIET_SECONDS:
        return status
    last = max(ctx.now - share.canary_quiet_seconds, status.written_at or 0.0)
    status = _reaction(status, observed_at=last)
    return status.model_copy(update={"verified_at": ctx.now, "weight": Weight(accepted=0, observed=0.0)})


def _reaction(status: Status, **update: float | None) -> Status:
    if status.release is None:
        return status
    return change_release(status, reaction=status.release.reaction.model_copy(update=update))


def _returned(ctx: Context) -> Status:
    status, release = ctx.status, ctx.status.release
    outcome = (release.outcome if release else None) or Outcome.ROLLED_BACK
    reason = release.outcome_reason if release else ""
    if outcome in {Outcome.ROLLED_BACK, Outcome.ABORTED}:
        taken_back = status.canary or Version(revision=ctx.seen.desired_revision)
        return finish(refuse(status, ctx.now, taken_back, reason), ctx.now, Phase.ROLLED_BACK, outcome, reason)
    return finish(status, ctx.now, Phase.IDLE, outcome, reason)


PHASES: dict[Phase, Callable[[Context], Status]] = {
    Phase.IDLE: idle,
    Phase.ROLLED_BACK: idle,
    Phase.PREPARING: preparing,
    Phase.STEPPING: stepping,
    Phase.PROMOTING: promoting,
    Phase.BAKING: baking,
    Phase.ROLLING_BACK: rolling_back,
}
