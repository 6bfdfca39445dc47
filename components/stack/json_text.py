"""A value of Pulumi's configuration that is written as JSON: read as strictly as the YAML around it."""

from __future__ import annotations

import json
import math
from typing import Any

from components.stack.composing import DEEPEST

_BEGINS = ("{", "[")


def value_of(text: Any) -> Any:
    """A value of Pulumi's configuration: a text that is JSON stands for what it says.

    >>> value_of('{"a": 1}'), value_of("a")
    ({'a': 1}, 'a')
    """
    try:
        return _read(text) if isinstance(text, str) else text
    except (ValueError, RecursionError):
        return text


def problem_in(text: str) -> str:
    """Why a text that begins as a JSON map or list cannot be read as one; empty where it can, or is another text."""
    if not text.lstrip().startswith(_BEGINS):
        return ""
    try:
        found = _read(text)
    except json.JSONDecodeError as error:
        return f"is no JSON: {error.msg[:1].lower()}{error.msg[1:]} in column {error.pos + 1}"
    except RecursionError:
        return _TOO_DEEP
    except ValueError as error:
        return str(error)
    return _TOO_DEEP if _depth(found) > DEEPEST else ""


_TOO_DEEP = f"is JSON nested more than {DEEPEST} deep"


def _read(text: str) -> Any:
    return json.loads(text, object_pairs_hook=_map, parse_constant=_constant, parse_float=_float)


def _map(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Keys and values.

    Raises:
        ValueError: one key is there twice.
    """
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"is JSON with the key {json.dumps(key, ensure_ascii=False)} given twice")
        found[key] = value
    return found


def _constant(name: str) -> Any:
    raise ValueError(f"is JSON with {name}, which is no number that ends")


def _float(text: str) -> float:
    value = float(text)
    return value if math.isfinite(value) else _constant(text[:20])


def _depth(value: Any) -> int:
    deepest, below = 0, [(value, 1)]
    while below:
        here, depth = below.pop()
        deepest = max(deepest, depth)
        inner = here.values() if isinstance(here, dict) else here if isinstance(here, list) else ()
        below += [(each, depth + 1) for each in inner]
    return deepest
