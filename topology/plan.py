"""What has to be done so that a system is as declared: a pure function of what is wanted, what is there, what was made.

The laws: after a plan is carried out the next one is empty; nothing is deleted that was not made here; what would lose
data is refused unless it is allowed by name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from topology.api.spec import Item

Settings = Mapping[str, Any]
Changed = Callable[[Any, Any], bool]
"""Whether a change of one setting, from what is there to what is wanted, is of that sort."""


def always(_seen: Any, _wanted: Any) -> bool:
    """Every change of it."""
    return True


class Op(StrEnum):
    """What becomes of an item."""

    CREATE = "create"
    CHANGE = "change"
    REPLACE = "replace"
    DELETE = "delete"
    REFUSE = "refuse"
    LEAVE = "leave"


@dataclass(frozen=True, slots=True)
class Kind:
    """What is true of all items of a kind.

    Attributes:
        name: of the kind.
        holds_data: whether messages or state go with an item that is deleted.
        fixed: settings that only a new item can have, and which of their changes.
        losing: settings that can be changed, at the price of data, and which of their changes.
        contains: whether items of other kinds are within it, and go with it.
    """

    name: str
    holds_data: bool = False
    contains: bool = False
    fixed: Mapping[str, Changed] = field(default_factory=dict)
    losing: Mapping[str, Changed] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Found:
    """An item as it is in the system; ``handle`` is for the system's own use."""

    kind: str
    settings: Settings = field(default_factory=dict)
    name: str = ""
    within: str = ""
    handle: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """What becomes of one item, and why; ``fix`` is what a person can do about a refusal."""

    op: Op
    label: str
    kind: str
    item: Item | None = None
    found: Found | None = None
    reason: str = ""
    fix: str = ""


@dataclass(frozen=True, slots=True)
class Terms:
    """What was made here, what may lose its data, and whether what is declared no more goes."""

    made: Collection[str] = frozenset()
    allow: Collection[str] = frozenset()
    prune: bool = False


ACTS = (Op.CREATE, Op.CHANGE, Op.REPLACE, Op.DELETE)
"""Those that write."""


def plan(kinds: Sequence[Kind], wanted: Sequence[Item], seen: Mapping[str, Found], terms: Terms) -> list[Step]:
    """Steps in the order in which they can be taken: what others stand on is made first, and goes last.

    Args:
        kinds: all of the system, those first that others stand on.
        wanted: the declared items.
        seen: what is there, by label.
        terms: what may be done.
    """
    rank = {kind.name: number for number, kind in enumerate(kinds)}
    by_name = {kind.name: kind for kind in kinds}
    made = [step for item in wanted if (step := _wanted(by_name[item.kind], item, seen.get(item.label), terms))]
    declared = {item.label for item in wanted}
    gone = [
        _unwanted(by_name[found.kind], label, found, terms, _strangers(by_name, found, seen, terms))
        for label, found in seen.items()
        if label in terms.made and label not in declared and found.kind in by_name
    ]
    made.sort(key=lambda step: rank[step.kind])
    gone.sort(key=lambda step: (-rank[step.kind], step.label))
    return [*gone, *made]


def _wanted(kind: Kind, item: Item, found: Found | None, terms: Terms) -> Step | None:
    if found is None:
        return Step(Op.CREATE, item.label, kind.name, item)
    changed = {key: (found.settings.get(key), value) for key, value in item.settings.items()}
    changed = {key: (was, now) for key, (was, now) in changed.items() if was != now}
    if not changed:
        return None
    fixed, losing = _which(kind.fixed, changed), _which(kind.losing, changed)
    if fixed:
        return _replacing(kind, item, found, f"{_told(changed, fixed)}: only a new {kind.name} can have that", terms)
    if losing and item.label not in terms.allow:
        return _refused(kind, item, found, f"{_told(changed, losing)} loses data")
    return Step(Op.CHANGE, item.label, kind.name, item, found, _told(changed, changed))


def _which(rules: Mapping[str, Changed], changed: Mapping[str, tuple[Any, Any]]) -> list[str]:
    return [key for key, (was, now) in changed.items() if key in rules and rules[key](was, now)]


def _replacing(kind: Kind, item: Item, found: Found, reason: str, terms: Terms) -> Step:
    if item.label not in terms.made:
        by_hand = "it was not made here: declare it as it is, or delete it by hand and it is made anew"
        return Step(Op.REFUSE, item.label, kind.name, item, found, reason, by_hand)
    if item.label not in terms.allow:
        return _refused(kind, item, found, reason)
    return Step(Op.REPLACE, item.label, kind.name, item, found, reason)


def _refused(kind: Kind, item: Item, found: Found, reason: str) -> Step:
    return Step(Op.REFUSE, item.label, kind.name, item, found, reason, allowing(item.label))


def allowing(label: str) -> str:
    """What to write so that an item may lose its data."""
    return f"declare it as it is, or add {label!r} to topology.allow"


def _strangers(kinds: Mapping[str, Kind], found: Found, seen: Mapping[str, Found], terms: Terms) -> list[str]:
    """What holds data within an item and was not made here."""
    if not kinds[found.kind].contains:
        return []
    inside = ((label, each) for label, each in seen.items() if each.within == found.name and each.kind in kinds)
    return sorted(label for label, each in inside if kinds[each.kind].holds_data and label not in terms.made)


def _unwanted(kind: Kind, label: str, found: Found, terms: Terms, strangers: Sequence[str]) -> Step:
    if not terms.prune:
        fix = "set topology.prune: true to have such things deleted, or declare it again"
        return Step(Op.LEAVE, label, kind.name, None, found, "made here and declared no more", fix)
    if strangers:
        fix = "delete that by hand, or declare this again"
        return Step(Op.REFUSE, label, kind.name, None, found, f"it holds {strangers[0]}, which was not made here", fix)
    if kind.holds_data and label not in terms.allow:
        fix = f"declare it again, or add {label!r} to topology.allow"
        return Step(Op.REFUSE, label, kind.name, None, found, "to delete it loses what it holds", fix)
    return Step(Op.DELETE, label, kind.name, None, found)


def _told(changed: Mapping[str, tuple[Any, Any]], which: Collection[str]) -> str:
    return ", ".join(_one(key, *changed[key]) for key in changed if key in which)


def _one(key: str, was: Any, now: Any) -> str:
    return key if key in HIDDEN else f"{key} {_short(was)} → {_short(now)}"


def _short(value: Any) -> str:
    text = "none" if value is None else str(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


HIDDEN = ("password",)
"""Settings whose values nobody is told."""

_LONGEST = 60


def writing(steps: Sequence[Step]) -> Iterator[Step]:
    """Those of a plan that write."""
    return (step for step in steps if step.op in ACTS)
