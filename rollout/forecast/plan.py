"""What a release would do, before anybody starts it.

Steps and times, pods, the smallest fault each step can see, the worst it can cost, and what would stop it. Nothing
here is a promise about the version; it is arithmetic about the policy, under a stated traffic and error rate.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from rollout.api.revision import image_of, replicas_for, revision_of
from rollout.api.spec import VerdictAction
from rollout.api.status import Status, Version
from rollout.decide.capabilities import capabilities_of, plan_problems, plan_warnings
from rollout.decide.gate import Facts
from rollout.decide.gates import before_step, every_block
from rollout.decide.moves import Move
from rollout.decide.observation import Observation
from rollout.forecast.pods import USUAL_ERROR_RATE, PodsSight, failing_signals, indistinct, pods_sight
from rollout.judge.from_spec import judge_policy_of
from rollout.judge.model.power import detection_limit_seconds, smallest_detectable_ratio, worst_case_failed_requests
from rollout.signals.figures import rough

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rollout.api.spec import Spec, Step
    from rollout.decide.gate import Blocked
    from rollout.forecast.pods import Difference

WRITE_SECONDS = 0.5
"""From the judge's word to the last answer of the canary: one look, one write, one data-plane update."""


@dataclass(frozen=True, slots=True)
class Traffic:
    """What the numbers rest on: requests per second of the service, and the failure share of a healthy version."""

    rps: float
    error_rate: float


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """A step ahead of time.

    Attributes:
        starts_after_seconds: at the earliest, from the moment the first pods are ready.
        canary_pods: ready pods it needs before its weight is written.
        smallest_ratio: failure rate over stable's that it can be expected to see; None if it can see none.
        smallest_rate: the same as a failure share.
        full_failure_seconds: least mean time to see a canary whose every second answer fails.
        full_failure_requests: requests that fail until such a canary is gone.
    """

    number: int
    weight: int
    hold_seconds: float
    gate: str
    starts_after_seconds: float
    canary_pods: int
    smallest_ratio: float | None = None
    smallest_rate: float | None = None
    full_failure_seconds: float | None = None
    full_failure_requests: float | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """A release ahead of time; `refusals` say why it would not even start, `warnings` what to think about.

    `pods` says what is seen beside pods that differ; None where nobody asked, or nothing that fails is judged.
    """

    name: str
    image: str
    revision: str
    steps: tuple[PlannedStep, ...]
    earliest_end_seconds: float
    bake_seconds: float
    peak_pods: int
    worst_case_failed_requests: float | None
    refusals: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    traffic: Traffic | None = field(default=None)
    pods: PodsSight | None = None

    def wire(self) -> dict[str, Any]:
        """The JSON form."""
        return asdict(self)


OPEN = "none"
"""`gate` of a step that nothing stands before."""

FAILING_SHARE = 0.5
HALF = 50
"""Percent at which a step tells most: both arms have the same number of requests."""

ALL = 100
"""Percent at which stable has none."""

DAY = 86_400.0


