"""Reading values that may have any shape: what is missing or of another kind reads as empty, and nothing raises."""

from __future__ import annotations

import re
from typing import Any

from review.model.normal import at
from rollout.api.durations import seconds_of

Json = dict[str, Any]

_AMOUNT = re.compile(r"([+-]?[0-9]{1,18}(?:\.[0-9]{1,9})?)(m|k|[KMGTPE]i|[MGTPE])?B?")
_UNITS = {
    "": 1.0,
    "m": 0.001,
    "k": 1e3,
    "M": 1e6,
    "G": 1e9,
    "T": 1e12,
    "P": 1e15,
    "E": 1e18,
    "Ki": 2.0**10,
    "Mi": 2.0**20,
    "Gi": 2.0**30,
    "Ti": 2.0**40,
    "Pi": 2.0**50,
    "Ei": 2.0**60,
}
_LONGEST, _LARGEST = 80, 1e300


def mapping(value: Any, *path: str) -> Json:
    """The map at a path; empty where there is none."""
    found = at(value, path)
    return found if isinstance(found, dict) else {}


def items(value: Any, *path: str) -> list[Any]:
    """The list at a path; empty where there is none."""
    found = at(value, path)
    return found if isinstance(found, list) else []


def maps(value: Any, *path: str) -> list[Json]:
    """The maps in the list at a path."""
    return [item for item in items(value, *path) if isinstance(item, dict)]


def text(value: Any, *path: str) -> str:
    """The text at a path; empty where there is none."""
    found = at(value, path)
    return found if isinstance(found, str) else ""


def texts(value: Any, *path: str) -> list[str]:
    """The texts in the list at a path."""
    return [item for item in items(value, *path) if isinstance(item, str)]


def number(value: Any, *path: str) -> float | None:
    """The number at a path; None where there is none."""
    found = at(value, path)
    if not isinstance(found, int | float) or isinstance(found, bool) or not abs(found) < _LARGEST:
        return None
    return float(found)


def amount(value: Any, *path: str) -> float | None:
    """An amount as Kubernetes writes it (``500m``, ``2Gi``, ``3``), in its base unit; None where it is none."""
    found = at(value, path)
    if not isinstance(found, str):
        return number(found)
    parts = _AMOUNT.fullmatch(found.strip())
    return float(parts[1]) * _UNITS[parts[2] or ""] if parts else None


def seconds(value: Any, *path: str) -> float | None:
    """A duration in seconds; None where it is none."""
    found = at(value, path)
    if found is None or isinstance(found, dict | list | bool):
        return None
    try:
        return seconds_of(found)
    except ValueError:
        return None


def said(value: Any) -> str:
    """A value in a sentence, not longer than a line."""
    if value is None:
        return "none"
    made = value if isinstance(value, str) else str(value)
    made = " ".join(made[: _LONGEST * 2].split())
    return made if len(made) <= _LONGEST else f"{made[:_LONGEST]}…"


def listed(names: Any, most: int = 5) -> str:
    """Names in a sentence, sorted, the first of many."""
    found = sorted(str(name) for name in names)
    more = f" and {len(found) - most} more" if len(found) > most else ""
    return ", ".join(said(name) for name in found[:most]) + more
