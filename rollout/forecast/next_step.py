"""What happens next and when, from the spec and the status alone: the decision's own rules, asked ahead of time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rollout.api.durations import about
from rollout.api.spec import VerdictAction
from rollout.api.status import Phase
from rollout.decide.awaits import For, awaited
from rollout.decide.context import ALL, NOT_READY, Context
from rollout.decide.gate import Facts
from rollout.decide.gates import before_step, blocked
from rollout.decide.moves import moves_ahead
from rollout.decide.observation import Observation
from rollout.decide.verdict_policy import policy_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from rollout.api.spec import Spec
    from rollout.api.status import Status
    from rollout.decide.gate import Blocked
    from rollout.decide.moves import Move


@dataclass(frozen=True, slots=True)
class Outlook:
    """The next decision.

    Attributes:
        text: what it is.
        seconds: in how many it comes at the latest; None where no clock runs.
        move: the next way on, unless it is taken back before; None where there is nothing to do.
        held: the gate that has to open before.
    """

    text: str
    seconds: float | None = None
    move: Move | None = None
    held: Blocked | None = None


def outlook(spec: Spec, status: Status, now: float) -> Outlook:
    """The next decision of the engine, unless the judge says `bad` before."""
    ctx = Context(spec, status, Observation.unseen(status), now)
    held = blocked(ctx)
    waits = awaited(ctx)
    move = None if waits.what is For.NOTHING else moves_ahead(ctx)[-1]
    if held is not None:
        return Outlook(held.reason, None if held.until is None else max(0.0, held.until - now), move, held)
    if waits.what is For.PODS and status.phase is not Phase.PREPARING and status.doubt != NOT_READY:
        return Outlook(_WORDS[For.PODS](ctx, None), None, move)
    left = None if waits.until is None else max(0.0, waits.until - now)
    return Outlook(_WORDS[waits.what](ctx, left), left, move)


def _taken_back(left: float | None) -> str:
    return "" if left is None else f"; taken back in {about(left)} if"


def _pods(ctx: Context, left: float | None) -> str:
    what = "the pods that all traffic needs" if ctx.status.phase is Phase.PROMOTING else "the canary's pods"
    then = f", then {ctx.steps[ctx.status.step].weight} %" if ctx.status.phase is Phase.STEPPING else ""
    return f"waits for {what}{then}" + ("" if left is None else f"{_taken_back(left)} they are not ready")


def _route(_: Context, left: float | None) -> str:
    return f"waits until the gateway knows the canary{_taken_back(left)} it does not"


def _weight(ctx: Context, left: float | None) -> str:
    share = ctx.status.weight.desired
    what = "all traffic is seen at the new version" if share == ALL else f"{share} % is seen"
    return f"waits until {what}{_taken_back(left)} the route is refused"


def _hold(ctx: Context, left: float | None) -> str:
    following = ctx.status.step + 1
    if following >= len(ctx.steps):
        return f"all traffic in {about(left or 0.0)}"
    gate = ", behind a gate," if before_step(ctx.spec, ctx.status, Facts(ctx.seen, ctx.now), following) else ""
    return f"{ctx.steps[following].weight} %{gate} in {about(left or 0.0)}"


def _verdict(ctx: Context, left: float | None) -> str:
    verdict, policy = ctx.status.doubt, policy_of(ctx, ctx.status.doubt)
    if policy is None or policy.action is not VerdictAction.HOLD or left is None:
        return f"holds for {verdict}"
    then = "goes on" if policy.then == "go-on" else "taken back"
    return f"holds for {verdict}; {then} in {about(left)} if that stays"


def _pods_back(ctx: Context, left: float | None) -> str:
    then = "goes on" if ctx.status.withdrawn_at is None else f"{ctx.status.weight.desired} % again"
    return f"{then} when its pods are ready{_taken_back(left)} they are not"


def _bake(ctx: Context, left: float | None) -> str:
    what = "the old version stays ready" if ctx.can.keeps_old else "the old version stays, without pods,"
    return f"{what} for {about(left or 0.0)} more"


def _over(what: str) -> Callable[[Context, float | None], str]:
    return lambda _, left: what + ("" if left is None else f"; over in {about(left)} at the latest")


_WORDS: dict[For, Callable[[Context, float | None], str]] = {
    For.NOTHING: lambda *_: "nothing to do",
    For.A_LOOK: lambda *_: "starts as soon as an engine looks",
    For.PODS: _pods,
    For.ROUTE: _route,
    For.WEIGHT: _weight,
    For.HOLD: _hold,
    For.VERDICT: _verdict,
    For.PODS_BACK: _pods_back,
    For.PROMOTION: lambda *_: "promotes now",
    For.BAKE: _bake,
    For.OLD_PODS: _over("waits until the pods of the version before are ready"),
    For.ROUTE_GONE: _over("removes the route"),
    For.DRAIN: _over("ends with the next look"),
    For.ZERO: _over("writes weight 0 until no request reaches the canary"),
}