def plan_of(
    name: str,
    spec: Spec,
    status: Status | None = None,
    traffic: Traffic | None = None,
    now: float = 0.0,
    kept_out: Sequence[str] = (),
    differ: Difference | None = None,
) -> Plan:
    """The plan of a release of `spec`.

    Args:
        name: of the GrayRelease.
        spec: as it would be applied.
        status: of the object that exists; None for a new one.
        traffic: what to expect; without it nothing is said about what can be seen.
        now: when it would start, for what depends on that; seconds since the epoch.
        kept_out: why it stays out: it was taken back on evidence, or nobody can say whether it was.
        differ: how stable's pods do; without it nothing is said about what that allows to be seen.
    """
    ahead = (status or Status()).model_copy(update={"desired_revision": revision_of(name, spec)})
    first = status is None or status.stable is None
    gates = _gates(spec, ahead, now) if capabilities_of(spec).divisible and not first else []
    steps = tuple(_steps(spec, traffic, gates, now))
    holds = steps[-1].starts_after_seconds + steps[-1].hold_seconds if steps else 0.0
    pods = None
    if differ is not None and steps:
        shares = [(step.weight / ALL, step.hold_seconds) for step in steps]
        rps, base = (traffic.rps, traffic.error_rate) if traffic else (None, USUAL_ERROR_RATE)
        pods = pods_sight(differ, spec, shares, steps[0].canary_pods, rps, base)
    costs = [step.full_failure_requests for step in steps if step.full_failure_requests is not None]
    return Plan(
        name=name,
        image=image_of(spec),
        revision=revision_of(name, spec),
        steps=steps,
        earliest_end_seconds=holds + (0.0 if first else spec.strategy.bake),
        bake_seconds=spec.strategy.bake,
        peak_pods=spec.workload.pods * (1 if first else 2),
        worst_case_failed_requests=max(costs) if costs else None,
        refusals=(*kept_out, *_refusals(spec, ahead, now)),
        warnings=(*_warnings(spec, ahead, gates, steps, traffic), *([] if pods is None else indistinct(spec, pods))),
        traffic=traffic,
        pods=pods,
    )


def served_by(image: str = "") -> Status:
    """The status of a release of which no more is known than that a version of this image serves."""
    return Status(stable=Version(revision="live", image=image))


def _gates(spec: Spec, status: Status, now: float) -> list[Blocked | None]:
    """What stands before each step of a release that has not begun."""
    fresh, begun, found = status.model_copy(update={"gate_passed": -1}), now, []
    for index, step in enumerate(spec.strategy.steps):
        gate = before_step(spec, fresh, Facts(Observation.unseen(fresh), begun), index)
        found.append(gate)
        begun = _opened(gate, begun) + step.hold
    return found


def _opened(gate: Blocked | None, at: float) -> float:
    """When a step begins that is reached at this time; a person may open a gate at once."""
    return max(at, gate.until) if gate is not None and gate.until is not None else at


def _steps(spec: Spec, traffic: Traffic | None, gates: list[Blocked | None], now: float) -> Iterator[PlannedStep]:
    """The steps, each with the gate before it; none where there are no gates to stand before any."""
    begun = now
    for index, (step, gate) in enumerate(zip(spec.strategy.steps, gates, strict=False)):
        seen = _sight(spec, step, traffic) if traffic else {}
        pods = replicas_for(spec.workload.pods, step.weight)
        begun = _opened(gate, begun)
        name = gate.gate if gate else OPEN
        yield PlannedStep(index + 1, step.weight, step.hold, name, begun - now, pods, **seen)
        begun += step.hold


def _sight(spec: Spec, step: Step, traffic: Traffic) -> dict[str, float | None]:
    failing = failing_signals(spec)
    if not failing:
        return {}
    share, alpha, tolerance = step.weight / 100, _alpha(spec), failing[0].tolerance
    rps, base = traffic.rps, traffic.error_rate
    ratio = smallest_detectable_ratio(rps, share, base, step.hold, alpha, tolerance) if share < 1 else math.inf
    seconds = detection_limit_seconds(rps, share, base, FAILING_SHARE / base, alpha, tolerance)
    lasting = min(seconds, step.hold) + WRITE_SECONDS
    failed = worst_case_failed_requests(rps, share, lasting, FAILING_SHARE, blast_budget=spec.analysis.blast_budget)
    return {
        "smallest_ratio": _finite(ratio),
        "smallest_rate": _finite(ratio * base),
        "full_failure_seconds": _finite(seconds),
        "full_failure_requests": round(failed, 1),
    }


def _alpha(spec: Spec) -> float:
    """The part of the stated false-rollback rate that signals of failures have between them."""
    policy, failing = judge_policy_of(spec.analysis), failing_signals(spec)
    weights = zip(spec.analysis.signals, policy.weights(), strict=True)
    return policy.false_rollback_rate * sum(weight for signal, weight in weights if signal in failing)


def _finite(value: float) -> float | None:
    return float(f"{value:.4g}") if math.isfinite(value) else None


