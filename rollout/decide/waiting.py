"""What a release waits for, why, and until when: said in every phase for as long as it does not end.

`status.waiting` is read by people, by `release watch` and by whoever asks why nothing happens. What is waited for is
said by the gates, and by :mod:`rollout.decide.awaits` where none is closed; here stand the words, with what is seen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rollout.api.spec import VerdictAction
from rollout.api.status import Waiting
from rollout.api.texts import told
from rollout.decide.awaits import For, awaited
from rollout.decide.bake import NO_WAY_BACK, must_return
from rollout.decide.context import REASON, is_refusal
from rollout.decide.desired_state import needed_of, weights_of
from rollout.decide.gates import blocked
from rollout.decide.moves import is_alone
from rollout.decide.pod_readiness import why_not_ready, why_not_routed
from rollout.decide.verdict_policy import UNJUDGED, policy_of
from rollout.decide.verify import not_zero, why_not_written
from rollout.decide.without_pods import NOBODY, PLANNED

if TYPE_CHECKING:
    from collections.abc import Callable

    from rollout.decide.context import Context


def waiting_of(ctx: Context) -> Waiting | None:
    """What the status, as it was just decided, waits for; None where nothing is wanted of it."""
    held = blocked(ctx)
    if held is not None:
        gate = {"gate": held.gate, "unblock": held.unblock}
        return _waiting(ctx, held.reason, held.since, held.until, **gate)
    waits = awaited(ctx)
    if waits.what is For.NOTHING:
        return _failing(ctx)
    return _waiting(ctx, _WORDS[waits.what](ctx), waits.since, waits.until)


def _waiting(ctx: Context, reason: str, since: float | None, until: float | None, **gate: str) -> Waiting:
    said, known = told(reason, REASON), ctx.status.waiting
    if since is None:
        since = known.since if known and known.reason == said else ctx.now
    return Waiting(reason=said, since=since, until=until, refused=is_refusal(ctx, reason), **gate)


def _failing(ctx: Context) -> Waiting | None:
    """What the API server does not take, while nothing else is wanted."""
    for name, failure in sorted(ctx.seen.failures.items()):
        return _waiting(ctx, f"{name} is not taken by the API server: {failure.text}", failure.since, None)
    return None


def _pods(ctx: Context) -> str:
    needed = ctx.full if is_alone(ctx) else needed_of(ctx)
    why = why_not_ready(ctx)
    return f"{ctx.ready} of {needed} canary pods are ready" + (f": {why}" if why else "")


def _pods_back(ctx: Context) -> str:
    if ctx.status.withdrawn_at is not None:
        return f"{PLANNED}: {ctx.ready} are ready; stable has all traffic"
    return f"{NOBODY}: nothing is changed before one is"


def _weight(ctx: Context) -> str:
    status, share = ctx.status, ctx.seen.share
    if status.written_at is None or share.foreign_backends:
        return why_not_written(ctx)
    if status.weight.accepted != status.weight.desired:
        said = share.problem or "no answer from its controller"
        return f"the gateway has not accepted {status.weight.desired} %: {said}"
    seen = "none" if share.canary_share is None else f"{100 * share.canary_share:.1f} %"
    return f"{status.weight.desired} % is not seen in the requests yet: {seen} of {share.requests} at the canary"


def _verdict(ctx: Context) -> str:
    policy = policy_of(ctx, ctx.status.doubt)
    said = f"{ctx.status.doubt}: {ctx.assessed.reason if ctx.assessed else UNJUDGED}"
    if policy is None or policy.action is not VerdictAction.HOLD:
        return said
    return f"{said}; {'goes on' if policy.then == 'go-on' else 'is taken back'} after that"


def _baking(ctx: Context) -> str:
    against = must_return(ctx)
    return f"{against}; {NO_WAY_BACK}" if against else "the version before stays ready"


def _route_gone(ctx: Context) -> str:
    failure = ctx.seen.failures.get("RetireRoute")
    return f"the route still leads to it{f': {failure.text}' if failure else ''}"


_WORDS: dict[For, Callable[[Context], str]] = {
    For.A_LOOK: lambda _: "about to start",
    For.PODS: _pods,
    For.ROUTE: why_not_routed,
    For.WEIGHT: _weight,
    For.HOLD: lambda ctx: f"{ctx.status.weight.desired} % is judged",
    For.VERDICT: _verdict,
    For.PODS_BACK: _pods_back,
    For.PROMOTION: lambda _: "goes on to all traffic",
    For.BAKE: _baking,
    For.OLD_PODS: lambda _: "the pods of the version before are not all ready",
    For.ROUTE_GONE: _route_gone,
    For.DRAIN: lambda _: "it had no traffic yet, and ends with the next look",
    For.ZERO: lambda ctx: not_zero(ctx, weights_of(ctx.status)),
}
