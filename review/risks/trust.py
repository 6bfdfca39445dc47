"""What a preview cannot be believed about, what it did not say, and who answers for what it changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from review.model.change import Op
from review.reading.plan import UNTOLD
from review.risks.rule import HIGH, LOW, MEDIUM, Finding, Rule
from review.risks.shapes import listed, mapping, said, text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from review.model.change import Change
    from review.risks.scene import Scene

_BY_CONTROLLERS = ("metadata", "finalizers")
_OWNERS, _MANAGED = "grayling.dev/owners", "app.kubernetes.io/managed-by"


def _doubted(scene: Scene) -> Iterator[Finding]:
    for doubt in scene.changes.doubts:
        if doubt.fatal:
            yield Finding(f"{doubt.id}: {' '.join(doubt.text.split())}")


def _untold(change: Change, scene: Scene) -> Iterator[Finding]:  # noqa: ARG001 - every rule is asked alike
    fields = [edit.text for edit in change.edits if edit.before == UNTOLD]
    if fields:
        yield Finding(f"what stands in {listed(fields)} now is not told: nothing can be compared with it")


def _drifted(scene: Scene) -> Iterator[Finding]:
    for change in scene.changes.drift:
        fields = [edit for edit in change.edits if edit.path[:2] != _BY_CONTROLLERS]
        if Op.DELETE in change.ops:
            yield Finding("is declared and not in the cluster: somebody deleted it", ref=change.ref)
        elif fields:
            shown = listed(f"{edit.text} {said(edit.before)} → {said(edit.after)}" for edit in fields)
            yield Finding(f"is not as it was applied: {shown}", ref=change.ref)


def _owners(change: Change, scene: Scene) -> Iterator[Finding]:  # noqa: ARG001
    before, after = (text(side, "metadata", "annotations", _OWNERS) for side in (change.before, change.after))
    if change.before and change.after and before != after:
        path = f'metadata.annotations["{_OWNERS}"]'
        yield Finding(f"owners {said(before or 'nobody')} → {said(after or 'nobody')}", None if after else MEDIUM, path)


def _manager(change: Change, scene: Scene) -> Iterator[Finding]:  # noqa: ARG001
    before, after = (text(side, "metadata", "labels", _MANAGED) for side in (change.before, change.after))
    if change.before and change.after and before and before != after:
        yield Finding(f"is managed by {said(after or 'nobody')} instead of {said(before)}: pruning no longer finds it")


def _provider(change: Change, scene: Scene) -> Iterator[Finding]:  # noqa: ARG001
    if change.ref.kind.startswith("pulumi:providers:") and change.ops != (Op.CREATE,) and (change.goes or change.edits):
        fields = listed(edit.text for edit in change.edits if edit.text != "version")
        severity = HIGH if change.goes or fields else LOW
        yield Finding(
            f"the provider changes ({fields or 'its version'}): everything below it may go to another place", severity
        )


def _weakened_protection(change: Change, scene: Scene) -> Iterator[Finding]:  # noqa: ARG001
    """Pulumi's own annotations by which an update is skipped, forced or not waited for."""
    before, after = (mapping(side, "metadata", "annotations") for side in (change.before, change.after))
    for key, means in _TO_PULUMI.items():
        if change.after and after.get(key) is not None and after.get(key) != before.get(key):
            yield Finding(f"{key} is {said(after[key])}: {means}", None, f'metadata.annotations["{key}"]')


_TO_PULUMI = {
    "pulumi.com/skipAwait": "an update counts as done before the pods are",
    "pulumi.com/patchForce": "fields are taken from whoever wrote them",
    "pulumi.com/replaceUnready": "it is deleted and made again when it is not ready",
    "pulumi.com/deletionPropagationPolicy": "what it owns goes, or stays, otherwise",
}

RULES = (
    Rule(
        "preview-not-trustworthy",
        "the preview is wrong or incomplete",
        "what would happen is not known",
        HIGH,
        "repair it, and preview again",
        every=_doubted,
        waivable=False,
    ),
    Rule(
        "before-not-told",
        "a plan does not say what stands now",
        "what goes is not seen",
        MEDIUM,
        "review the preview beside the plan",
        _untold,
    ),
    Rule(
        "live-differs",
        "the cluster was not as applied",
        "somebody changed it by hand, maybe in need",
        MEDIUM,
        "ask who did it; declare it, or let it be taken back",
        every=_drifted,
    ),
    Rule(
        "owners-changed",
        "others answer for an object",
        "approvals are asked of others",
        LOW,
        "name the old owners",
        _owners,
    ),
    Rule(
        "manager-changed",
        "an object is managed by something else",
        "it is not pruned, or deleted twice",
        MEDIUM,
        "set the label again",
        _manager,
    ),
    Rule(
        "provider-changed",
        "where Pulumi applies changes",
        "everything may be made again in another cluster",
        HIGH,
        "declare the old provider",
        _provider,
    ),
    Rule(
        "waiting-off",
        "Pulumi is told to skip, force or make again",
        "faults are not seen, or a small update deletes",
        MEDIUM,
        "take the annotation away",
        _weakened_protection,
    ),
)
