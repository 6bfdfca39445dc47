"""Mistakes in a stack file, all of them at once, each with its place, the value found and what to write instead."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, get_args

from components.model.keypath import within
from kube.errors import UsageError
from rollout.api.durations import duration_of, seconds_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pydantic import BaseModel, ValidationError
    from pydantic.fields import FieldInfo

_SHOWN = 60
_LOGIN = re.compile(r"://[^/@\s]*@")
"""Of a URL: a password is not repeated."""

_NO_MAP = ("is no map of keys and values", "write some under it, or {{}} for none")
_SAID = {
    "greater_than_equal": ("is too little", "at least {ge}"),
    "greater_than": ("is too little", "more than {gt}"),
    "less_than_equal": ("is too much", "at most {le}"),
    "less_than": ("is too much", "less than {lt}"),
    "int_from_float": ("is no whole number", "write one"),
    "int_parsing": ("is no whole number", "write one"),
    "int_parsing_size": ("is too much", "write fewer digits"),
    "int_type": ("is no whole number", "write one"),
    "float_parsing": ("is no number", "write one"),
    "float_type": ("is no number", "write one"),
    "bool_parsing": ("is neither true nor false", "write one of the two"),
    "bool_type": ("is neither true nor false", "write one of the two"),
    "string_type": ("is no text", "write one"),
    "string_too_short": ("is too short", "at least {min_length} characters"),
    "string_too_long": ("is too long", "at most {max_length} characters"),
    "string_pattern_mismatch": ("is not written as it must be", "it is of the form {pattern}"),
    "too_short": ("has too few entries", "at least {min_length}"),
    "too_long": ("has too many entries", "at most {max_length}"),
    "dict_type": _NO_MAP,
    "model_type": _NO_MAP,
    "model_attributes_type": _NO_MAP,
    "list_type": ("is no list", "write one, in brackets or with - in front of each entry"),
}
"""What pydantic finds by itself: in our words, and what to write instead."""


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing wrong: where (``components.redis.storage.size``), what was found, what is the matter, what to do.

    ``line`` is that of the file, 0 where it is not known; ``path`` is empty for what is said of the whole file.
    ``source`` is where it stands, if not where the others do.
    """

    path: str
    value: str
    problem: str
    fix: str = ""
    line: int = 0
    source: str = ""

    def __str__(self) -> str:
        where = f"{self.path}: " if self.path else ""
        found = f" (found {self.value})" if self.value else ""
        return f"{where}{self.problem}{found}" + (f"; {self.fix}" if self.fix else "")


class StackError(UsageError):
    """A stack file says something that cannot be meant.

    Attributes:
        mistakes: every one that was found, in the order of the file.
    """

    def __init__(self, source: str, mistakes: Iterable[Mistake]) -> None:
        self.source = source
        self.mistakes = tuple(sorted(mistakes, key=lambda mistake: (mistake.line, mistake.path)))
        lines = [f"{each.source or source}{f':{each.line}' if each.line else ''}: {each}" for each in self.mistakes]
        head = f"{source}: {len(lines)} mistakes"
        super().__init__(lines[0] if len(lines) == 1 else "\n  ".join([head, *lines]))


def shown(value: Any) -> str:
    """A value as an error may show it: short, and on one line."""
    text = json.dumps(value) if value is None or isinstance(value, bool) else repr(value)
    text = _LOGIN.sub("://…@", text)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def nearest(word: str, known: Sequence[str]) -> str:
    """``did you mean 'x'?`` where one of ``known`` is close, else the list of what is known."""
    begun = [each for each in known if len(each) > 1 and (word.startswith(each) or (word and each.startswith(word)))]
    same = [each for each in known if each.lower() == word.lower()]
    close = same or get_close_matches(word, known, n=1, cutoff=0.6) or begun[:1]
    return f"did you mean {close[0]!r}?" if close else f"known here: {', '.join(sorted(known)) or 'none'}"


def without_followers(found: list[Mistake], first: list[Mistake]) -> list[Mistake]:
    """``first``, and of ``found`` what is not said of the same values; of a value one thing alone."""
    kept = list(first)
    for each in found:
        followed = any(within(each.path, told.path) for told in first)
        if not followed and each.path not in {told.path for told in kept}:
            kept.append(each)
    return kept


def mistakes_of(error: ValidationError, model: type[BaseModel], path: str) -> list[Mistake]:
    """A pydantic error of ``model``, whose value stands at ``path``, in words of the stack file."""
    return [_mistake(entry, model, path) for entry in error.errors(include_url=False)]


def _mistake(entry: Any, model: type[BaseModel], path: str) -> Mistake:
    where = ".".join([path, *(str(part) for part in entry["loc"])])
    match entry["type"]:
        case "extra_forbidden":
            known = _keys_at(model, entry["loc"][:-1])
            fix = nearest(str(entry["loc"][-1]), known) if known else "remove it"
            return Mistake(where, shown(entry["input"]), "no such key", fix)
        case "missing":
            return Mistake(where, "", "is required", "add it")
        case "string_type" if isinstance(entry["input"], bool | int | float):
            return Mistake(where, shown(entry["input"]), "is no text", f"quote it: '{json.dumps(entry['input'])}'")
        case "string_type" if entry["input"] is None:
            return Mistake(where, "", "is empty", "give it a value ('' is an empty text), or leave it out")
        case "enum" | "literal_error":
            known = [word.strip("'") for word in entry["ctx"]["expected"].replace(" or ", ", ").split(", ")]
            fix = nearest(str(entry["input"]), known)
            return Mistake(where, shown(entry["input"]), f"is none of {', '.join(known)}", fix)
        case kind if kind in _SAID:
            problem, fix = _SAID[kind]
            limits = {name: _written(limit, entry, model) for name, limit in entry.get("ctx", {}).items()}
            return Mistake(where, shown(entry["input"]), problem, fix.format(**limits))
        case _:
            return Mistake(where, shown(entry["input"]), _plain(entry["msg"]))


def _written(limit: Any, entry: Any, model: type[BaseModel]) -> str:
    """A limit as the value is written: a duration with its unit."""
    field = _field_at(model, entry["loc"]) if entry["loc"] else None
    kinds = repr((field.annotation, field.metadata)) if field else ""
    return duration_of(limit) if seconds_of.__name__ in kinds else str(limit)


def _field_at(model: type[BaseModel], location: Sequence[Any]) -> FieldInfo | None:
    here: Any = model
    for part in location[:-1]:
        here = _descend(here, part)
        if here is None:
            return None
    return next((info for name, info in here.model_fields.items() if location[-1] in {name, info.alias}), None)


def _plain(message: str) -> str:
    text = message.removeprefix("Value error, ").removeprefix("Assertion failed, ")
    return text[:1].lower() + text[1:]


def _keys_at(model: type[BaseModel], location: Sequence[Any]) -> list[str]:
    here: Any = model
    for part in location:
        here = _descend(here, part)
        if here is None:
            return []
    return [info.alias or name for name, info in here.model_fields.items()]


def _descend(model: Any, part: Any) -> Any:
    if not isinstance(part, str):
        return model
    for name, info in model.model_fields.items():
        if part in {name, info.alias}:
            return _model_in(info.annotation)
    return model


def _model_in(annotation: Any) -> Any:
    if hasattr(annotation, "model_fields"):
        return annotation
    return next((found for inner in get_args(annotation) if (found := _model_in(inner)) is not None), None)
