"""How gradually versions come in: a policy that is weakened is seen by nobody until it matters."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from review.model.change import Op
from review.risks.rule import HIGH, LOW, MEDIUM, Finding, Rule, kinds
from review.risks.shapes import Json, mapping, maps, number, said, seconds, text
from rollout.api.durations import duration_of
from rollout.api.spec import COMMAND_ANNOTATION, KIND, Strategy
from rollout.api.strategy import Gate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from review.model.change import Change
    from review.risks.scene import Scene

_KIND = kinds(KIND)
_STRATEGY = Strategy().wire()
_HALF = 50
_APPROVAL = Gate.APPROVAL.value


class _Step(NamedTuple):
    weight: float
    hold: float
    gated: bool


def part(manifest: Any, name: str, usual: Json) -> Json:
    """A part of a spec with what holds where nothing is said."""
    return {**usual, **mapping(manifest, "spec", name)}


def _strategies(change: Change) -> tuple[Json, Json] | None:
    if Op.UPDATE not in change.ops and not (Op.REPLACE in change.ops and change.after):
        return None
    return part(change.before, "strategy", _STRATEGY), part(change.after, "strategy", _STRATEGY)


def _steps(strategy: Json) -> list[_Step]:
    return [
        _Step(
            number(each, "weight") or 0.0,
            60.0 if each.get("hold") is None else seconds(each, "hold") or 0.0,
            text(each, "gate") not in {"", "none"},
        )
        for each in maps(strategy, "steps")
    ]


def _jump(steps: list[_Step]) -> float:
    weights = [0.0, *(step.weight for step in steps), 100.0]
    return max(later - earlier for earlier, later in pairwise(weights))


def _both_steps(change: Change) -> tuple[list[_Step], list[_Step]]:
    found = _strategies(change)
    return (_steps(found[0]), _steps(found[1])) if found else ([], [])


def _fewer_steps(change: Change, scene: Scene) -> Iterator[Finding]:  # noqa: ARG001 - every rule is asked alike
    before, after = _both_steps(change)
    if len(after) < len(before):
        yield Finding(f"{len(before)} steps → {len(after)}", None, "spec.strategy.steps")
    elif before and _jump(after) > _jump(before):
        yield Finding(
            f"the largest step grows from {_jump(before):g} to {_jump(after):g} percent", MEDIUM, "spec.strategy.steps"
        )


def _first_share(change: Change, scene: Scene) -> Iterator[Finding]:  # noqa: ARG001
    before, after = _both_steps(change)
    if before and after and after[0].weight > before[0].weight:
        was, will = before[0].weight, after[0].weight
        severe = will >= 2 * was or will >= _HALF
        yield Finding(
            f"the first share is {will:g} % instead of {was:g} %", HIGH if severe else MEDIUM, "spec.strategy.steps"
        )


def _shorter_holds(change: Change, scene: Scene) -> Iterator[Finding]:  # noqa: ARG001
    before, after = (sum(step.hold for step in steps) for steps in _both_steps(change))
    if after < before:
        yield Finding(
            f"steps are judged for {duration_of(after)} instead of {duration_of(before)}", None, "spec.strategy.steps"
        )


def _fewer_gates(change: Change, scene: Scene) -> Iterator[Finding]:  # noqa: ARG001
    before, after = (sum(step.gated for step in steps) for steps in _both_steps(change))
    if after < before:
        yield Finding(f"{before - after} of {before} steps no longer wait for a person", None, "spec.strategy.steps")


def _approvers(strategy: Json) -> list[tuple[float, str]]:
    """How many people each step that waits for approvals asks, and of which group."""
    asked = [mapping(each, "approvals") for each in maps(strategy, "steps") if text(each, "gate") == _APPROVAL]
    return [(number(each, "count") or 1.0, text(each, "group")) for each in asked]


def _fewer_approvers(change: Change, scene: Scene) -> Iterator[Finding]:  # noqa: ARG001
    found = _strategies(change)
    before, after = (_approvers(side) for side in found) if found else ([], [])
    if len(after) < len(before):
        told = f"{len(before) - len(after)} of {len(before)} steps no longer wait for approvals"
        yield Finding(told, None, "spec.strategy.steps")
    for (count, group), (then, other) in zip(before, after, strict=False):
        if then < count:
            yield Finding(f"a step asks {then:g} people instead of {count:g}", None, "spec.strategy.steps")
        if group and other != group:
            whom = f"group {said(other)}" if other else "anybody"
            yield Finding(f"a step asks {whom} instead of group {said(group)}", None, "spec.strategy.steps")


def _shorter(change: Change, key: str) -> tuple[float, float] | None:
    found = _strategies(change)
    if not found:
        return None
    was, will = (seconds(side, key) for side in found)
    return (was, will) if was is not None and will is not None and will < was else None


def _bake(change: Change, scene: Scene) -> Iterator[Finding]:  # noqa: ARG001
    if found := _shorter(change, "bake"):
        text_ = (
            f"the old version is kept for {duration_of(found[1])} instead of {duration_of(found[0])} after promotion"
        )
        yield Finding(text_, HIGH if not found[1] else None, "spec.strategy.bake")


def _drain(change: Change, scene: Scene) -> Iterator[Finding]:  # noqa: ARG001
    if found := _shorter(change, "drain"):
        yield Finding(
            f"requests have {duration_of(found[1])} instead of {duration_of(found[0])} to end",
            MEDIUM if not found[1] else None,
            "spec.strategy.drain",
        )


def _driver(change: Change, scene: Scene) -> Iterator[Finding]:  # noqa: ARG001
    found = _strategies(change)
    if found and text(found[0], "driver") != text(found[1], "driver"):
        yield Finding(
            f"versions come in by {said(found[1].get('driver'))} instead of {said(found[0].get('driver'))}",
            None,
            "spec.strategy.driver",
        )


def _commanded(change: Change, scene: Scene) -> Iterator[Finding]:  # noqa: ARG001
    command = text(change.after, "metadata", "annotations", COMMAND_ANNOTATION)
    if command and command != text(change.before, "metadata", "annotations", COMMAND_ANNOTATION):
        yield Finding(
            f"declares the command {said(command)}: it is given again with every update", None, "metadata.annotations"
        )


_BACK = "declare the old policy again before the next release"

RULES = (
    Rule(
        "release-steps-cut",
        "a release has fewer or larger steps",
        "a fault reaches more users at once",
        HIGH,
        _BACK,
        _fewer_steps,
        kinds=_KIND,
    ),
    Rule(
        "release-first-share-raised",
        "the first share is larger",
        "a fault reaches more users at once",
        HIGH,
        _BACK,
        _first_share,
        kinds=_KIND,
    ),
    Rule(
        "release-hold-shortened",
        "steps are judged for a shorter time",
        "small faults are not seen",
        MEDIUM,
        _BACK,
        _shorter_holds,
        kinds=_KIND,
    ),
    Rule(
        "release-gate-removed",
        "a step no longer waits for a person",
        "nobody looks before it goes on",
        HIGH,
        _BACK,
        _fewer_gates,
        kinds=_KIND,
    ),
    Rule(
        "release-approvals-weakened",
        "a step of a release asks fewer people for their approval, or others",
        "a version goes on with fewer eyes on it",
        HIGH,
        _BACK,
        _fewer_approvers,
        kinds=_KIND,
    ),
    Rule(
        "release-bake-shortened",
        "the old version is kept for a shorter time",
        "the way back is slower after it",
        MEDIUM,
        _BACK,
        _bake,
        kinds=_KIND,
    ),
    Rule(
        "release-drain-shortened",
        "pods are taken away sooner after weight 0",
        "requests in flight are cut",
        LOW,
        _BACK,
        _drain,
        kinds=_KIND,
    ),
    Rule(
        "release-driver-changed",
        "versions come in by another driver",
        "a share means something else",
        MEDIUM,
        _BACK,
        _driver,
        kinds=_KIND,
    ),
    Rule(
        "release-commanded",
        "a command to the engine is declared",
        "it is given again and again",
        MEDIUM,
        "take the annotation away",
        _commanded,
        kinds=_KIND,
    ),
)
