"""Rules of the house that a change breaks and that were kept before; the rows are those of `stack policy`.

What a review has rules of its own for (images, limits, secrets in plain text) is told by those.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.policy.table import BY_ID
from review.risks.rule import LOW, MEDIUM, Finding, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from components.policy.rule import PolicyRule
    from review.model.change import Change
    from review.risks.rule import Each
    from review.risks.scene import Scene

TOLD = ("house-single-replica", "house-owner", "house-external-contract", "house-external-open")


def _rule(row: PolicyRule) -> Rule:
    severity = MEDIUM if row.mandatory else LOW
    return Rule(row.id, row.what, row.why, severity, row.fix, _newly(row))


def _newly(row: PolicyRule) -> Each:
    def find(change: Change, _: Scene) -> Iterator[Finding]:
        """What the object breaks then and did not break before; a new object is told low."""
        assert row.objects is not None  # noqa: S101 - of TOLD
        before = set(row.objects(change.before)) if change.before else set()
        for text in row.objects(change.after) if change.after else ():
            if text not in before:
                yield Finding(text, None if change.before else LOW)

    return find


RULES = tuple(_rule(BY_ID[name]) for name in TOLD)
