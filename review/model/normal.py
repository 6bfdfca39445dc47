"""Normalising values, and what differs between two of them: field by field, items of lists by their names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from review.model.change import Edit, Path

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

ITEM_NAMES = ("name", "mountPath", "key", "containerPort", "port", "type", "topologyKey")
"""Keys by which Kubernetes tells the items of a list apart, the most telling first."""

_NOTHING = object()


def normalised(value: Any) -> Any:
    """Whole floats as integers (Pulumi's wire knows no integers), maps with string keys; everything else as it is."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {str(key): normalised(inner) for key, inner in value.items()}
    return [normalised(inner) for inner in value] if isinstance(value, list) else value


def edits(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[Edit, ...]:
    """What differs, in the order of the keys of ``before`` and then of ``after``."""
    return tuple(_edits((), before, after))


def _edits(path: Path, before: Any, after: Any) -> Iterator[Edit]:
    if isinstance(before, dict) and isinstance(after, dict):
        for key in [*before, *(key for key in after if key not in before)]:
            yield from _edits((*path, key), before.get(key, _NOTHING), after.get(key, _NOTHING))
    elif isinstance(before, list) and isinstance(after, list):
        yield from _list_edits(path, before, after)
    elif not same(before, after):
        yield Edit(path, _shown(before), _shown(after))


def same(before: Any, after: Any) -> bool:
    """Equal, and of one type: ``True`` is not ``1``, ``"1"`` is not ``1``; ``1.0`` is ``1``."""
    if isinstance(before, bool) is not isinstance(after, bool):
        return False
    if isinstance(before, dict) and isinstance(after, dict):
        return before.keys() == after.keys() and all(same(before[key], after[key]) for key in before)
    if isinstance(before, list) and isinstance(after, list):
        return len(before) == len(after) and all(map(same, before, after))
    return bool(before == after)


def _list_edits(path: Path, before: list[Any], after: list[Any]) -> Iterator[Edit]:
    if same(before, after):
        return
    key = _item_name(before, after)
    if key is None:
        if all(isinstance(item, dict | list) for item in (*before, *after)):
            yield from _by_place(path, before, after)
        else:
            yield Edit(path, before, after)
        return
    old, new = _by_name(before, key), _by_name(after, key)
    for name in [*old, *(name for name in new if name not in old)]:
        yield from _edits((*path, name), old.get(name, _NOTHING), new.get(name, _NOTHING))
    if old.keys() == new.keys() and list(old) != list(new):
        yield Edit(path, list(old), list(new))  # the order alone


def _by_place(path: Path, before: list[Any], after: list[Any]) -> Iterator[Edit]:
    for place in range(max(len(before), len(after))):
        old = before[place] if place < len(before) else _NOTHING
        new = after[place] if place < len(after) else _NOTHING
        yield from _edits((*path, place), old, new)


def _item_name(*lists: Sequence[Any]) -> str | None:
    """The key by which the items of all these lists can be told apart; None where there is none."""
    for key in ITEM_NAMES:
        if all(_tells_apart(key, items) for items in lists):
            return key
    return None


def _tells_apart(key: str, items: Sequence[Any]) -> bool:
    names = [item.get(key) if isinstance(item, dict) else None for item in items]
    plain = all(isinstance(name, str | int) and not isinstance(name, bool) for name in names)
    return plain and len({str(name) for name in names}) == len(items)


def _by_name(items: Sequence[Any], key: str) -> dict[str, Any]:
    return {f"[{item[key]}]": item for item in items}


def _shown(value: Any) -> Any:
    return None if value is _NOTHING else value


def at(value: Any, path: Path) -> Any:
    """The value at a path of :func:`edits`; None where there is none."""
    for key in path:
        if isinstance(value, dict):
            value = value.get(key)
        elif isinstance(value, list):
            value = _item_at(value, key)
        else:
            return None
    return value


def _item_at(items: list[Any], key: str | int) -> Any:
    if isinstance(key, str):
        return next((item for item in items if _called(item, key)), None)
    return items[key] if key < len(items) else None


def _called(item: Any, name: str) -> bool:
    return isinstance(item, dict) and any(f"[{item.get(key)}]" == name for key in ITEM_NAMES)


def named_path(places: Path, before: Any, after: Any) -> Path:
    """A path by positions as :func:`edits` writes it: items of lists by their names, where both sides have them."""
    made: list[str | int] = []
    for place in places:
        old, new = (side if isinstance(side, list) else [] for side in (before, after))
        key = _item_name(old, new) if isinstance(place, int) and (old or new) else None
        item = _item(new, place) if _item(new, place) is not None else _item(old, place)
        if key is None or not isinstance(item, dict):
            made.append(place)
            before, after = _item(before, place), _item(after, place)
        else:
            name = f"[{item[key]}]"
            made.append(name)
            before, after = (next((each for each in side if _called(each, name)), None) for side in (old, new))
    return tuple(made)


def _item(value: Any, place: str | int) -> Any:
    if isinstance(value, dict):
        return value.get(place)
    return value[place] if isinstance(value, list) and isinstance(place, int) and place < len(value) else None
