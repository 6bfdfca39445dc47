"""Data that is lost, left behind, or kept for a shorter time."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from review.model.change import Op
from review.risks.rule import CRITICAL, HIGH, LOW, MEDIUM, Finding, Rule, kinds, on
from review.risks.shapes import amount, items, number, said, text
from review.risks.stores import loss_of, shape_of
from review.risks.templates import containers, pods

if TYPE_CHECKING:
    from collections.abc import Iterator

    from review.model.change import Change, ObjectRef
    from review.risks.scene import Scene


def _deleted(change: Change, scene: Scene) -> Iterator[Finding]:
    loss = loss_of(change, scene.changes) if Op.DELETE in change.ops else None
    if loss:
        yield Finding(f"is deleted: {loss.text}", loss.severity)
    before, after = (number(side, "spec", "replicas") for side in (change.before, change.after))
    policy = ("spec", "persistentVolumeClaimRetentionPolicy", "whenScaled")
    scaled = before is not None and after is not None and after < before and Op.UPDATE in change.ops
    if scaled and items(change.after, "spec", "volumeClaimTemplates") and text(change.after, *policy) == "Delete":
        yield Finding(
            f"{before:g} pods → {after:g}: the claims of the others go (whenScaled is Delete)", path="spec.replicas"
        )


def _replaced(change: Change, scene: Scene) -> Iterator[Finding]:
    loss = loss_of(change, scene.changes) if Op.REPLACE in change.ops else None
    if loss:
        forced = [edit for edit in change.edits if edit.replaces]
        by = f" because of {', '.join(edit.text for edit in forced[:3])}" if forced else ""
        yield Finding(f"is deleted and made again{by}: {loss.text}", loss.severity, forced[0].text if forced else "")


def _left(change: Change, scene: Scene) -> Iterator[Finding]:
    if Op.RETAIN in change.ops:
        holds = loss_of(change, scene.changes) is not None
        text = "stays in the cluster, and nobody declares it any more: nothing updates it or puts it back"
        yield Finding(text, MEDIUM if holds else LOW)


def _renamed(scene: Scene) -> Iterator[Finding]:
    """A deletion and a creation of one kind and shape: what one holds does not come to the other."""
    made: dict[tuple[object, ...], list[ObjectRef]] = {}
    for change in scene.changes.changes:
        shape = shape_of(change) if change.ops == (Op.CREATE,) else None
        if shape is not None:
            made.setdefault(shape, []).append(change.ref)
    first = {shape: sorted(set(refs))[:2] for shape, refs in made.items()}
    for change in scene.changes.changes:
        shape = shape_of(change) if change.ops == (Op.DELETE,) else None
        other = next((ref for ref in first.get(shape, ()) if ref != change.ref), None) if shape else None
        if other is not None:
            loss = loss_of(change, scene.changes)
            text = f"goes, and {other} of the same shape comes: a new name is a new object, nothing is carried over"
            yield Finding(text, loss.severity if loss else MEDIUM, ref=change.ref)


def _made_and_deleted(scene: Scene) -> Iterator[Finding]:
    made = {change.ref for change in scene.changes.changes if change.ops == (Op.CREATE,)}
    for change in scene.changes.changes:
        if change.ops == (Op.DELETE,) and change.ref in made and change.ref.api_version:
            text = "is made under one name of Pulumi and deleted under another: the deletion takes the new one"
            yield Finding(text, CRITICAL if loss_of(change, scene.changes) else HIGH, ref=change.ref)


_FINAL = re.compile(r"(?i)(default_queue_type|x-queue-type|num[._]partitions|x-single-active-consumer)")


def _final(change: Change, scene: Scene) -> Iterator[Finding]:  # noqa: ARG001
    """What can be done and not taken back."""
    if Op.UPDATE not in change.ops:
        return
    for edit in change.edits:
        if edit.path == ("spec", "partitions") and (amount(edit.after) or 0) > (amount(edit.before) or 0):
            text = f"partitions {said(edit.before)} → {said(edit.after)}: keys move, and none can be removed"
            yield on(edit, text)
        elif change.ref.kind == "Queue" and edit.path in {("spec", "type"), ("spec", "durable")}:
            yield on(
                edit, f"a queue cannot change {edit.path[-1]} ({said(edit.before)} → {said(edit.after)}): make it anew"
            )
        elif change.ref.kind == "ConfigMap" and _lines(edit.before) != _lines(edit.after):
            yield on(edit, "the kind of new queues or partitions changes: what is made with it stays so")


def _lines(value: object) -> list[str]:
    return [line.strip() for line in value.splitlines() if _FINAL.search(line)] if isinstance(value, str) else []


def _version_jumps(change: Change, scene: Scene) -> Iterator[Finding]:  # noqa: ARG001
    if not items(change.after, "spec", "volumeClaimTemplates"):
        return
    before, after = pods(change)
    new = containers(after, "containers")
    for name, old in containers(before, "containers").items():
        was, will = (_major(text(each, "image")) for each in (old, new.get(name, {})))
        if was is not None and will is not None and was != will:
            way = (
                "an older program may not read what the newer one wrote" if will < was else "its files may be converted"
            )
            yield Finding(f"{name}: version {was} → {will}: {way}", HIGH if will < was else None)


def _major(image: str) -> int | None:
    tag = image.partition("@")[0].rpartition("/")[2].partition(":")[2]
    found = re.match(r"v?(\d{1,4})\.", tag)
    return int(found[1]) if found else None


_AGAIN = "restore from a backup; deleting is not taken back"
_SETS = kinds("StatefulSet")

RULES = (
    Rule("data-deleted", "what holds data is deleted", "data is lost", CRITICAL, _AGAIN, each=_deleted),
    Rule(
        "data-replaced", "what holds data is deleted and made again", "data is lost", CRITICAL, _AGAIN, each=_replaced
    ),
    Rule(
        "renamed",
        "an object goes and another of the same shape comes",
        "data and state are not carried over",
        CRITICAL,
        "declare the old name again (aliases, an import) before anything is deleted",
        every=_renamed,
    ),
    Rule(
        "made-and-deleted",
        "one object is made under one name of Pulumi and deleted under another",
        "the deletion comes last and takes the new object",
        CRITICAL,
        "give the resource an alias with its old name",
        every=_made_and_deleted,
    ),
    Rule(
        "left-unmanaged",
        "an object stays in the cluster and leaves the program",
        "it is forgotten, and in the way of its successor",
        MEDIUM,
        "import it again",
        each=_left,
    ),
    Rule(
        "cannot-be-undone",
        "partitions grow, queues or their default type change",
        "there is no way back",
        MEDIUM,
        "none: make a new topic or queue, and move to it",
        _final,
    ),
    Rule(
        "version-of-a-store-jumps",
        "what keeps data gets another major version",
        "files may be converted, and not be read by the old version",
        MEDIUM,
        "restore from a backup of before",
        _version_jumps,
        kinds=_SETS,
    ),
)
