"""Where a value of Pulumi's configuration stands: in the stack file, or where Pulumi alone reads it.

Pulumi lays the values of ESC environments under those of the stack file, and takes another file with ``--config-file``.
These have no lines here, and a line of the wrong file would send a person astray.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from components.model.mistakes import Mistake, StackError
from components.stack.json_text import value_of
from components.stack.nodes import Document, Map, Scalar
from components.stack.reading import composed
from components.stack.sections import CONFIG, sealed, sections_of
from components.stack.stackfile import (
    PROJECT_PREFIX,
    StackFile,
    find,
    placed,
)
from kube.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_SECRETS = "secrets"


@dataclass(frozen=True, slots=True)
class Origin:
    """The configuration that Pulumi hands to the program, and the stack file, if that is what Pulumi reads.

    Attributes:
        stack: its name.
        sections: the keys ``grayling:*`` without their prefix, as values.
        file: None where Pulumi reads another one.
        source: what messages name.
    """

    stack: str
    sections: dict[str, Any]
    file: StackFile | None
    source: str

    @contextmanager
    def placing(self) -> Iterator[None]:
        """Within it, mistakes are told with the line of the stack file, or with where else they come from.

        Raises:
            StackError: the one that came up.
        """
        try:
            yield
        except StackError as error:
            if self.file is None or any(mistake.line for mistake in error.mistakes):
                raise
            raise StackError(self.source, self._told(error.mistakes, self.file.read())) from error

    def _told(self, mistakes: tuple[Mistake, ...], document: Document) -> list[Mistake]:
        config = {f"{PROJECT_PREFIX}{name}": value for name, value in self.sections.items()}
        try:
            handed = composed(json.dumps({CONFIG: config}, default=str, ensure_ascii=False), self.source)
        except StackError:  # characters that no stack file could hold
            return [replace(each, source=self._elsewhere(document)) for each in mistakes]
        here = tuple(each for each in mistakes if _stands_in(document, handed, each.path))
        elsewhere = [replace(each, source=self._elsewhere(document)) for each in mistakes if each not in here]
        return [*placed(here, document), *elsewhere]

    def _elsewhere(self, document: Document) -> str:
        esc = document.root.entries.get("environment") if isinstance(document.root, Map) else None
        if esc is None:
            return f"configuration of stack {self.stack}, not in {self.source}"
        return f"configuration of stack {self.stack}, from its Pulumi ESC environment ({self.source}:{esc.line})"


def origin_of(stack: str, config: Mapping[str, str]) -> Origin:
    """What Pulumi hands over for a stack, held against the stack file."""
    handed = {key: value_of(text) for key, text in sections_of(config).items()}
    try:
        file = find(stack)
        keys = file.keys()
    except UsageError:
        return Origin(stack, handed, None, f"configuration of stack {stack}")
    if keys <= config.keys() and _is_read(file, handed):
        return Origin(stack, handed, file, file.source)
    return Origin(stack, handed, None, f"configuration of stack {stack}, which is not {file.source}")


def _is_read(file: StackFile, handed: Mapping[str, Any]) -> bool:
    """Whether all that the file says is in what Pulumi hands over; what it says wrongly is for its reader to tell."""
    try:
        own = sections_of(file.document()[CONFIG])
    except UsageError:
        return True
    return all(name == _SECRETS or _within(value, handed.get(name)) for name, value in own.items())


def _within(own: Any, handed: Any) -> bool:
    if isinstance(own, dict):
        return isinstance(handed, dict) and all(_within(value, handed.get(key)) for key, value in own.items())
    return bool(own == handed)


def _stands_in(document: Document, handed: Document, path: str) -> bool:
    """Whether the value that a mistake is about, or what it is missing in, is one of the file's."""
    while path:
        found, own = handed.place(path)[2], document.place(path)[2]
        if found is not None:
            if isinstance(found, Scalar):
                return (isinstance(own, Scalar) and own.value == found.value) or (own is not None and sealed(own))
            return own is not None
        path = path.rpartition(".")[0]
    return True
