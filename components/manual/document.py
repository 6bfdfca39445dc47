"""What a manual consists of: sections of text, lists, tables and a picture; each form writes the same ones."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from terminal.markdown import quoted

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from components.manual.flow import Flow


@dataclass(frozen=True, slots=True)
class Code:
    """Text as it is, to be copied."""

    text: str


@dataclass(frozen=True, slots=True)
class Link:
    """A way to another place: a section of the manual (``#…``), or a page."""

    text: str
    target: str


Part: TypeAlias = "str | Code | Link"
Words: TypeAlias = tuple[Part, ...]
Cell: TypeAlias = "Part | Words"


@dataclass(frozen=True, slots=True)
class Text:
    """A paragraph."""

    words: Words


@dataclass(frozen=True, slots=True)
class Items:
    """A list."""

    items: tuple[Words, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under a head, and what they are."""

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[Words, ...], ...]


@dataclass(frozen=True, slots=True)
class Picture:
    """The landscape, drawn."""

    flow: Flow


Block: TypeAlias = "Text | Items | Table | Picture"


@dataclass(frozen=True, slots=True)
class Section:
    """A title, what stands below it, and the sections within."""

    title: str
    blocks: tuple[Block, ...] = ()
    inner: tuple[Section, ...] = ()

    @property
    def anchor(self) -> str:
        """How links name it; no two sections of a manual have the same title."""
        return anchor(self.title)


@dataclass(frozen=True, slots=True)
class Manual:
    """All of it."""

    title: str
    lead: tuple[Block, ...]
    sections: tuple[Section, ...] = field(default=())


def anchor(title: str) -> str:
    """As hosts of Markdown make it of a heading."""
    return re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-")


def words(*cells: Cell) -> Words:
    """One run of words out of several."""
    return tuple(part for cell in cells for part in (cell if isinstance(cell, tuple) else (cell,)))


def prose(sentence: str) -> Words:
    """A sentence of ours; what stands in backticks is code."""
    return tuple(Code(text) if is_code else text for is_code, text in quoted(sentence))


def text(sentence: str) -> Text:
    """A paragraph of ours."""
    return Text(prose(sentence))


def listed(cells: Iterable[Cell], nothing: str = "none") -> Words:
    """One after the other, with commas."""
    found: list[Part] = []
    for cell in cells:
        found += [", "] if found else []
        found += words(cell)
    return tuple(found) or (nothing,)


def table(caption: str, head: Sequence[str], rows: Iterable[Sequence[Cell]], nothing: str) -> Block:
    """The table, or the sentence that says that there is nothing to tell."""
    made = tuple(tuple(words(cell) for cell in row) for row in rows)
    return Table(caption, tuple(head), made) if made else text(nothing)
