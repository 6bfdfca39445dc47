"""Mistakes in a stack file, all of them at once, each with its place, the value found and what to write instead."""

from __future__ import annotations

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
    """One thing wrong: where (``components.redis.storage.size``), what was found, what is the matter, what to do."""

    path: str
    value: str
    problem: str
    fix: str = ""

    def __str__(self) -> str:
        found = f" (found {self.value})" if self.value else ""
        return f"{self.path}: {self.problem}{found}" + (f"; {self.fix}" if self.fix else "")


class StackError(UsageError):
    """A stack file says something that cannot be meant.

    Attributes:
        mistakes: every one that was found, in the order of the file's key paths.
    """

    def __init__(self, source: str, mistakes: Iterable[Mistake]) -> None:
        self.source = source
        self.mistakes = tuple(sorted(mistakes, key=lambda mistake: mistake.path))
        count = len(self.mistakes)
        head = f"{source}: {count} mistake{'s' if count > 1 else ''}"
        super().__init__("\n".join([head, *(f"  {mistake}" for mistake in self.mistakes)]))


def shown(value: Any) -> str:
    """A value as an error may show it: short, and on one line."""
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def nearest(word: str, known: Sequence[str]) -> str:
    """``did you mean 'x'?`` where one of ``known`` is close, else the list of what is known."""
    close = get_close_matches(word, known, n=1, cutoff=0.6)
    return f"did you mean {close[0]!r}?" if close else f"known here: {', '.join(sorted(known))}"


def mistakes_of(error: ValidationError, model: type[BaseModel], path: str) -> list[Mistake]:
    """A pydantic error of ``model``, whose value stands at ``path``, in words of the stack file."""
    return [_mistake(entry, model, path) for entry in error.errors(include_url=False)]


def _mistake(entry: Any, model: type[BaseModel], path: str) -> Mistake:
    where = ".".join([path, *(str(part) for part in entry["loc"])]) if entry["loc"] else path
    match entry["type"]:
        case "extra_forbidden":
            known = _keys_at(model, entry["loc"][:-1])
            fix = nearest(str(entry["loc"][-1]), known) if known else "remove it"
            return Mistake(where, shown(entry["input"]), "no such key", fix)
        case "missing":
            return Mistake(where, "", "is required", "add it")
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
