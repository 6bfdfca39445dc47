"""An update plan of Pulumi (``--save-plan``) as the preview that it was made of, as far as it says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from kube.errors import UsageError
from review.model.change import Doubt
from review.reading.mistaken import first_mistake
from review.reading.steps import Map, Preview, State, Step, Texts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from review.reading.source import Document

A_PLAN = Doubt(
    "plan-alone",
    "an update plan says neither what the preview's diagnostics said, nor what forces a replacement, nor which "
    "deletions keep the object: review the output of `pulumi preview --json` beside it",
    fatal=False,
)
UNTOLD = "(a plan does not say)"
_INPUTS = "__inputs"


class _Diff(BaseModel):
    model_config = ConfigDict(extra="ignore")

    adds: Map = Field(default_factory=dict)
    updates: Map = Field(default_factory=dict)
    deletes: Texts = Field(default_factory=list)


class _Goal(BaseModel):
    model_config = ConfigDict(extra="ignore")

    type: str = ""
    custom: bool = False
    protect: bool = False
    inputs: Annotated[_Diff, BeforeValidator(lambda value: {} if value is None else value)] = Field(
        default_factory=_Diff, alias="inputDiff"
    )


class _Resource(BaseModel):
    model_config = ConfigDict(extra="ignore")

    goal: _Goal | None = None
    steps: Texts = Field(default_factory=list)
    state: Map = Field(default_factory=dict)


class _Plan(BaseModel):
    model_config = ConfigDict(extra="ignore")

    config: Map = Field(default_factory=dict)
    resources: dict[str, _Resource] = Field(alias="resourcePlans")


def is_plan(document: Document) -> bool:
    """Whether this is an update plan."""
    return isinstance(document.data, dict) and "resourcePlans" in document.data


def plan_of(document: Document) -> Preview:
    """The preview in a plan.

    Raises:
        UsageError: a key has a value of another kind.
    """
    try:
        plan = _Plan.model_validate(document.data)
    except ValidationError as error:
        raise UsageError(f"{document.name}: {first_mistake(error)}; pass the plan as Pulumi wrote it") from error
    steps = [step for urn, resource in plan.resources.items() for step in _steps(urn, resource)]
    summary: dict[str, int] = {}
    for step in steps:
        summary[step.op] = summary.get(step.op, 0) + 1
    return Preview(config=plan.config, steps=steps, changeSummary=summary)


def _steps(urn: str, resource: _Resource) -> Iterator[Step]:
    """A plan holds the state that it wants; what stands now is told by the keys that differ alone."""
    after = resource.state.get(_INPUTS)
    after = after if isinstance(after, dict) else {}
    goal = resource.goal
    diff = goal.inputs if goal is not None else _Diff()
    after = {**{key: value for key, value in after.items() if key not in diff.deletes}, **diff.adds, **diff.updates}
    before = {key: UNTOLD if key in diff.updates else value for key, value in after.items() if key not in diff.adds}
    before |= dict.fromkeys(diff.deletes, UNTOLD)
    new = None
    if goal is not None:
        new = State(type=goal.type, custom=goal.custom, inputs=after, protect=goal.protect)
    for op in resource.steps:
        old = None if op in {"create", "import"} else State(inputs=before if goal is not None else after)
        yield Step(op=op, urn=urn, oldState=old, newState=None if op == "delete" else new)
