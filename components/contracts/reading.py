"""A document out of a file of a project: bounded in size and depth, with every key once, and without aliases.

The readers of other people's documents take more than a stack file does: ``200:`` as a key, a date as an example. What
no reader takes twice the same way is refused: a key that stands twice, an alias, a second document.
"""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any

import yaml

from components.model.keypath import keypath
from kube.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from components.model.keypath import Part

MOST_BYTES = 512 * 1024
"""Documents of one service share a ConfigMap, which takes 1 MiB."""

DEEPEST = 60
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class ContractError(UsageError, ValueError):
    """A document that is none; the text names file, line or key, and the way out."""


def text_of(project: Path, name: str) -> str:
    """What a file of the project holds.

    Raises:
        ContractError: it is not there, leads out of the project, is too long, or no text.
    """
    path = project / name
    try:
        if not path.resolve().is_relative_to(project.resolve()):
            raise ContractError(f"{name}: leads out of the project; copy the document into it")
        if not path.is_file():
            raise ContractError(f"{name}: there is no such file in the project; paths start at its folder")
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise ContractError(f"{name}: {error.strerror or error}") from error
    if len(data) > MOST_BYTES:
        raise ContractError(f"{name}: is longer than {MOST_BYTES} bytes; split it by services, or leave examples out")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise ContractError(f"{name}: is no text in UTF-8 (byte {error.start}); write it in UTF-8") from error


def document_in(text: str, name: str) -> Any:
    """The one document in a text, JSON or YAML.

    Raises:
        ContractError: it is none.
    """
    if len(text) > MOST_BYTES:
        raise ContractError(f"{name}: is longer than {MOST_BYTES} characters; split it, or leave examples out")
    try:
        if name.endswith(".json"):
            return json.loads(text, object_pairs_hook=lambda pairs: _once(pairs, name), parse_constant=_no_number)
        return _Builder(name).built(text)
    except json.JSONDecodeError as error:
        raise ContractError(f"{name}:{error.lineno}: is no JSON: {error.msg}") from error
    except RecursionError as error:
        raise ContractError(f"{name}: is nested too deeply; make it flatter") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        said = getattr(error, "problem", "") or str(error)
        raise ContractError(f"{name}{line}: is no YAML: {said}") from error


def _once(pairs: list[tuple[str, Any]], name: str) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        keys = [key for key, _ in pairs]
        again = next(key for key in keys if keys.count(key) > 1)
        raise ContractError(f"{name}: the key {again!r} is given twice in one map; keep one")
    return made


def _no_number(word: str) -> Any:
    raise json.JSONDecodeError(f"{word} is no number", word, 0)


class _Builder:
    """Values out of the events of a parser; no deeper than it may be, and nothing twice."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.scalars = yaml.SafeLoader("")
        self.root: Any = None
        self.open: list[Any] = []
        self.keys: list[str | None] = []
        self.labels: list[Part] = []
        self.documents = 0

    def built(self, text: str) -> Any:
        """The document."""
        for event in yaml.parse(text, Loader=_LOADER):
            self._take(event)
        return self.root

    def _take(self, event: Any) -> None:
        match event:
            case yaml.DocumentStartEvent():
                self.documents += 1
                if self.documents > 1:
                    raise self._refusal(event, "a second document begins; keep one in a file")
            case yaml.AliasEvent():
                raise self._refusal(event, f"*{event.anchor} is an alias; write the value out, or use $ref")
            case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                made: Any = {} if isinstance(event, yaml.MappingStartEvent) else []
                here = self._here()
                self._put(event, made)
                if len(self.open) >= DEEPEST:
                    raise self._refusal(event, f"is nested more than {DEEPEST} deep; make it flatter")
                self.open.append(made)
                self.keys.append(None)
                self.labels += here
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                self.open.pop()
                self.keys.pop()
                del self.labels[len(self.open) - 1 if self.open else 0 :]
            case yaml.ScalarEvent():
                self._scalar(event)

    def _scalar(self, event: Any) -> None:
        if self.open and isinstance(self.open[-1], dict) and self.keys[-1] is None:
            if event.value in self.open[-1]:
                raise self._refusal(event, f"the key {event.value!r} is given twice; keep one")
            self.keys[-1] = event.value
            return
        self._put(event, self._value(event))

    def _value(self, event: Any) -> Any:
        tag = event.tag
        if tag is None or tag == "!":
            tag = self.scalars.resolve(yaml.ScalarNode, event.value, event.implicit)  # type: ignore[no-untyped-call]
        node = yaml.ScalarNode(tag, event.value, event.start_mark, event.end_mark, event.style)
        try:
            made = self.scalars.construct_object(node)
        except (ValueError, OverflowError):
            return event.value
        if isinstance(made, dt.date | bytes):
            return event.value
        return made

    def _put(self, event: Any, value: Any) -> None:
        if not self.open:
            self.root = value
        elif isinstance(self.open[-1], list):
            self.open[-1].append(value)
        elif self.keys[-1] is None:
            raise self._refusal(event, "a map or list stands as a key; a key is a text")
        else:
            self.open[-1][self.keys[-1]] = value
            self.keys[-1] = None

    def _here(self) -> list[Part]:
        """The key or position that the next value stands under; nothing at the top."""
        if not self.open:
            return []
        if isinstance(self.open[-1], list):
            return [len(self.open[-1])]
        return [self.keys[-1]] if self.keys[-1] is not None else []

    def _refusal(self, event: Any, said: str) -> ContractError:
        here = [*self.labels, *self._here()]
        where = f" {keypath(*here)}:" if here else ""
        return ContractError(f"{self.name}:{event.start_mark.line + 1}:{where} {said}")
