"""Six verdicts, each with a policy of its own: what a step does at its end when the judge cannot say good."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rollout.context import write_journal
from rollout.spec import OnDoubt

if TYPE_CHECKING:
    from rollout.context import Context
    from rollout.spec import Doubt
    from rollout.status import Status


@dataclass(frozen=True, slots=True)
class StepVerdict:
    """Whether a step whose hold is over may end; `roll_back` is the reason to turn round, if any."""

    status: Status
    go_on: bool = False
    roll_back: str = ""


def policy_of(ctx: Context, verdict: str) -> Doubt | None:
    """The policy for a verdict; None for good and bad, which need none."""
    analysis = ctx.spec.analysis
    return {
        "undecided": analysis.undecided,
        "no-traffic": analysis.no_traffic,
        "no-data": analysis.no_data,
        "source-down": analysis.source_down,
    }.get(verdict)


def step_may_end(ctx: Context) -> StepVerdict:
    """Apply the verdict's policy; a hold is noted with the time it began, and ends by its deadline."""
    found = ctx.seen.assessment
    verdict = str(found.verdict) if found else "good"
    policy = policy_of(ctx, verdict)
    if policy is None or policy.action is OnDoubt.GO_ON:
        return StepVerdict(ctx.change(doubt="", doubt_since=None), go_on=True)
    told = found.reason if found else ""
    if policy.action is OnDoubt.ROLL_BACK:
        return StepVerdict(ctx.status, roll_back=f"{verdict}: {told}")
    if ctx.status.doubt != verdict:
        held = ctx.change(doubt=verdict, doubt_since=ctx.now)
        return StepVerdict(write_journal(held, ctx.now, "held", f"holding, {verdict}: {told}"))
    if ctx.since(ctx.status.doubt_since) < policy.deadline:
        return StepVerdict(ctx.status)
    if policy.then == "go-on":
        return StepVerdict(ctx.change(doubt="", doubt_since=None), go_on=True)
    return StepVerdict(ctx.status, roll_back=f"{verdict} for {policy.deadline:g} s: {told}")
