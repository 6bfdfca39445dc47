"""A plan as text and as Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rollout.api.durations import about, duration_of
from rollout.decide.gates import MANUAL
from rollout.forecast.plan import OPEN
from rollout.signals.figures import rough
from rollout.view.text import columns
from rollout.view.words import ABSENT, rate

if TYPE_CHECKING:
    from rollout.forecast.plan import Plan, PlannedStep
    from rollout.forecast.pods import PodsSight

NONE = "no fault"

LEAST_WANDER = 0.01
"""Standard deviation of a log rate from which on it is told."""

HEADINGS = ("step", "weight", "hold", "from", "pods", "sees", "half failing seen in", "fails at worst")


def step_cells(step: PlannedStep) -> list[str]:
    """Cells of a step, under :data:`HEADINGS`."""
    gate = "" if step.gate == OPEN else ", gate" if step.gate == MANUAL else f", gate: {step.gate}"
    sees = ABSENT if step.smallest_ratio is None else f"{rough(step.smallest_ratio)}x ({rate(step.smallest_rate)})"
    seen_in = ABSENT if step.full_failure_seconds is None else f"{rough(step.full_failure_seconds)} s"
    return [
        str(step.number),
        f"{step.weight} %",
        duration_of(step.hold_seconds) + gate,
        f"+{about(step.starts_after_seconds)}",
        str(step.canary_pods),
        sees,
        seen_in,
        ABSENT if step.full_failure_requests is None else rough(step.full_failure_requests),
    ]


def summary(plan: Plan) -> list[tuple[str, str]]:
    """What holds for the whole release."""
    end = f"{duration_of(plan.earliest_end_seconds)} after the pods are ready, bake of {duration_of(plan.bake_seconds)}"
    rows = [("image", plan.image), ("revision", plan.revision), ("earliest end", end)]
    rows.append(("pods at most", str(plan.peak_pods)))
    if plan.traffic:
        rows.append(("expecting", f"{plan.traffic.rps:g} requests/s, {rate(plan.traffic.error_rate)} failing"))
    if plan.worst_case_failed_requests is not None:
        rows.append(("worst case", f"{rough(plan.worst_case_failed_requests)} failed requests if every second fails"))
    return rows + ([] if plan.pods is None else _pods(plan, plan.pods))


def _pods(plan: Plan, pods: PodsSight) -> list[tuple[str, str]]:
    """How stable's pods differ, what that allows to be seen, and what more canary pods would bring."""
    comes = ""
    if pods.wander >= LEAST_WANDER:
        comes = f", {rough(100 * pods.wander)} % of it for about {about(round(pods.wander_seconds))} each"
    sees = f"{_seen(pods.smallest_ratio_ever)}, all steps together, however many requests there are"
    if pods.smallest_ratio_ever is not None and plan.traffic:
        sees += f"; {_seen(pods.smallest_ratio)} at that traffic"
    strays = ", ".join(f"{rough(100 * (each.ratio - 1))} % with {each.canary_pods}" for each in pods.strays)
    return [
        *([("places", pods.places)] if pods.places else []),
        ("pods differ", f"by {rough(100 * pods.spread)} % ({pods.source}){comes}"),
        ("sees then", sees),
        ("canary pods", f"by their luck alone one healthy canary in 100 fails more by {strays} of them"),
    ]


def _seen(ratio: float | None) -> str:
    return NONE if ratio is None else f"{rough(ratio)}x and more"


def plan_text(plan: Plan) -> str:
    """For a terminal."""
    parts = [f"plan for {plan.name}", *columns([[f"{key}:", value] for key, value in summary(plan)], indent="  ")]
    if plan.steps:
        parts += ["", *columns([list(HEADINGS), *(step_cells(step) for step in plan.steps)], indent="  ")]
    parts += [f"refused: {each}" for each in plan.refusals]
    parts += [f"warning: {each}" for each in plan.warnings]
    return "\n".join(parts) + "\n"


def plan_markdown(plan: Plan) -> str:
    """For a pull request."""
    parts = [f"### Release plan: {plan.name}", "", "| | |", "| --- | --- |"]
    parts += [f"| {key} | {value} |" for key, value in summary(plan)]
    if plan.steps:
        parts += ["", f"| {' | '.join(HEADINGS)} |", "|" + " ---: |" * len(HEADINGS)]
        parts += [f"| {' | '.join(step_cells(step))} |" for step in plan.steps]
    parts += ["", *(f"- **refused:** {each}" for each in plan.refusals), *(f"- {each}" for each in plan.warnings)]
    return "\n".join(parts).rstrip() + "\n"
