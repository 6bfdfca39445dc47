"""The gray releases that a change will start: their steps, what those see, and what the worst version would cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from pydantic import ValidationError

from review.model.change import Op
from review.model.normal import at
from rollout.api.revision import image_of, images_of
from rollout.api.spec import GROUP, KIND, Spec
from rollout.api.wire import said_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from review.model.change import Change, ChangeSet
    from rollout.forecast.plan import Plan

RELEASED = ("template", "config", "configMountPath", "ports")
"""Parts of ``spec.workload`` that make a version; everything else of a GrayRelease starts nothing."""


class Expected(NamedTuple):
    """Requests a second of a service, and the share of them that fails with a healthy version."""

    rps: float
    error_rate: float


USUAL = Expected(rps=100, error_rate=0.001)
"""What is assumed where nobody says; every report says so."""


@dataclass(frozen=True, slots=True)
class Release:
    """One release ahead.

    Attributes:
        object: which GrayRelease.
        first: nothing serves yet: it takes no steps.
        before: the image that serves; empty for a first release, or where it is not said.
        after: the image that would be brought in.
        plan: its steps and what they see; None where the spec cannot be read.
        problem: why there is no plan.
    """

    object: str
    first: bool
    before: str
    after: str
    plan: Plan | None = None
    problem: str = ""


def releases_of(changes: ChangeSet, now: float, traffic: Expected = USUAL) -> tuple[Release, ...]:
    """Every release that starts when the change is carried out.

    Args:
        changes: what would happen.
        now: when, seconds since the epoch: windows without releases depend on it.
        traffic: what the services get.
    """
    return tuple(_releases(changes, now, traffic))


def _releases(changes: ChangeSet, now: float, traffic: Expected) -> Iterator[Release]:
    for change in changes.of_kind(KIND):
        if change.ref.group == GROUP and change.after is not None and starts(change):
            yield _release(change, now, traffic)


def starts(change: Change) -> bool:
    """Whether a GrayRelease gets another version by it."""
    made = bool({Op.CREATE, Op.REPLACE, Op.IMPORT} & set(change.ops))
    return made or any(change.edited("spec", "workload", key) for key in RELEASED) or bool(_whole(change))


def _whole(change: Change) -> list[Any]:
    """Edits above the parts that make a version: the whole spec, the whole workload."""
    return [edit for edit in change.edits if edit.path in {("spec",), ("spec", "workload")}]


def _release(change: Change, now: float, traffic: Expected) -> Release:
    # scipy's import takes a second of which most changes need none
    from rollout.forecast.plan import Traffic, plan_of, served_by

    first = change.before is None or Op.REPLACE in change.ops
    before = "" if first else _image(change.before or {})
    after = _image(change.after or {})
    try:
        spec = Spec.model_validate((change.after or {}).get("spec"))
        plan = plan_of(change.ref.name, spec, None if first else served_by(before), Traffic(*traffic), now)
    except ValidationError as error:
        return Release(str(change.ref), first, before, after, problem=_why(error))
    except ArithmeticError as error:
        return Release(str(change.ref), first, before, after, problem=f"nothing can be forecast: {error}")
    return Release(str(change.ref), first, before, image_of(spec), plan)


def _why(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    return f"its spec cannot be read: spec.{'.'.join(map(str, first['loc']))}: {said_of(first)}"


def _image(manifest: Mapping[str, Any]) -> str:
    template = at(manifest, ("spec", "workload", "template"))
    if not isinstance(at(template, ("spec", "containers")), list):
        return ""
    found = [each for each in template["spec"]["containers"] if isinstance(each, dict)]
    return next(iter(images_of({"spec": {"containers": found}}).values()), "")