def _refusals(spec: Spec, status: Status, now: float) -> Iterator[str]:
    yield from plan_problems(spec)
    if status.stable and status.stable.revision == status.desired_revision:
        yield f"{status.desired_revision} serves already: nothing would change"
    for held in every_block(spec, status, Facts(Observation.unseen(status), now), Move.START):
        yield f"{held.reason}; nothing starts before"


def _warnings(
    spec: Spec,
    status: Status,
    gates: list[Blocked | None],
    steps: tuple[PlannedStep, ...],
    traffic: Traffic | None,
) -> Iterator[str]:
    if status.stable is None:
        yield "the first version takes no steps: nothing serves yet, so it gets all traffic once its pods are ready"
    yield from _policy_warnings(spec)
    yield from _gate_warnings(spec, gates)
    if status.in_flight and status.release:
        yield f"a release of {status.release.to_version.image} is under way and would be superseded"
    yield from plan_warnings(spec)
    yield from spec.old_names
    if traffic is not None:
        yield from _blind(steps, traffic)
        yield from _short_sighted(spec, steps, traffic)
    elif steps:
        yield "without --rps nothing can be said about what the steps can see"


def _policy_warnings(spec: Spec) -> Iterator[str]:
    if not spec.analysis.signals:
        yield "no signals are declared: nothing is judged, and only pods that fail to start are taken back"
    if spec.strategy.steps[-1].weight == ALL:
        yield (
            "the step to 100 % leaves stable nothing to compare with: only gross faults are seen there, by stable's "
            "history; end with a lower weight, promotion gives the rest"
        )
    if spec.analysis.undecided.action is VerdictAction.GO_ON:
        yield "an undecided judge lets the release go on: it may end as promoted-not-proven"


def _gate_warnings(spec: Spec, gates: list[Blocked | None]) -> Iterator[str]:
    """The first step that each gate holds."""
    seen = set()
    for step, gate in zip(spec.strategy.steps, gates, strict=False):
        if gate is not None and gate.gate not in seen:
            seen.add(gate.gate)
            end = ": the end is open" if gate.until is None else ""
            yield f"the step to {step.weight} % waits for {gate.unblock or gate.gate}{end}"


def _blind(steps: tuple[PlannedStep, ...], traffic: Traffic) -> Iterator[str]:
    for step in steps:
        if step.full_failure_seconds is not None and step.full_failure_seconds > step.hold_seconds:
            yield (
                f"step {step.number} cannot even see that every second answer fails: that takes "
                f"{rough(step.full_failure_seconds)} s at {traffic.rps:g} requests/s, and it holds "
                f"{step.hold_seconds:g} s"
            )


def _short_sighted(spec: Spec, steps: tuple[PlannedStep, ...], traffic: Traffic) -> Iterator[str]:
    """One line for all steps: the judge adds up what they see, so that the best of them counts."""
    margin = spec.analysis.promotion_margin
    judged = [step for step in steps if step.full_failure_seconds is not None]
    seen = [step.smallest_ratio or math.inf for step in judged]
    if judged and min(seen) > margin:
        best = f"a failure rate {rough(min(seen))} times stable's" if math.isfinite(min(seen)) else "no fault at all"
        could = _hold_that_could(spec, judged, traffic)
        yield f"the best step sees {best}; the policy wants {margin:g} times excluded: {could}"


def _hold_that_could(spec: Spec, steps: Sequence[PlannedStep], traffic: Traffic) -> str:
    """The shortest hold of the step with most information that sees what the policy wants excluded."""
    best = min(steps, key=lambda step: abs(step.weight - HALF))
    tolerance = failing_signals(spec)[0].tolerance
    seconds = detection_limit_seconds(
        traffic.rps, best.weight / 100, traffic.error_rate, spec.analysis.promotion_margin, _alpha(spec), tolerance
    )
    if not math.isfinite(seconds):
        return "no hold could, while the signal tolerates as much"
    if seconds > DAY:
        return "no hold of less than a day could"
    return f"step {best.number} ({best.weight} %) could with a hold of {math.ceil(seconds / 60)}m"
