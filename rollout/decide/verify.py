"""A weight counts when it is verified: written, accepted by every parent, and seen in the requests themselves."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from rollout.api.journal import JournalKind
from rollout.api.spec import VerdictAction
from rollout.api.status import Phase, Weight
from rollout.decide.clocks import counted_clock, over, taken_clock
from rollout.decide.context import (
    NOT_HELD,
    SKIPPED,
    change_release,
    change_step,
    write_journal,
)
from rollout.decide.verdict_policy import hold, policy_of
from rollout.signals.kinds import SIGNAL_KINDS

if TYPE_CHECKING:
    from rollout.api.status import Status
    from rollout.decide.context import Context

QUIET_SECONDS = 1.0
"""Without a request for so long, the canary has seen its last one."""
PATIENCE_SECONDS = 5.0
"""A gateway that has just taken a weight may have had no request yet; only after this time is that worth a word."""
SIGMAS = 4.0
LEAST_TOLERANCE = 0.05
ENOUGH_AT_CANARY = 5.0
"""Requests the canary should have had, before the share of the requests says anything about the weight."""
SILENT, SILENT_SECONDS = 9.2, 2.0
"""Answers that must be missing (one chance in ten thousand), and for how long."""

COUNTING = frozenset(kind for kind, row in SIGNAL_KINDS.items() if row.per_request)


class Verification(NamedTuple):
    """How far a weight has come; `trouble` is the reason to turn round, if any."""

    status: Status
    trouble: str = ""


def owes_proof(status: Status) -> bool:
    """Whether the weight in force was never verified: steps that are edited in flight do not excuse it."""
    newest = status.release.steps[-1] if status.release and status.release.steps else None
    owes = newest is not None and newest.verified_at is None and newest.verdict != SKIPPED
    return owes and status.weight.desired > 0


def share_agrees(share: float, wanted: float, requests: int) -> bool:
    """Whether ``share`` of ``requests`` is what a gateway set to ``wanted`` (both 0 to 1) would show.

    Four standard deviations of the binomial share, and never narrower than five points (or half of what the smaller arm
    should have): a gateway spreads by weighted random choice, and its counters are read a moment apart. None at all
    never agrees with some, nor all with less, however few requests there were.
    """
    if requests <= 0 or share <= 0 < wanted or share >= 1 > wanted:
        return False
    spread = math.sqrt(wanted * (1 - wanted) / requests)
    least = min(LEAST_TOLERANCE, wanted / 2, (1 - wanted) / 2) if wanted < 1 else LEAST_TOLERANCE
    return abs(share - wanted) <= max(least, SIGMAS * spread)


def tells_enough(wanted: float, requests: int) -> bool:
    """Whether so many requests can confirm or contradict a share: two of them agree with nearly everything."""
    return requests * wanted >= ENOUGH_AT_CANARY


def verify(ctx: Context, weights: dict[str, int]) -> Verification:
    """Note on the status how far the wanted weight has come: written, accepted, observed."""
    ctx = ctx.with_status(_written(ctx, weights))
    status, share = ctx.status, ctx.seen.share
    if status.verified_at is not None:
        return Verification(status)
    if status.weight.accepted != status.weight.desired:
        if not share.accepted or dict(share.weights) != weights or share.foreign_backends:
            return Verification(status, _unaccepted(ctx))
        ctx = ctx.with_status(_accepted(ctx))
    return _counted(ctx)


def _written(ctx: Context, weights: dict[str, int]) -> Status:
    if ctx.status.written_at is not None or dict(ctx.seen.share.weights) != weights:
        return ctx.status
    return ctx.change(written_at=written_at(ctx))


def written_at(ctx: Context) -> float:
    """When the weight on the route was written: the API server's answer, unless that was to an earlier weight."""
    asked, answered = ctx.status.phase_since, ctx.seen.written_at
    return ctx.now if answered is None or (asked is not None and answered < asked) else answered


def _unaccepted(ctx: Context) -> str:
    status, share = ctx.status, ctx.seen.share
    if not over(ctx, taken_clock(ctx)):
        return ""
    if status.written_at is None or share.foreign_backends:
        return why_not_written(ctx)
    if share.foreign_writer:
        return f"the route is being changed by {share.foreign_writer}"
    return f"the gateway did not accept the route: {share.problem or 'no answer from its controller'}"


def why_not_written(ctx: Context) -> str:
    """Why the route does not show the weights."""
    share, failure = ctx.seen.share, ctx.seen.failures.get("Shift")
    if share.foreign_backends:
        told = ", ".join(f"{name} ({percent} %)" for name, percent in sorted(share.foreign_backends.items()))
        by = f", put there by {share.foreign_writer}" if share.foreign_writer else ""
        return f"the route leads to backends that are none of this release's: {told}{by}; take them off its rule"
    said = failure.text if failure else share.problem or "it does not show the weight"
    return f"the route could not be written: {said}"


def silence(ctx: Context) -> str:
    """Why a canary that gives no answers must go; empty where it gives them, or where nobody can say.

    Were it like stable, so many answers would be missing with a probability of ``exp(-missing)`` (Poisson).
    """
    share, status = ctx.seen.share, ctx.status
    trial = status.stable if status.phase is Phase.BAKING else status.canary
    if trial is None or not share.weights.get(trial.revision):
        return ""
    if share.missing < SILENT or share.missing_seconds < SILENT_SECONDS:
        return ""
    waiting = f"; {share.open_requests} requests wait for it" if share.open_requests else ""
    return f"the canary has given none of about {share.missing:.0f} answers in {share.missing_seconds:.1f} s{waiting}"


