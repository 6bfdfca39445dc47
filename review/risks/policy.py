"""Changes of the rules by which changes are reviewed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from review.risks.rule import HIGH, Finding, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from review.risks.scene import Scene


def _changed(scene: Scene) -> Iterator[Finding]:
    yield from (Finding(told) for told in scene.changes.weakened)


RULES = (
    Rule(
        "policy-changed",
        "the rules of reviewing are weakened, or who may approve changes",
        "later changes go in with fewer eyes on them",
        HIGH,
        "put the file back as it was at the base commit",
        every=_changed,
        waivable=False,
    ),
)
