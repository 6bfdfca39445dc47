"""Who wrote which field of a live object, from the notes that the API server keeps (``metadata.managedFields``)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from review.model.change import Path

_FIELD, _ITEM, _VALUE = "f:", "k:", "v:"


class Writer(NamedTuple):
    """A manager as the API server names it, what it did last, when (ISO 8601), and the subresource it wrote."""

    manager: str
    operation: str
    time: str
    subresource: str


def writers_of(live: Mapping[str, Any], path: Path) -> tuple[Writer, ...]:
    """Everybody who owns a field, an item or something above or below it; the latest writer first."""
    entries = (live.get("metadata") or {}).get("managedFields") or []
    found = [_writer(entry) for entry in entries if _owns(entry.get("fieldsV1") or {}, path)]
    return tuple(sorted(found, key=lambda each: each.time, reverse=True))


def _writer(entry: Mapping[str, Any]) -> Writer:
    def text(key: str) -> str:
        return str(entry.get(key) or "")

    return Writer(text("manager"), text("operation"), text("time"), text("subresource"))


def _owns(fields: Mapping[str, Any], path: Path) -> bool:
    """Whether the field itself is noted, or whole subtree above it (an atomic list or map has no notes below)."""
    if not path:
        return True
    found = False
    for note, inner in _notes(fields, path[0]):
        atomic = not inner and not note.startswith(_ITEM)
        if atomic or _owns(inner, path[1:]):
            found = True
    return found


def _notes(fields: Mapping[str, Any], key: str | int) -> Iterator[tuple[str, Mapping[str, Any]]]:
    text = str(key)
    name = text[1:-1] if text.startswith("[") and text.endswith("]") else None
    for note, inner in fields.items():
        if note == f"{_FIELD}{text}" or (name is not None and note.startswith(_ITEM) and _is_called(note, name)):
            yield note, inner if isinstance(inner, dict) else {}


def _is_called(note: str, name: str) -> bool:
    try:
        keys = json.loads(note.removeprefix(_ITEM))
    except ValueError:
        return False
    return isinstance(keys, dict) and name in {str(value) for value in keys.values()}


def leaves_of(entry: Mapping[str, Any]) -> Iterator[Path]:
    """The paths of the fields that one entry of ``managedFields`` owns; items by name, ``.`` left out."""
    yield from _leaves(entry.get("fieldsV1") or {}, ())


def _leaves(fields: Mapping[str, Any], path: Path) -> Iterator[Path]:
    for note, inner in fields.items():
        if note == ".":
            continue
        key = _key(note)
        if key is None:
            continue
        below = [name for name in inner if name != "."] if isinstance(inner, dict) else []
        if below:
            yield from _leaves(inner, (*path, key))
        else:
            yield (*path, key)


def _key(note: str) -> str | None:
    if note.startswith(_FIELD):
        return note.removeprefix(_FIELD)
    if not note.startswith(_ITEM):
        return None
    keys = json.loads(note.removeprefix(_ITEM))
    for name in ("name", "mountPath", "key", "containerPort", "port", "type", "topologyKey"):
        if name in keys:
            return f"[{keys[name]}]"
    return f"[{next(iter(keys.values()), '')}]"
