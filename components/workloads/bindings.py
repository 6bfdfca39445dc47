"""What a service gets by using another part of its stack: variables with its address, and the network opened to it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from components.model.component import Component
    from components.model.pods import SecretKey


def variable(name: str, what: str) -> str:
    """The variable that says ``what`` of a member: ``ORDER_STORE_URL``."""
    return f"{name.replace('-', '_').upper()}_{what}"


def variables(user: Component) -> Mapping[str, str | SecretKey]:
    """What ``uses`` puts into the environment of a service.

    A store is found under the usual name of its kind (``REDIS_URL``). Where a service uses several of one kind, each is
    found under its own (``SESSIONS_URL``), and the usual name is that of the one which is called as its kind.

    Raises:
        ValueError: one name would mean two things.
    """
    used = [user.scope.members[name] for name in user.uses if name in user.scope.members]
    usual = Counter(name for member in used for name in member.binding(user.name))
    made: dict[str, str | SecretKey] = {}
    owners: dict[str, str] = {}
    for member in used:
        for name, value in member.binding(user.name).items():
            for each in _names(member, name, alone=usual[name] == 1):
                if owners.setdefault(each, member.name) != member.name:
                    raise ValueError(f"uses: {each} would be {owners[each]} and {member.name}; rename one of the two")
                made[each] = value
    return made


def _names(member: Component, usual: str, *, alone: bool) -> set[str]:
    if alone:
        return {usual}
    own = variable(member.name, usual.rpartition("_")[2])
    return {own, usual} if member.name == member.kind else {own}
