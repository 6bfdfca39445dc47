"""What an adapter puts before the steps of every route: a look at the size, and at whether it came before."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

Entry = dict[str, Any]
SEEN = "grayling-seen"
"""The bean that remembers what came."""


def guarded(entries: list[Entry], max_bytes: int, identities: Mapping[str, str]) -> list[Entry]:
    """The same routes: what is larger, and what came before, is a dead letter.

    Args:
        entries: of a file of routes, as declared; they stay as they are.
        max_bytes: of a message.
        identities: by the id of its route, the expression that tells one message from another.
    """
    made = deepcopy(entries)
    for entry in made:
        route = entry.get("route", entry)
        start = route.get("from")
        if not isinstance(start, dict):
            continue
        steps = start.get("steps") or []
        if identity := identities.get(str(route.get("id"))):
            steps = [_once(identity, steps)]
        start["steps"] = [_not_larger(max_bytes), *steps]
    return made


def _not_larger(max_bytes: int) -> Entry:
    """A file is measured, and not read, before it is known to be small."""
    file, body = "${header.CamelFileLength}", "${bodyAs(byte[]).length}"
    known = {"simple": f"{file} != null && {file} > {max_bytes}", "steps": [_refused(f"{file} bytes", max_bytes)]}
    read = {"simple": f"{file} == null && {body} > {max_bytes}", "steps": [_refused(f"{body} bytes", max_bytes)]}
    return {"choice": {"when": [known, read]}}


def _refused(found: str, max_bytes: int) -> Entry:
    return _thrown("java.lang.IllegalArgumentException", f"maxBytes: {found}, and {max_bytes} are taken")


def _once(identity: str, steps: list[Entry]) -> Entry:
    """Known as seen when it was carried on, and not before: what stopped half way is no duplicate."""
    again = {
        "simple": "${exchangeProperty.CamelDuplicateMessage} == true",
        "steps": [_thrown("java.lang.IllegalStateException", f"duplicate: {identity} came before")],
    }
    return {
        "idempotentConsumer": {
            "expression": {"simple": identity},
            "idempotentRepository": SEEN,
            "eager": False,
            "removeOnFailure": False,
            "skipDuplicate": False,
            "steps": [{"choice": {"when": [again], "otherwise": {"steps": steps}}}],
        }
    }


def _thrown(kind: str, message: str) -> Entry:
    return {"throwException": {"exceptionType": kind, "message": message}}