def _accepted(ctx: Context) -> Status:
    wanted = ctx.status.weight.desired
    status = change_step(ctx.status, accepted_at=ctx.now)
    return status.model_copy(update={"weight": Weight(desired=wanted, accepted=wanted)})


def _counted(ctx: Context) -> Verification:
    share, wanted = ctx.seen.share, ctx.status.weight.desired / 100
    if not any(signal.kind in COUNTING for signal in ctx.spec.analysis.signals):
        return _verified(ctx)
    if share.canary_share is None or share.requests <= 0:
        return _uncounted(ctx)
    enough, late = tells_enough(wanted, share.requests), _is_late(ctx)
    if share_agrees(share.canary_share, wanted, share.requests):
        return _verified(ctx) if enough or late else Verification(ctx.status)
    if not enough:
        return _uncounted(ctx)
    return _contradicted(ctx, late=late) if share.by_gateway else _not_contradicted(ctx, late=late)


def _not_contradicted(ctx: Context, *, late: bool) -> Verification:
    """What pods count holds their probes and scrapes as well: it contradicts nothing."""
    if not ctx.seen.share.canary_share:
        return _uncounted(ctx)
    return _verified(ctx) if late else Verification(ctx.status)


def _contradicted(ctx: Context, *, late: bool) -> Verification:
    """The gateway's own count speaks against the weight; it has until the deadline to follow."""
    share, wanted = ctx.seen.share, ctx.status.weight.desired / 100
    seen = 100 * (share.canary_share or 0)
    told = f"the gateway sends {seen:.1f} % to the canary, not {100 * wanted:g} % as the route says"
    if not share.canary_share:
        if -share.requests * math.log1p(-min(wanted, 0.999)) < SILENT:
            return _uncounted(ctx)
        told = f"none of {share.requests} requests were answered by the canary, which should have {100 * wanted:g} %"
    return Verification(ctx.status, told if late else "")


def _is_late(ctx: Context) -> bool:
    return over(ctx, counted_clock(ctx))


def _verified(ctx: Context) -> Verification:
    share, weight = ctx.seen.share, ctx.status.weight.desired
    seen = None if share.canary_share is None else round(100 * share.canary_share, 2)
    status = change_step(ctx.status, verified_at=ctx.now, observed=seen)
    observed = status.weight.model_copy(update={"observed": seen})
    status = status.model_copy(update={"weight": observed, "verified_at": ctx.now, **NOT_HELD})
    told = "accepted by the gateway" if seen is None else f"{seen:.1f} % of {share.requests} requests seen"
    return Verification(
        write_journal(status, ctx.now, JournalKind.VERIFIED, f"weight {weight} %: {told}", weight=weight)
    )


def _uncounted(ctx: Context) -> Verification:
    """Nobody can count the share: too few requests came, or the source of the counts is silent. Each has its policy."""
    if ctx.since(ctx.status.written_at) < PATIENCE_SECONDS:
        return Verification(ctx.status)
    found = ctx.seen.assessment
    verdict = str(found.verdict) if found and found.verdict in {"source-down", "no-data"} else "no-traffic"
    policy = policy_of(ctx, verdict)
    told = "the requests that reach the canary cannot be counted"
    if policy is None or policy.action is VerdictAction.GO_ON:
        return _verified(ctx)
    if policy.action is VerdictAction.ROLL_BACK:
        return Verification(ctx.status, f"{verdict}: {told}" if _is_late(ctx) else "")
    held = hold(ctx, verdict, policy, told)
    return _verified(ctx.with_status(held.status)) if held.go_on else Verification(held.status, held.roll_back)


def verify_zero(ctx: Context, weights: dict[str, int]) -> Status:
    """Note when weight 0 was written, and when the last request had left the canary.

    Quiet counts from the writing on, and not alone: where requests are rare a canary may be quiet for seconds while the
    gateway still knows the old weight. What pods count holds their probes, and keeps no rollback from ending.
    """
    share, status = ctx.seen.share, ctx.status
    if any((share.weights.get(name, 0) > 0) != (wanted > 0) for name, wanted in weights.items()):
        return status
    if status.written_at is None:
        status = _reaction(ctx.change(written_at=written_at(ctx)), written_at=written_at(ctx))
    since = ctx.since(status.written_at)
    drained = share.accepted and since >= ctx.spec.strategy.drain
    if share.canary_quiet_seconds is None:
        return status.model_copy(update={"verified_at": ctx.now}) if drained else status
    quiet = min(share.canary_quiet_seconds, since)
    if quiet < (QUIET_SECONDS if share.accepted else ctx.spec.strategy.verify_deadline):
        over = drained and not share.by_gateway and since >= 2 * QUIET_SECONDS
        return status.model_copy(update={"verified_at": ctx.now}) if over else status
    status = _reaction(status, observed_at=ctx.now - quiet)
    return status.model_copy(update={"verified_at": ctx.now})


def not_zero(ctx: Context, weights: dict[str, int]) -> str:
    """What of weight 0 is not seen."""
    share = ctx.seen.share
    if any(share.weights.get(name, 0) > 0 for name, weight in weights.items() if weight == 0):
        return why_not_written(ctx)
    if not share.accepted:
        return f"the gateway has not accepted weight 0: {share.problem or 'no answer from its controller'}"
    quiet = share.canary_quiet_seconds
    return "requests still reach the canary" if quiet is not None else "nobody can count what reaches the canary"


def _reaction(status: Status, **update: float | None) -> Status:
    if status.release is None:
        return status
    return change_release(status, reaction=status.release.reaction.model_copy(update=update))
