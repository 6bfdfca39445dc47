"""The fields of a recorded line, read strictly: what no release can have shown would teach the judge nonsense.

A recording is a file that anybody may have written or cut. A number that is none, infinite or out of reach, a count
below 0, an edge below the one before it or a key that stands there twice ends the reading, with its name.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from itertools import pairwise
from typing import Any

MOST_SECONDS = 1e11
"""Of any time: three thousand years, from any origin."""

MOST_COUNT = 2**53
"""Of anything counted: beyond it a float skips numbers."""

MOST_GAUGE = 1e21
"""Of a momentary value, as of those that are read from pods."""

MOST_ENTRIES = 20_000
"""Pods of a look, classes, gauges and buckets of a pod."""

MOST_CHARACTERS = 16_000_000
"""Of one line."""

MOST_NAME = 253
"""Characters of a name that Kubernetes takes."""

_MOST_DIGITS = 1_000


def object_of(text: str) -> dict[str, Any]:
    """The JSON object that a line is.

    Raises:
        ValueError: it is none, is too long or too deep, or has a key twice.
    """
    if len(text) > MOST_CHARACTERS:
        raise ValueError(f"it has {len(text):,} characters, at most {MOST_CHARACTERS:,} are read")
    try:
        line = json.loads(text, object_pairs_hook=_once, parse_int=_whole)
    except RecursionError:
        raise ValueError("not JSON that can be read (nested too deep)") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON ({error})") from error
    if not isinstance(line, dict):
        raise ValueError(f"it is {short(line)}, expected an object")  # noqa: TRY004 - one error for a bad line
    return line


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice, _ = Counter(key for key, _ in pairs).most_common(1)[0]
        first, second, *_ = (short(value) for key, value in pairs if key == twice)
        raise ValueError(f"the key {short(twice)} stands there twice, as {first} and as {second}")
    return found


def _whole(digits: str) -> int | float:
    """A whole number as JSON writes it; one of more digits than any time has is as good as infinite."""
    return int(digits) if len(digits) <= _MOST_DIGITS else float(digits)


def number(line: Mapping[str, Any], key: str, default: float, low: float, high: float) -> float:
    """A number within bounds.

    Raises:
        ValueError: it is none, or out of them.
    """
    value = line.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:  # nor is NaN
        raise ValueError(f"{key} is {short(value)}, expected a number from {low:g} to {high:g}")
    return float(value)


def count(line: Mapping[str, Any], key: str) -> int:
    """How many; 0 where it is not given.

    Raises:
        ValueError: nobody can have counted that.
    """
    value = number(line, key, 0, 0, MOST_COUNT)
    if value != int(value):
        raise ValueError(f"{key} is {short(value)}, expected a whole number")
    return int(value)


def counts(line: Mapping[str, Any], key: str) -> tuple[int, ...]:
    """A list of counts; empty where it is not given.

    Raises:
        ValueError: it is none.
    """
    return tuple(count({of: each}, of) for of, each in _list(line, key))


def counts_by_name(line: Mapping[str, Any], key: str) -> dict[str, int]:
    """Counts by name; empty where they are not given.

    Raises:
        ValueError: they are none.
    """
    return {name: count({of: each}, of) for name, of, each in _entries(line, key)}


def numbers_by_name(line: Mapping[str, Any], key: str, most: float) -> dict[str, float]:
    """Numbers by name, none farther from 0 than ``most``; empty where they are not given.

    Raises:
        ValueError: they are none.
    """
    return {name: number({of: each}, of, 0.0, -most, most) for name, of, each in _entries(line, key)}


def edges(line: Mapping[str, Any], key: str) -> tuple[float, ...]:
    """Upper edges of buckets in seconds, none below 0, ascending; empty where they are not given.

    Raises:
        ValueError: they are none.
    """
    listed = _list(line, key)
    found = tuple(number({of: each}, of, 0.0, 0.0, MOST_SECONDS) for of, each in listed)
    for (lower, upper), (of, _) in zip(pairwise(found), listed[1:], strict=False):
        if lower >= upper:
            raise ValueError(f"{of} is {upper:g} after {lower:g}, expected edges that ascend")
    return found


def text(line: Mapping[str, Any], key: str, default: str = "") -> str:
    """A text.

    Raises:
        ValueError: it is none.
    """
    value = line.get(key, default)
    if not isinstance(value, str) or not value.isprintable():
        raise ValueError(f"{key} is {short(value)}, expected a text of one line")
    return value


def name(line: Mapping[str, Any], key: str) -> str:
    """A name as Kubernetes has them, of a node or of a label's value; empty where it is not given.

    Raises:
        ValueError: it is none.
    """
    value = text(line, key)
    if len(value) > MOST_NAME or " " in value:
        raise ValueError(f"{key} is {short(value)}, expected a name of at most {MOST_NAME} characters without spaces")
    return value


def mapping(line: Mapping[str, Any], key: str) -> dict[str, Any]:
    """An object of not too many entries; empty where it is not given.

    Raises:
        ValueError: it is none.
    """
    value = line.get(key, {})
    if not isinstance(value, dict):
        raise ValueError(f"{key} is {short(value)}, expected an object")  # noqa: TRY004 - one error for a bad line
    if odd := next((name for name in value if not name.isprintable()), ""):
        raise ValueError(f"{key} has the key {short(odd)}, expected a text of one line")
    _few(value, key)
    return value


def strangers(line: Mapping[str, Any], known: frozenset[str]) -> Iterator[str]:
    """Each key that nobody knows, as a remark shows it: with the known one that it looks like, if there is one."""
    for key in line.keys() - known:
        near = get_close_matches(key[:MOST_NAME], known, n=1)
        yield short(key) + (f" (did you mean {near[0]}?)" if near else "")


def _entries(line: Mapping[str, Any], key: str) -> list[tuple[str, str, Any]]:
    """What an object holds: each name, what errors call it, and its value."""
    return [(name, f"{key}.{name[:60]}", each) for name, each in mapping(line, key).items()]


def _list(line: Mapping[str, Any], key: str) -> list[tuple[str, Any]]:
    """What a list holds: what errors call each entry, and its value."""
    value = line.get(key, [])
    if not isinstance(value, list):
        raise ValueError(f"{key} is {short(value)}, expected a list")  # noqa: TRY004 - one error for a bad line
    _few(value, key)
    return [(f"{key}[{at}]", each) for at, each in enumerate(value)]


def _few(value: dict[str, Any] | list[Any], key: str) -> None:
    if len(value) > MOST_ENTRIES:
        raise ValueError(f"{key} has {len(value):,} entries, at most {MOST_ENTRIES:,} are read")


def short(value: object) -> str:
    """What was found, as JSON writes it, cut where it is long."""
    shown = json.dumps(value)
    return shown if len(shown) <= 60 else shown[:59] + "…"  # noqa: PLR2004 - half a line
