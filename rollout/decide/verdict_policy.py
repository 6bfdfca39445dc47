"""Six verdicts, each with a policy of its own: what a step does when the judge cannot say good.

A hold always ends: by the deadline of the verdict that stands, or, where verdicts take turns, by the longest deadline
of them all counted from the beginning of the hold.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rollout.api.journal import JournalKind
from rollout.api.spec import VerdictAction
from rollout.decide.context import NOT_HELD, SKIPPED, write_journal

if TYPE_CHECKING:
    from rollout.api.spec import VerdictPolicy
    from rollout.api.status import Status
    from rollout.decide.context import Context


UNJUDGED = "the judge has not been heard in this step"


@dataclass(frozen=True, slots=True)
class StepVerdict:
    """Whether a step whose hold is over may end; `roll_back` is the reason to turn round, if any."""

    status: Status
    go_on: bool = False
    roll_back: str = ""


def policy_of(ctx: Context, verdict: str) -> VerdictPolicy | None:
    """The policy for a verdict; None for good and bad, which need none."""
    analysis = ctx.spec.analysis
    return {
        "undecided": analysis.undecided,
        "no-traffic": analysis.no_traffic,
        "no-data": analysis.no_data,
        "source-down": analysis.source_down,
    }.get(verdict)


def step_may_end(ctx: Context) -> StepVerdict:
    """Apply the verdict's policy at the end of a step's hold. Where something is to be judged, silence is no data."""
    if not ctx.spec.analysis.signals:
        return StepVerdict(ctx.change(**NOT_HELD), go_on=True)
    found = ctx.assessed
    return _by_policy(ctx, str(found.verdict), found.reason) if found else _by_policy(ctx, "no-data", UNJUDGED)


def may_still_rise(ctx: Context) -> StepVerdict:
    """Before more is asked for: the verdict that ended the step stands, for as long as the judge is heard at all."""
    steps = ctx.status.release.steps if ctx.status.release else []
    owed = ctx.status.weight.desired > 0 and not (steps and steps[-1].verdict == SKIPPED)
    if not owed or not ctx.spec.analysis.signals or ctx.assessed is not None:
        return StepVerdict(ctx.status, go_on=True)
    return _by_policy(ctx, "no-data", UNJUDGED)


def _by_policy(ctx: Context, verdict: str, told: str) -> StepVerdict:
    policy = policy_of(ctx, verdict)
    if policy is None or policy.action is VerdictAction.GO_ON:
        return StepVerdict(ctx.change(**NOT_HELD), go_on=True)
    if policy.action is VerdictAction.ROLL_BACK:
        return StepVerdict(ctx.status, roll_back=f"{verdict}: {told}")
    return hold(ctx, verdict, policy, told)


def hold(ctx: Context, verdict: str, policy: VerdictPolicy, told: str) -> StepVerdict:
    """Note since when the release is held and by which verdict; end it when its time is over."""
    status = ctx.status
    if status.held_since is None:
        held = ctx.change(doubt=verdict, doubt_since=ctx.now, held_since=ctx.now)
        return StepVerdict(write_journal(held, ctx.now, JournalKind.HELD, f"holding, {verdict}: {told}"))
    if status.doubt != verdict:
        status = ctx.change(doubt=verdict, doubt_since=ctx.now)
    waited = ctx.since(status.doubt_since)
    if waited < policy.deadline and ctx.since(status.held_since) < _longest(ctx):
        return StepVerdict(status)
    if policy.then == "go-on":
        return StepVerdict(status.model_copy(update=NOT_HELD), go_on=True)
    return StepVerdict(status, roll_back=f"{verdict} for {ctx.since(status.held_since):g} s: {told}")


def ends_at(ctx: Context) -> float | None:
    """When a hold that is under way ends at the latest; None where none is."""
    policy, since, first = policy_of(ctx, ctx.status.doubt), ctx.status.doubt_since, ctx.status.held_since
    if policy is None or policy.action is not VerdictAction.HOLD or since is None or first is None:
        return None
    return min(since + policy.deadline, first + _longest(ctx))


def _longest(ctx: Context) -> float:
    analysis = ctx.spec.analysis
    every = (analysis.undecided, analysis.no_traffic, analysis.no_data, analysis.source_down)
    return max((policy.deadline for policy in every if policy.action is VerdictAction.HOLD), default=0.0)
