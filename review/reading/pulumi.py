"""A preview of Pulumi as a change set: one change for each object, however many steps Pulumi needs for it."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from review.model.change import Change, ChangeSet, Edit, ObjectRef, Op, Source, in_order
from review.model.masking import CHANGED, HIDDEN, PULUMI_SECRET, Masker, is_secret, leaves, needles_of
from review.model.normal import at, edits, named_path, normalised, same
from review.reading.doubts import doubts_of
from review.reading.plan import A_PLAN, is_plan, plan_of
from review.reading.standing import standing
from review.reading.steps import State, preview_of
from review.reading.urns import places, ref_of, urn_of, whole

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from review.model.change import Path
    from review.reading.source import Document
    from review.reading.steps import Preview, Step

OPS: dict[str, tuple[Op, ...]] = {
    "create": (Op.CREATE,),
    "update": (Op.UPDATE,),
    "delete": (Op.DELETE,),
    "replace": (Op.REPLACE,),
    "create-replacement": (Op.REPLACE,),
    "delete-replaced": (Op.REPLACE,),
    "import": (Op.IMPORT,),
    "import-replacement": (Op.IMPORT, Op.REPLACE),
    "discard-replaced": (Op.REPLACE,),
}
"""What each of Pulumi's operations does to an object."""
NO_CHANGE = frozenset({"same", "refresh", "read", "read-replacement", "discard", "remove-pending-replace"})
"""Operations that touch the state file alone."""

UNKNOWN = re.compile(
    r"04da6b54-80e4-46f7-96ec-b56ff0331ba9|1c4a061d-8072-4f0a-a4cb-0ff528b18fe7|3eeb2bf0-c639-47a8-9e75-3b44932eb421"
    r"|6a19a0b0-7e62-4c92-b797-7f8e31da9cc2|030794c1-ac77-496b-92df-f27374a8bd58|e48ece36-62e2-4504-bad9-02848725956a"
    r"|dd056dcd-154b-4c76-9bd3-c8f88648b5ff|^output<.*>$|^\[unknown\]$"
)
"""How Pulumi writes a value that is known only once it is carried out, one word for each type."""
OWNERS, INSTANCE = "grayling.dev/owners", "app.kubernetes.io/instance"
UNSAID = "(the preview does not say)"
_SERVER_OWN = frozenset({"managedFields", "resourceVersion", "generation", "uid", "creationTimestamp", "selfLink"})
_SECRETS = "secrets"


def read_pulumi(document: Document) -> ChangeSet:
    """The change set of a preview, of an event log or of an update plan.

    Raises:
        UsageError: the document has another shape.
    """
    preview = plan_of(document) if is_plan(document) else preview_of(document)
    preview = preview.model_copy(update={"steps": [_with_kinds(step) for step in preview.steps]})
    masker = Masker(frozenset(_needles(preview)))
    groups: dict[str, list[Step]] = defaultdict(list)
    for step in preview.steps:
        groups[step.urn].append(step)
    changes = [change for urn, steps in groups.items() if (change := _change(urn, steps, masker))]
    first = next((parts for urn in groups if (parts := urn_of(urn))), None)
    doubts = doubts_of(preview, changes, masker, OPS.keys() | NO_CHANGE)
    return ChangeSet(
        source=_source(document),
        project=first.project if first else "",
        stack=first.stack if first else "",
        changes=in_order(changes),
        unchanged=_unchanged(preview),
        doubts=(*doubts, A_PLAN) if is_plan(document) else doubts,
        drift=in_order(_drift(groups, masker)),
        config={key: masker.value(_opened(value), key) for key, value in preview.config.items()},
        messages=tuple(
            (each.severity, masker.text(each.message.strip()))
            for each in preview.diagnostics
            if each.severity != "debug"
        ),
    )


def _with_kinds(step: Step) -> Step:
    """A step whose states say of what kind the object is: what is of no kind is neither judged nor masked."""
    changed = {
        side: state.model_copy(
            update={
                "inputs": whole(step.urn, state.inputs),
                "outputs": whole(step.urn, state.outputs) if state.outputs else state.outputs,
            }
        )
        for side, state in (("old", step.old), ("new", step.new))
        if state is not None and whole(step.urn, state.inputs) is not state.inputs
    }
    return step.model_copy(update=changed) if changed else step


def _source(document: Document) -> Source:
    if is_plan(document):
        return "pulumi-plan"
    return "pulumi-events" if document.lines else "pulumi-preview"


def _unchanged(preview: Preview) -> int:
    listed = sum(step.op == "same" for step in preview.steps)
    return max((preview.summary or {}).get("same", 0), listed)


def _needles(preview: Preview) -> Iterator[str]:
    for step in preview.steps:
        for state in (step.old, step.new):
            if state is not None:
                yield from needles_of([state.inputs, state.outputs])
    for key, value in preview.config.items():
        if key.partition(":")[2] == _SECRETS:
            yield from leaves(_opened(value))


def _opened(value: Any) -> Any:
    """A value of the configuration; sections stand in it as JSON."""
    if not isinstance(value, str) or not value.startswith(("{", "[")):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


def _ops(steps: Iterable[Step]) -> tuple[Op, ...]:
    found: dict[Op, None] = {}
    for step in steps:
        for op in OPS.get(step.op, ()):
            retained = op is Op.DELETE and step.old is not None and step.old.retain
            found[Op.RETAIN if retained else op] = None
    if Op.REPLACE in found:  # its own steps may be listed as plain ones
        found.pop(Op.CREATE, None)
    return tuple(found)


