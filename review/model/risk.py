"""What may go wrong with a change, how bad it would be, and the one word for all of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from review.model.change import ChangeSet


class Severity(IntEnum):
    """How bad it would be: low is worth a line, medium a look, high two people, critical loses data or all service."""

    LOW = 0
    MEDIUM = 1
    HIGH = 2
    CRITICAL = 3

    @property
    def word(self) -> str:
        """In lower case, as reports say it."""
        return self.name.lower()


class Assessment(StrEnum):
    """One word for a whole change set."""

    PLAIN = "plain"
    REVIEW = "review"
    DANGEROUS = "dangerous"
    NOT_TRUSTWORTHY = "not-trustworthy"


@dataclass(frozen=True, slots=True)
class Waiver:
    """A person's word that one risk is accepted, until a day.

    Attributes:
        reason: why.
        until: the last day, ISO 8601.
        by: who said so.
    """

    reason: str
    until: str
    by: str


@dataclass(frozen=True, slots=True)
class Risk:
    """One finding.

    Attributes:
        id: the rule's stable name, as ``review risks`` lists it.
        severity: how bad it would be.
        object: which object, as :class:`review.model.change.ObjectRef` writes it; ``stack`` where it is the whole.
        text: what happens and to what, with the values that matter; no secret.
        undo: what taking it back would need.
        waiver: a person's acceptance; the risk is told all the same, and counts as low.
        path: the field that the finding stands on; empty where it is the object.
    """

    id: str
    severity: Severity
    object: str
    text: str
    undo: str = ""
    waiver: Waiver | None = None
    path: str = ""

    @property
    def counted(self) -> Severity:
        """What it weighs: low with a waiver."""
        return Severity.LOW if self.waiver else self.severity


def assessment(changes: ChangeSet, risks: Iterable[Risk]) -> Assessment:
    """The word for all: what cannot be believed first, then by the worst risk."""
    if any(doubt.fatal for doubt in changes.doubts):
        return Assessment.NOT_TRUSTWORTHY
    worst = max((risk.counted for risk in risks), default=Severity.LOW)
    if worst >= Severity.HIGH:
        return Assessment.DANGEROUS
    return Assessment.REVIEW if worst >= Severity.MEDIUM else Assessment.PLAIN
