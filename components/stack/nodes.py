"""A YAML document as a tree that knows where everything stands: what its reader makes, and its editors need."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from components.model.keypath import after, keypath

if TYPE_CHECKING:
    from collections.abc import Iterator

    from components.model.keypath import Part
    from components.model.mistakes import Mistake


@dataclass(slots=True, eq=False)
class Scalar:
    """One value; ``text`` as it is read, ``value`` as it is meant, and where it stands (anchor and tag included)."""

    line: int
    start: int
    end: int
    text: str
    value: Any
    plain: bool
    size: int = 1
    depth: int = 1


@dataclass(slots=True, eq=False)
class Entry:
    """A value under its key.

    Attributes:
        line: of the key, from 1. ``column``: of the key, from 0. ``start``: where the key begins.
        end: where the value ends as it is written here.
        alias: the value stands elsewhere, under an anchor. ``merged``: the whole entry does, and came through ``<<``.
    """

    line: int
    column: int
    start: int
    end: int
    node: Node
    alias: bool = False
    merged: bool = False


@dataclass(slots=True, eq=False)
class Map:
    """Keys and values, in the order of the file."""

    line: int
    start: int
    end: int
    flow: bool
    entries: dict[str, Entry] = field(default_factory=dict)
    size: int = 1
    depth: int = 1


@dataclass(slots=True, eq=False)
class List:
    """Items, each with the line on which it is written."""

    line: int
    start: int
    end: int
    flow: bool
    items: list[Node] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    size: int = 1
    depth: int = 1


Node: TypeAlias = Scalar | Map | List


def plain(node: Node) -> Any:
    """The value as dicts, lists and scalars; what stands under an anchor comes again at each alias."""
    match node:
        case Map():
            return {key: plain(entry.node) for key, entry in node.entries.items()}
        case List():
            return [plain(item) for item in node.items]
        case Scalar():
            return node.value


@dataclass(slots=True, eq=False)
class Document:
    """A file that was read.

    Attributes:
        text: the file without its byte order mark. ``root``: None where it says nothing.
        mistakes: what is wrong, but does not hinder reading on.
        aliases: per anchored node (by ``id``) the lines that name it.
    """

    source: str
    text: str
    root: Node | None = None
    mistakes: list[Mistake] = field(default_factory=list)
    aliases: dict[int, list[int]] = field(default_factory=dict)

    def place(self, path: str) -> tuple[int, str, Node | None]:
        """Line, key path as it is written everywhere, and the value there, for a path as a message has it.

        Where the path leads further than the file does, it is the line of the last key that is there; at least that of
        ``config``.
        """
        for start, parts in self._roots():
            rest = after(path, start)
            if rest is not None:
                entry = self._entry(parts)
                if entry is not None:
                    return self._down(entry, parts, rest)
        config = self.root.entries.get("config") if isinstance(self.root, Map) else None
        return config.line if config else 1, path, None

    def _roots(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        """How a path may begin: with a key of ``config``, without its namespace too, or with one beside it."""
        if not isinstance(self.root, Map):
            return
        config = self.root.entries.get("config")
        if config is not None and isinstance(config.node, Map):
            for key in sorted(config.node.entries, key=len, reverse=True):
                yield key, ("config", key)
                if ":" not in key:
                    yield f"grayling:{key}", ("config", key)
        for key in self.root.entries:
            yield key, (key,)

    def _entry(self, parts: tuple[str, ...]) -> Entry | None:
        here: Node | None = self.root
        entry: Entry | None = None
        for part in parts:
            entry = here.entries.get(part) if isinstance(here, Map) else None
            here = entry.node if entry else None
        return entry

    def _down(self, entry: Entry, parts: tuple[str, ...], rest: str) -> tuple[int, str, Node | None]:
        line, node = entry.line, entry.node
        found: tuple[Part, ...] = parts
        while rest:
            step = _step(node, rest)
            if step is None:
                break
            part, line, node, rest = step
            found = (*found, part)
        whole = keypath(*found)
        if found[0] == "config" and len(parts) > 1 and ":" not in parts[1]:
            whole = f"grayling:{whole}"
        if isinstance(node, Scalar):
            return line, whole, node  # what is left names a type that the value might have had
        return line, f"{whole}{rest}", None if rest else node


def _step(node: Node, rest: str) -> tuple[Part, int, Node, str] | None:
    if isinstance(node, Map):
        for key in sorted(node.entries, key=len, reverse=True):
            left = after(rest, key)
            if left is not None:
                return key, node.entries[key].line, node.entries[key].node, left
    if isinstance(node, List):
        for index, item in enumerate(node.items):
            left = after(rest, index)
            if left is not None:
                return index, node.lines[index], item, left
    return None
