"""Stores that an operator keeps: their members and volumes stand in resources of the operator's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from review.model.change import Op
from review.risks.rule import HIGH, MEDIUM, Finding, Rule, on
from review.risks.shapes import amount, number, said
from review.risks.stores import is_store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from review.model.change import Change, Edit
    from review.risks.scene import Scene

_MEMBERS = frozenset({"replicas", "instances", "members", "nodes", "size", "nodeCount", "numberOfInstances"})
_VOLUMES = frozenset({"storage", "size", "storageSize", "volumeSize", "diskSize"})
_CLASSES = frozenset({"storageClass", "storageClassName", "class"})


def _edits(change: Change, names: frozenset[str]) -> Iterator[Edit]:
    if Op.UPDATE in change.ops and is_store(change.ref):
        yield from (edit for edit in change.edited("spec") if edit.path[-1] in names)


def _members(change: Change, scene: Scene) -> Iterator[Finding]:  # noqa: ARG001 - every rule is asked alike
    for edit in _edits(change, _MEMBERS):
        was, will = number(edit.before), number(edit.after)
        if was is not None and will is not None and will < was:
            yield on(edit, f"{edit.path[-1]} {was:g} → {will:g}: the rest may be no majority, or miss copies")


def _volumes(change: Change, scene: Scene) -> Iterator[Finding]:  # noqa: ARG001
    for edit in _edits(change, _VOLUMES):
        was, will = (amount(side) if isinstance(side, str) else None for side in (edit.before, edit.after))
        if was is not None and will is not None and will != was:
            shown = f"volumes {said(edit.before)} → {said(edit.after)}"
            yield on(
                edit,
                f"{shown}: {'no volume can' if will < was else 'they cannot shrink again'}",
                None if will < was else MEDIUM,
            )
    for edit in _edits(change, _CLASSES):
        if edit.before is not None:
            yield on(edit, f"storage class {said(edit.before)} → {said(edit.after)}: the data does not move by itself")


RULES = (
    Rule(
        "store-members-cut",
        "a store that an operator keeps has fewer members",
        "it stops, or loses what only the removed members had",
        HIGH,
        "declare the old number again; the volumes must still be there",
        _members,
    ),
    Rule(
        "store-volumes-changed",
        "a store that an operator keeps gets other volumes",
        "it is refused, or data is lost",
        HIGH,
        "declare the old volumes again",
        _volumes,
    ),
)
