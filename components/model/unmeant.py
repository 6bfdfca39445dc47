"""Values that a model would take and nobody means: ``true`` for 1, 30 for a duration, nothing where something is due.

YAML makes them by itself out of ``yes``, ``30`` and a key left empty, so they are looked for in what stands in the
file, before it is read into models.
"""

from __future__ import annotations

import json
import math
import re
import types
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias, Union, get_args, get_origin

from pydantic import BaseModel, BeforeValidator

from components.model.mistakes import Mistake, shown
from rollout.api.durations import seconds_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic.fields import FieldInfo

_NUMBER = re.compile(r"\s*[-+]?[0-9][0-9_]*(\.[0-9]*)?([eE][-+]?[0-9]+)?\s*")

Option: TypeAlias = "tuple[Any, tuple[Any, ...]]"
"""A type that a value may have, and what is said of it."""


def unmeant(model: type[BaseModel], value: Any, path: str) -> list[Mistake]:
    """What is not meant in ``value``, which stands at ``path`` and will be read into ``model``."""
    return list(_in_model(model, value, path))


def _in_model(model: type[BaseModel], value: Any, path: str) -> Iterator[Mistake]:
    if not isinstance(value, dict):
        return
    for name, field in model.model_fields.items():
        for key in {field.alias or name, name} & value.keys():
            where = f"{path}.{key}"
            if value[key] is None:
                yield from _empty(field, where)
            else:
                yield from _in_value([(field.annotation, tuple(field.metadata))], value[key], where)


def _empty(field: FieldInfo, path: str) -> Iterator[Mistake]:
    """Null means something only where it takes away what would be there without it."""
    options = _flat([(field.annotation, ())])
    kinds = [kind for kind, _ in options]
    if type(None) in kinds and field.default is not None:
        return
    blank = "write {} for the defaults, or " if any(_is_model(kind) for kind in kinds) else ""
    yield Mistake(path, "", "is empty", f"{blank}give it a value, or leave the key out")


def _in_value(options: list[Option], value: Any, path: str) -> Iterator[Mistake]:
    flat = _flat(options)
    if shape := _shape_of(flat, value):
        yield Mistake(path, shown(value), *shape)
    elif isinstance(value, dict):
        yield from _in_map(flat, value, path)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            inner = [(get_args(kind)[0], ()) for kind, _ in flat if _origin(kind) is list]
            yield from _in_item(inner, item, f"{path}.{index}")
    else:
        yield from _in_scalar(flat, value, path)


def _shape_of(flat: list[Option], value: Any) -> tuple[str, str] | None:
    """What is said of one value where many belong, or of many where there is one."""
    kinds = [kind for kind, _ in flat if kind is not type(None)]
    if not kinds:
        return None
    if all(_origin(kind) is list for kind in kinds) and not isinstance(value, list):
        return "is no list", "write one" if isinstance(value, dict) else f"write it in brackets: [{value}]"
    if all(_is_map(kind) for kind in kinds) and not isinstance(value, dict):
        return "is no map of keys and values", "write some under it, or {} for none"
    return None


def _in_map(flat: list[Option], value: dict[Any, Any], path: str) -> Iterator[Mistake]:
    for kind, _ in flat:
        if _is_model(kind):
            yield from _in_model(kind, value, path)
        elif _origin(kind) is dict:
            inner = get_args(kind)[1]
            for key, item in value.items():
                yield from _in_item([(inner, ())], item, f"{path}.{key}")


def _in_item(inner: list[Option], item: Any, path: str) -> Iterator[Mistake]:
    if item is None and inner and Any not in [kind for kind, _ in inner]:
        yield Mistake(path, "", "is empty", "give it a value ('' is an empty text), or leave it out")
    elif item is not None:
        yield from _in_value(inner, item, path)


def _in_scalar(flat: list[Option], value: Any, path: str) -> Iterator[Mistake]:
    if any(_is_duration(told) for _, told in flat):
        yield from _in_duration(value, path)
    kinds = {kind for kind, told in flat if not _reads_itself(told)} - {type(None)}
    if len(kinds) < len({kind for kind, _ in flat} - {type(None)}) or Any in kinds:
        return
    if kinds == {bool} and not isinstance(value, bool):
        yield Mistake(path, shown(value), "is neither true nor false", "write one of the two")
        return
    literals = {type(each) for kind in kinds if _origin(kind) is Literal for each in get_args(kind)}
    counts = bool({int, float} & kinds) or int in literals
    if isinstance(value, str):
        wrong = kinds <= {int, float} and not _NUMBER.fullmatch(value)
    else:
        wrong = counts and bool not in kinds and (isinstance(value, bool) or not math.isfinite(value))
    if wrong and counts:
        yield Mistake(path, shown(value), "is no number", "write one")
    elif (
        isinstance(value, int | float)
        and str in kinds
        and (isinstance(value, bool) or not counts)
        and bool not in kinds
    ):
        yield Mistake(path, shown(value), "is no text", f"quote it: '{json.dumps(value)}'")


def _in_duration(value: Any, path: str) -> Iterator[Mistake]:
    if isinstance(value, bool):
        yield Mistake(path, shown(value), "is no duration", "write it like 250ms, 30s, 5m or 1h30m")
    elif isinstance(value, int | float) and value != 0:
        example = f"{value:g}s" if value > 0 and math.isfinite(value) else "30s"
        yield Mistake(path, shown(value), "a duration has a unit", f"write it like {example} or 5m")


def _flat(options: list[Option]) -> list[Option]:
    """The types in a union, each with what is said of it."""
    found: list[Option] = []
    for kind, told in options:
        if _origin(kind) is Annotated:
            inner, *more = get_args(kind)
            found += _flat([(inner, (*more, *told))])
        elif _origin(kind) in {Union, types.UnionType}:
            found += _flat([(each, told) for each in get_args(kind)])
        else:
            found.append((kind, told))
    return found


def _origin(kind: Any) -> Any:
    return get_origin(kind)


def _is_map(kind: Any) -> bool:
    """Whether only keys and values can be read into it."""
    if not _is_model(kind):
        return _origin(kind) is dict
    readers = kind.__pydantic_decorators__.model_validators.values()
    return not any(each.info.mode == "before" for each in readers)


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _reads_itself(told: tuple[Any, ...]) -> bool:
    return any(isinstance(each, BeforeValidator) for each in told)


def _is_duration(told: tuple[Any, ...]) -> bool:
    return any(isinstance(each, BeforeValidator) and each.func is seconds_of for each in told)
