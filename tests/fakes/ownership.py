"""Who owns which field: server-side apply takes away what its manager no longer says, and nothing of another's.

Lists count as one field. The real server keeps this in ``managedFields``; here it stands beside the object, so that a
test may write those itself.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.fakes.patches import Object, merge

if TYPE_CHECKING:
    from collections.abc import Iterator

Place = tuple[str, ...]
_NOBODYS = {("apiVersion",), ("kind",), ("metadata", "name"), ("metadata", "namespace"), ("metadata", "uid")}


@dataclass
class Owners:
    """The fields of one object by manager; those that somebody applied are known apart from those somebody changed."""

    applied: dict[str, set[Place]] = field(default_factory=dict)
    changed: dict[str, set[Place]] = field(default_factory=dict)

    def apply(self, known: Object | None, body: Object, manager: str, *, force: bool) -> Object | list[str]:
        """The object as it is then, or the conflicts, a line each."""
        said = dict(_fields(body))
        there = dict(_fields(known or {}))
        rivals = [
            (other, place)
            for owned in (self.applied, self.changed)
            for other, places in owned.items()
            for place in places
            if (other, owned) != (manager, self.applied) and place in said and there.get(place) != said[place]
        ]
        if rivals and not force:
            return [f'conflict with "{other}": .{".".join(place)}' for other, place in sorted(rivals)]
        for owned in (self.applied, self.changed):
            for other in owned:
                owned[other] -= {place for rival, place in rivals if rival == other}
        merged = merge(deepcopy(known), body) if known else deepcopy(body)
        for place in self.applied.get(manager, set()) - said.keys() - self._others(manager):
            _remove(merged, place)
        self.applied[manager] = set(said)
        return merged

    def change(self, known: Object | None, changed: Object, manager: str) -> None:
        """Note that a manager wrote some fields without applying them."""
        before = dict(_fields(known or {}))
        wrote = {place for place, value in _fields(changed) if before.get(place) != value}
        if not wrote:
            return
        for owned in (self.applied, self.changed):
            for other in owned:
                owned[other] -= wrote
        self.changed.setdefault(manager, set()).update(wrote)

    def _others(self, manager: str) -> set[Place]:
        held = [places for other, places in self.applied.items() if other != manager]
        return set().union(*held, *self.changed.values())


def _fields(value: Any, place: Place = ()) -> Iterator[tuple[Place, Any]]:
    if isinstance(value, dict) and value:
        for key, each in value.items():
            if (*place, key) not in _NOBODYS and not (not place and key == "status"):
                yield from _fields(each, (*place, key))
    elif place:
        yield place, value


def _remove(item: Object, place: Place) -> None:
    *above, last = place
    target: Any = item
    for key in above:
        target = target.get(key)
        if not isinstance(target, dict):
            return
    target.pop(last, None)
