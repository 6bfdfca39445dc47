"""What a rule is: one row that says what it finds and why it matters, and one pure function that finds it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from review.model.change import Change, ObjectRef
from review.model.risk import Severity
from review.risks.scene import Scene

if TYPE_CHECKING:
    from review.model.change import Edit

LOW, MEDIUM, HIGH, CRITICAL = Severity

STACK = "stack"
"""What a risk names that is of the whole preview."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule found.

    Attributes:
        text: what happens, with the values that matter.
        severity: where it is not what the row says.
        path: the field it stands on.
        ref: which object, where the rule looks at all of them; else it is the change's own.
    """

    text: str
    severity: Severity | None = None
    path: str = ""
    ref: ObjectRef | None = None


Each = Callable[[Change, Scene], Iterator[Finding]]
All = Callable[[Scene], Iterator[Finding]]


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of the table.

    Attributes:
        id: stable name; reports, waivers and machines use it.
        what: what it finds.
        why: what may go wrong.
        severity: how bad it usually is; a finding may say another.
        undo: what taking it back needs.
        each: finds it in one change.
        every: finds it in all changes together; one of the two is given.
        kinds: kinds of objects that ``each`` is asked for; all where empty.
        waivable: whether a person may accept it.
    """

    id: str
    what: str
    why: str
    severity: Severity
    undo: str
    each: Each | None = None
    every: All | None = None
    kinds: frozenset[str] = frozenset()
    waivable: bool = True


def kinds(*names: str) -> frozenset[str]:
    """Kinds of objects, for a row."""
    return frozenset(names)


def on(edit: Edit, text: str, severity: Severity | None = None) -> Finding:
    """A finding that stands on one field."""
    return Finding(text, severity, edit.text)
