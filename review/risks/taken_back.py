"""Versions that were taken back on evidence and are declared again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from review.model.change import ObjectRef
from review.risks.rule import HIGH, Finding, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from review.risks.scene import Scene


def _taken_back(scene: Scene) -> Iterator[Finding]:
    refs = {str(change.ref): change.ref for change in scene.changes.changes}
    for name, told in scene.changes.stays_out.items():
        kind, _, place = name.partition(" ")
        namespace, _, own = place.rpartition("/")
        yield Finding(told, ref=refs.get(name, ObjectRef("", kind, namespace, own)))


RULES = (
    Rule(
        "taken-back",
        "a release brings in a version that was taken back on evidence",
        "the same fault reaches users again; `stack apply` and `pulumi up` refuse it until a person forgives it",
        HIGH,
        "declare another version, or let it in with `grayling release forgive`",
        every=_taken_back,
        waivable=False,
    ),
)
