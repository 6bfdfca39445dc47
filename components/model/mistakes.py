"""Mistakes in a stack file, all of them at once, each with its place, the value found and what to write instead."""

from __future__ import annotations

import json
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, get_args

from kube.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pydantic import BaseModel, ValidationError

_SHOWN = 60


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
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def nearest(word: str, known: Sequence[str]) -> str:
    """``did you mean 'x'?`` where one of ``known`` is close, else the list of what is known."""
    begun = [each for each in known if len(each) > 1 and (word.startswith(each) or (word and each.startswith(word)))]
    close = get_close_matches(word, known, n=1, cutoff=0.6) or begun[:1]
    return f"did you mean {close[0]!r}?" if close else f"known here: {', '.join(sorted(known)) or 'none'}"


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
        case _:
            return Mistake(where, shown(entry["input"]), _plain(entry["msg"]))


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
