"""Who is touched by a change: those who answer for what changes, and those who use it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from review.model.normal import at
from review.reading.pulumi import INSTANCE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from review.model.change import Change, ChangeSet

SECTIONS = ("grayling:services", "grayling:components")
NOBODY = "nobody is named"


@dataclass(frozen=True, slots=True)
class Owned:
    """One owner, and what of theirs changes."""

    owner: str
    objects: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Dependant:
    """Somebody who uses a part that changes, and how that is known."""

    name: str
    uses: str
    known_by: str


def owners_of(changes: ChangeSet) -> tuple[Owned, ...]:
    """Owners by name; an object that names none has those of its component, else of the environment."""
    by_component: dict[str, set[str]] = defaultdict(set)
    for change in changes.changes:
        if change.component:
            by_component[change.component] |= set(change.owners)
    found: dict[str, list[str]] = defaultdict(list)
    everybody = _of_environment(changes)
    for change in changes.changes:
        for owner in change.owners or sorted(by_component.get(change.component, ())) or everybody or (NOBODY,):
            found[owner].append(str(change.ref))
    return tuple(Owned(owner, tuple(found[owner])) for owner in sorted(found, key=lambda each: (each == NOBODY, each)))


def _of_environment(changes: ChangeSet) -> list[str]:
    found = at(changes.config.get("grayling:environment"), ("owners",))
    return [each for each in found if isinstance(each, str)] if isinstance(found, list) else []


def dependants_of(changes: ChangeSet) -> tuple[Dependant, ...]:
    """Who uses a component that changes: by the stack's own words, by network policies, by the secrets they read."""
    touched = {change.component for change in changes.changes if change.component}
    seen: dict[tuple[str, str], Dependant] = {}
    for each in (*_declared(changes), *_visible(changes)):
        if each.uses in touched and each.name != each.uses:
            seen.setdefault((each.name, each.uses), each)
    return tuple(seen[key] for key in sorted(seen))


def _declared(changes: ChangeSet) -> Iterator[Dependant]:
    for section in SECTIONS:
        members = changes.config.get(section)
        for name, settings in members.items() if isinstance(members, dict) else ():
            uses = settings.get("uses") if isinstance(settings, dict) else None
            for used in uses if isinstance(uses, list) else ():
                yield Dependant(str(name), str(used), "uses")


def _visible(changes: ChangeSet) -> Iterator[Dependant]:
    for change in changes.changes:
        if change.component and change.ref.kind == "NetworkPolicy":
            for used in _peers(change):
                yield Dependant(change.component, used, "network policy")


def _peers(change: Change) -> Iterator[str]:
    rules = at(change.after or change.before or {}, ("spec", "egress"))
    for rule in rules if isinstance(rules, list) else ():
        peers: Any = at(rule, ("to",))
        for peer in peers if isinstance(peers, list) else ():
            name = at(peer, ("podSelector", "matchLabels", INSTANCE))
            if isinstance(name, str):
                yield name
