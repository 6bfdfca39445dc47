"""What a review found, as every report tells it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from review.model.risk import Assessment, assessment

if TYPE_CHECKING:
    from collections.abc import Mapping

    from review.model.change import ChangeSet
    from review.model.risk import Risk


@dataclass(frozen=True, slots=True)
class Report:
    """A change set and what was found in it.

    Attributes:
        changes: what would happen.
        risks: the worst first.
        created: when the review was made, ISO 8601 in UTC.
        commit: of the project that was previewed; empty outside a repository.
        base: the commit that it is compared with; empty where there is none.
        digest: what an approval of this change names; empty where none can be given, with the reason in ``unbound``.
        parts: the digests of the parts by name (changes, program, configuration, locks, live).
        unbound: why it has no digest; empty where it has one.
        approval: what is still needed, from whom, and the command to give it; one sentence.
    """

    changes: ChangeSet
    risks: tuple[Risk, ...] = ()
    created: str = ""
    commit: str = ""
    base: str = ""
    digest: str = ""
    parts: Mapping[str, str] = field(default_factory=dict)
    unbound: str = ""
    approval: str = ""

    @property
    def assessment(self) -> Assessment:
        """The word for all."""
        return assessment(self.changes, self.risks)