def _change(urn: str, steps: list[Step], masker: Masker) -> Change | None:
    ops = _ops(steps)
    if not ops:
        return None
    acting = [step for step in steps if step.op in OPS]
    standing_first = sorted(acting, key=lambda step: step.old is not None and step.old.delete)
    old = next((step.old for step in standing_first if step.old is not None), None)
    new = next((step.new for step in reversed(acting) if step.new is not None), None)
    if set(ops) <= {Op.DELETE, Op.RETAIN}:
        new = None
    before, after = _inputs(old), _inputs(new)
    ref = ref_of(urn, whole(urn, after or before or {}))
    return Change(
        ref=ref,
        ops=ops,
        before=masker.manifest(before),
        after=masker.manifest(after),
        edits=_edits(acting, old, before, after, ref, masker),
        forced_by=tuple(dict.fromkeys(reason for step in acting for reason in step.replace_reasons)),
        urn=urn,
        component=_label(after or before, "labels", INSTANCE),
        owners=tuple(filter(None, _label(after or before, "annotations", OWNERS).replace(" ", "").split(","))),
        protected=any(state.protect for state in (old, new) if state is not None),
        unknown=tuple(unknown_paths(after or {})),
        stood=standing(old.outputs) if old is not None and ref.api_version and old.outputs else "",
    )


def _inputs(state: State | None) -> dict[str, Any] | None:
    if state is None:
        return None
    inputs: dict[str, Any] = normalised(state.inputs)
    return inputs


def _label(manifest: Mapping[str, Any] | None, group: str, key: str) -> str:
    found = at(manifest or {}, ("metadata", group, key))
    return found if isinstance(found, str) else ""


def _edits(
    steps: Iterable[Step],
    old: State | None,
    before: dict[str, Any] | None,
    after: dict[str, Any] | None,
    ref: ObjectRef,
    masker: Masker,
) -> tuple[Edit, ...]:
    """What differs in what is declared, and what Pulumi alone sees differ (it compares with its state)."""
    if old is None or before is None or after is None:
        return ()
    found = list(edits(before, after))
    forcing: list[Path] = []
    for step in steps:
        for text, diff in step.detailed.items():
            path = named_path(places(text), before, after)
            if diff.kind.endswith("-replace"):
                forcing.append(path)
            if not any(_meets(path, edit.path) for edit in found):
                found += _seen_by_pulumi(path, old, after, ref.kind)
        forcing += [named_path(places(text), before, after) for text in step.replace_reasons]
    return tuple(
        masker.edit(
            Edit(edit.path, edit.before, edit.after, any(_meets(edit.path, path) for path in forcing)), ref.kind
        )
        for edit in found
    )


def _seen_by_pulumi(path: Path, old: State, after: Mapping[str, Any], kind: str) -> list[Edit]:
    """A field that is declared as before, and differs all the same: live it is another, or it is a secret."""
    live = normalised(old.outputs)
    if is_secret(kind, path) or any(at(after, path[:depth]) == PULUMI_SECRET for depth in range(1, len(path) + 1)):
        return [Edit(path, HIDDEN, CHANGED, hidden=True)]
    before, then = at(live, path), at(after, path)
    return [] if same(before, then) else [Edit(path, before, then)]


def _meets(one: Path, other: Path) -> bool:
    """One path is the other, or above it."""
    shared = min(len(one), len(other))
    return one[:shared] == other[:shared]


def unknown_paths(value: Any, path: Path = ()) -> Iterator[Path]:
    """Where values stand that are known only once it is carried out."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from unknown_paths(inner, (*path, key))
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from unknown_paths(inner, (*path, place))
    elif isinstance(value, str) and UNKNOWN.search(value):
        yield path


def _drift(groups: Mapping[str, list[Step]], masker: Masker) -> Iterator[Change]:
    """Objects that a refresh found to be other than the state file said.

    A preview's refresh may say on both sides what the state file said: what it found is the old side of the next step.
    """
    for urn, steps in groups.items():
        later = next((step for step in steps if step.op in OPS and step.old is not None), None)
        for step in steps:
            if step.op != "refresh" or step.old is None or not step.old.custom:
                continue
            before = declared(step.old.outputs)
            ref = ref_of(urn, step.old.inputs or before)
            if step.new is None:
                yield Change(ref, (Op.DELETE,), before=masker.manifest(before), urn=urn)
                continue
            after, shown = declared(step.new.outputs), step
            if same(before, after) and later is not None and later.old is not None:  # Pulumi shows it there alone
                after, shown = declared(later.old.outputs), later
            found = _refreshed(shown, before, after) or _unsaid(step, before, after)
            if found:
                told = tuple(masker.edit(edit, ref.kind) for edit in found)
                yield Change(ref, (Op.UPDATE,), masker.manifest(before), masker.manifest(after), told, urn=urn)


def _refreshed(step: Step, before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[Edit, ...]:
    """What a refresh saw, of the fields that the step names; all where it names none."""
    paths = [named_path(places(text), before, after) for text in step.detailed]
    return tuple(edit for edit in edits(before, after) if not paths or any(_meets(edit.path, path) for path in paths))


def _unsaid(step: Step, before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[Edit, ...]:
    """Fields that a refresh says are other, without saying what they are."""
    paths = [named_path(places(text), before, after) for text in step.detailed]
    return tuple(Edit(path, at(before, path), UNSAID) for path in paths)


def declared(outputs: Mapping[str, Any]) -> dict[str, Any]:
    """A live object without its status, what the server alone decides, and Pulumi's own notes."""
    made: dict[str, Any] = {
        key: normalised(value) for key, value in outputs.items() if key != "status" and not key.startswith("__")
    }
    if isinstance(made.get("metadata"), dict):
        made["metadata"] = {key: value for key, value in made["metadata"].items() if key not in _SERVER_OWN}
    return made
