"""Which requests a service gets: expressions that the gateway takes, and one form of all matches that mean the same."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import re2

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rollout.api.traffic import Match

_PREFIX, _EXPRESSION = "PathPrefix", "RegularExpression"


def check_matches(matches: Iterable[Match]) -> None:
    """Nothing, if the gateway would take every one.

    Raises:
        ValueError: the first that it would not, and where in ``matches`` it stands.
    """
    for index, match in enumerate(matches):
        wire = match.wire()
        for where, value, is_expression in _values(wire):
            path = f"matches.{index}.{where}.value"
            if is_expression and (said := _no_expression(value)):
                raise ValueError(f"{path}: {said}; the gateway reads RE2, for example /v[0-9]+/.*")
            if not value.isprintable():
                raise ValueError(f"{path}: no request has {value!r}; leave out what is no letter, digit or sign")
        names = [each["name"].lower() for each in wire.get("headers", ())]
        if twice := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"matches.{index}.headers: {min(twice)} is there twice, capitals do not count; keep one")


def meaning(match: dict[str, Any]) -> str:
    """The one form of matches that mean the same: defaults said, no order, names of headers in small letters."""
    path = match.get("path", {})
    kind, value = path.get("type", _PREFIX), path.get("value", "/")
    if kind == _PREFIX:
        value = value.rstrip("/") or "/"
    headers = [{**each, "name": each["name"].lower()} for each in match.get("headers", ())]
    sides = (_unordered(headers), _unordered(match.get("queryParams", ())))
    return json.dumps([kind, value, match.get("method"), sides])


def _unordered(fields: Iterable[dict[str, Any]]) -> list[str]:
    return sorted(json.dumps({"type": "Exact", **each}, sort_keys=True) for each in fields)


def _values(match: dict[str, Any]) -> Iterator[tuple[str, str, bool]]:
    sides = [("path", match["path"])] if "path" in match else []
    for side in ("headers", "queryParams"):
        sides += [(f"{side}.{index}", each) for index, each in enumerate(match.get(side, ()))]
    for where, each in sides:
        yield where, each.get("value", "/"), each.get("type") == _EXPRESSION


def _no_expression(text: str) -> str:
    options = re2.Options()
    options.log_errors = False
    try:
        re2.compile(text, options)
    except (re2.error, UnicodeEncodeError) as error:
        said = error.args[0].decode(errors="replace") if isinstance(error.args[0], bytes) else str(error)
        return f"{text[:99]!r} is no regular expression ({said})"
    return "" if text else "an empty expression fits no path"
