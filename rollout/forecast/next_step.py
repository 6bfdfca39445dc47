"""What happens next and when, from the spec and the status alone: the engine's rules, told ahead of time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rollout.api.durations import about
from rollout.api.spec import Gate, OnDoubt
from rollout.api.status import Phase
from rollout.decide.pod_readiness import NOT_READY, NOT_ROUTED
from rollout.decide.without_pods import OUTAGE

if TYPE_CHECKING:
    from collections.abc import Callable

    from rollout.api.spec import Doubt, Spec, Step
    from rollout.api.status import Status

ALL = 100


@dataclass(frozen=True, slots=True)
class Outlook:
    """The next decision: what it is, and in how many seconds it comes at the latest; None where no clock runs."""

    text: str
    seconds: float | None = None


def outlook(spec: Spec, status: Status, now: float) -> Outlook:
    """The next decision of the engine, unless the judge says `bad` before."""
    if status.paused:
        why = f": {status.paused.reason}" if status.paused.reason else ""
        return Outlook(f"paused by {status.paused.by or 'somebody'}{why}; waits for `release resume`")
    return _PHASES[status.phase](spec, status, now)


def _left(since: float | None, seconds: float, now: float) -> float:
    return max(0.0, seconds - (now - (now if since is None else since)))


def _idle(_spec: Spec, status: Status, _now: float) -> Outlook:
    if status.stable is None or status.desired_revision not in {"", status.stable.revision}:
        return Outlook("starts as soon as an engine looks")
    return Outlook("nothing to do")


def _rolled_back(_spec: Spec, status: Status, _now: float) -> Outlook:
    return Outlook(f"{status.desired_revision} is not tried again until it changes or somebody says `release retry`")


def _gate(spec: Spec, status: Status) -> Outlook | None:
    steps = spec.strategy.steps
    if status.step >= len(steps):
        return None
    step = steps[status.step]
    reached = status.phase is Phase.STEPPING and status.weight.desired == step.weight
    if step.gate is Gate.MANUAL and status.gate_passed < status.step and not reached:
        return Outlook(f"step {status.step + 1} ({step.weight} %) waits for `release promote`")
    return None


def _preparing(spec: Spec, status: Status, now: float) -> Outlook:
    shared = status.stable is not None and spec.traffic is not None
    if status.doubt == NOT_ROUTED:
        left = _left(status.doubt_since, spec.strategy.verify_deadline, now)
        return Outlook(f"waits until the gateway knows the canary; taken back in {about(left)} if it does not", left)
    since = status.doubt_since if status.doubt == NOT_READY else status.phase_since
    left = _left(since, spec.strategy.ready_deadline, now)
    waiting = Outlook(f"waits for the canary's pods; taken back in {about(left)} if they are not ready", left)
    return (_gate(spec, status) or waiting) if shared else waiting


def _stepping(spec: Spec, status: Status, now: float) -> Outlook:
    steps = spec.strategy.steps
    if status.withdrawn_at is not None or status.doubt == OUTAGE:
        return _without_pods(spec, status, now)
    if status.step >= len(steps):
        return Outlook("promotes now", 0.0)
    step = steps[status.step]
    if status.weight.desired != step.weight:
        waiting = f"waits for the canary's pods, then {step.weight} %"
        return _gate(spec, status) or Outlook(waiting)
    if status.verified_at is None:
        if status.doubt and status.weight.accepted == step.weight:
            return _held(spec, status, now)
        left = _left(status.written_at, spec.strategy.verify_deadline, now)
        return Outlook(
            f"waits until {step.weight} % is seen; taken back in {about(left)} if the route is refused", left
        )
    left = _left(status.verified_at, step.hold, now)
    if left > 0 or not status.doubt:
        return Outlook(f"{_after(steps, status.step)} in {about(left)}", left)
    return _held(spec, status, now)


def _without_pods(spec: Spec, status: Status, now: float) -> Outlook:
    since = status.doubt_since if status.withdrawn_at is None else status.withdrawn_at
    left = _left(since, spec.strategy.ready_deadline, now)
    then = f"{status.weight.desired} % again" if status.withdrawn_at is not None else "goes on"
    return Outlook(f"{then} when its pods are ready; taken back in {about(left)} if they are not", left)


def _after(steps: list[Step], index: int) -> str:
    if index + 1 >= len(steps):
        return "all traffic"
    following = steps[index + 1]
    gate = ", behind a gate," if following.gate is Gate.MANUAL else ""
    return f"{following.weight} %{gate}"


def _held(spec: Spec, status: Status, now: float) -> Outlook:
    policy = policy_of(spec, status.doubt)
    if policy is None or policy.action is not OnDoubt.HOLD:
        return Outlook(f"holds for {status.doubt}")
    left = min(_left(status.doubt_since, policy.deadline, now), _left(status.held_since, _longest_hold(spec), now))
    then = "goes on" if policy.then == "go-on" else "taken back"
    return Outlook(f"holds for {status.doubt}; {then} in {about(left)} if that stays", left)


def _longest_hold(spec: Spec) -> float:
    """However verdicts take turns, no hold lasts longer than the longest one allowed."""
    return max((policy.deadline for policy in _doubts(spec).values() if policy.action is OnDoubt.HOLD), default=0.0)


def policy_of(spec: Spec, doubt: str) -> Doubt | None:
    """The policy of a doubtful verdict."""
    return _doubts(spec).get(doubt)


def _doubts(spec: Spec) -> dict[str, Doubt]:
    analysis = spec.analysis
    return {
        "undecided": analysis.undecided,
        "no-traffic": analysis.no_traffic,
        "no-data": analysis.no_data,
        "source-down": analysis.source_down,
    }


def _promoting(spec: Spec, status: Status, now: float) -> Outlook:
    if status.withdrawn_at is not None or status.doubt == OUTAGE:
        return _without_pods(spec, status, now)
    if policy_of(spec, status.doubt) is not None:
        return _held(spec, status, now)
    if status.weight.desired != ALL:
        return Outlook("waits for the pods that all traffic needs")
    return Outlook("waits until all traffic is seen at the new version")


def _baking(spec: Spec, status: Status, now: float) -> Outlook:
    left = _left(status.phase_since, spec.strategy.bake, now)
    return Outlook(f"the old version stays ready for {about(left)} more", left)


def _rolling_back(spec: Spec, status: Status, now: float) -> Outlook:
    left = _left(status.phase_since, spec.strategy.drain + spec.strategy.verify_deadline, now)
    return Outlook(f"writes weight 0 until no request reaches the canary; over in {about(left)} at the latest", left)


_PHASES: dict[Phase, Callable[[Spec, Status, float], Outlook]] = {
    Phase.IDLE: _idle,
    Phase.PREPARING: _preparing,
    Phase.STEPPING: _stepping,
    Phase.PROMOTING: _promoting,
    Phase.BAKING: _baking,
    Phase.ROLLING_BACK: _rolling_back,
    Phase.ROLLED_BACK: _rolled_back,
}
