"""From the events of a YAML parser to a tree: keys, aliases, merges and tags, and what is wrong with each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import yaml

from components.model.keypath import keypath
from components.model.mistakes import Mistake, StackError
from components.stack.nodes import (
    Entry,
    List,
    Map,
    Scalar,
)
from components.stack.scalars import means_another, resolved

if TYPE_CHECKING:
    from components.model.keypath import Part
    from components.stack.nodes import Document, Node

DEEPEST = 100
MOST_BY_ALIASES = 100_000
MERGE = "<<"
_TAG = "tag:yaml.org,2002:"
_SAYS = {
    "null": "empty",
    "bool": "true or false",
    "int": "a number",
    "float": "a number",
    "date": "a date",
    "endless": "a number",
}
_NO_TEXT = "\0"
_TAGS = {"null": {"null"}, "bool": {"bool"}, "int": {"int"}, "float": {"int", "float"}}
Event: TypeAlias = Any


@dataclass(slots=True)
class _Open:
    """A map or list that is not at its end yet."""

    node: Map | List
    anchor: str | None
    key: str | None = None
    key_event: Event = None
    merges: list[tuple[int, Node]] | None = None


class Composer:
    """Builds one document out of events."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self._open: list[_Open] = []
        self._anchors: dict[str, Node | None] = {}
        self._documents = 0
        self._written = 0

    def take(self, event: Event) -> None:
        """One event.

        Raises:
            StackError: the document cannot be read any further.
        """
        match event:
            case yaml.DocumentStartEvent():
                self._documents += 1
                if self._documents > 1:
                    raise self._refusal(event, "a second document begins", "keep one in a file")
            case yaml.ScalarEvent():
                self._scalar(event)
            case yaml.AliasEvent():
                self._alias(event)
            case yaml.MappingStartEvent():
                self._begin(event, Map(_line(event), *_span(event), bool(event.flow_style)))
            case yaml.SequenceStartEvent():
                self._begin(event, List(_line(event), *_span(event), bool(event.flow_style)))
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                self._end(event)

    # ------------------------------------------------------------------ values

    def _scalar(self, event: Event) -> None:
        here = self._open[-1] if self._open else None
        if here is not None and isinstance(here.node, Map) and here.key is None:
            self._key(here, event)
            return
        self._written += 1
        if _NO_TEXT in event.value:
            self._note(event, "has the character U+0000, which no program takes", "leave it out")
        node = Scalar(_line(event), *_span(event), event.value, event.value, _bare(event))
        node.value = self._meaning(event)
        if event.anchor:
            self._anchors[event.anchor] = node
        self._put(node, event)

    def _meaning(self, event: Event) -> Any:
        tag = event.tag
        if tag == f"{_TAG}str" or (tag in {None, "!"} and not _bare(event)):
            return event.value
        kind, value = resolved(event.value)
        if tag not in {None, "!"} and kind not in _TAGS.get(tag.removeprefix(_TAG), set()):
            self._note(event, f"nothing reads the tag {_short(tag)}", "remove it")
            return event.value
        if kind == "date":
            self._note(event, "is a date to YAML", f"quote it: '{event.value}'", event.value)
        if kind == "endless":
            self._note(event, "is no number that ends", "write one that does", event.value)
        return value

    def _alias(self, event: Event) -> None:
        here = self._open[-1] if self._open else None
        if here is not None and isinstance(here.node, Map) and here.key is None:
            raise self._refusal(event, f"*{event.anchor} as a key", "write the key out")
        if event.anchor not in self._anchors:
            raise self._refusal(event, f"*{event.anchor} names no anchor before it", "write the value out")
        node = self._anchors[event.anchor]
        if node is None:
            raise self._refusal(event, f"*{event.anchor} stands within &{event.anchor} itself", "write the value out")
        self.document.aliases.setdefault(id(node), []).append(_line(event))
        self._put(node, event, alias=True)

    def _begin(self, event: Event, node: Map | List) -> None:
        here = self._open[-1] if self._open else None
        if here is not None and isinstance(here.node, Map) and here.key is None:
            raise self._refusal(event, "a map or list as a key", "a key is a text")
        if len(self._open) >= DEEPEST:
            raise self._refusal(event, f"nested more than {DEEPEST} deep", "make it flatter")
        if event.tag is not None and event.tag not in {"!", f"{_TAG}{'map' if isinstance(node, Map) else 'seq'}"}:
            self._note(event, f"nothing reads the tag {_short(event.tag)}", "remove it")
        self._written += 1
        if event.anchor:
            self._anchors[event.anchor] = None
        self._open.append(_Open(node, event.anchor))

    def _end(self, event: Event) -> None:
        done = self._open.pop()
        node = done.node
        if node.flow:  # the end of a block comes only where the next thing begins
            node.end = event.end_mark.index
        if isinstance(node, Map) and done.merges:
            _merge(node, done.merges)
            self._bounded(node, event)
        if done.anchor:
            self._anchors[done.anchor] = node
        self._put(node, event)

    # ------------------------------------------------------------------ where they go

    def _key(self, here: _Open, event: Event) -> None:
        here.key, here.key_event = event.value, event
        if event.tag not in {None, "!", f"{_TAG}str", f"{_TAG}merge"}:
            self._note(event, f"nothing reads the tag {_short(event.tag)} of a key", "remove it")
            return
        if _merges(event):
            return
        bare = _bare(event) and event.tag != f"{_TAG}str"
        kind, _ = resolved(event.value) if bare else ("text", None)
        shown = event.value or '""'
        if kind != "text":
            self._note(event, f"the key {shown} is {_SAYS[kind]} to YAML", f"quote it: '{event.value}'")
        elif bare and means_another(event.value):
            self._note(event, f"the key {shown} is true or false to some readers", f"quote it: '{event.value}'")

    def _put(self, node: Node, event: Event, *, alias: bool = False) -> None:
        if not self._open:
            self.document.root = node
            return
        here = self._open[-1]
        parent = here.node
        if isinstance(parent, List):
            parent.items.append(node)
            parent.lines.append(_line(event) if alias else node.line)
            parent.end = max(parent.end, event.end_mark.index if alias else node.end)
        else:
            self._enter(here, parent, node, event, alias=alias)
        parent.size += node.size
        parent.depth = max(parent.depth, node.depth + 1)
        if alias:
            self._bounded(parent, event)

    def _enter(self, here: _Open, parent: Map, node: Node, event: Event, *, alias: bool) -> None:
        key, key_event = here.key, here.key_event
        assert key is not None  # noqa: S101 - for the type checker
        end = event.end_mark.index if alias else node.end
        parent.end = max(parent.end, end)
        line = key_event.start_mark.line + 1
        if _merges(key_event):
            if not _maps(node, alias=alias):
                raise self._refusal(key_event, "<< takes a map that stands under an anchor", "write it like <<: *name")
            if here.merges:
                self._note(key_event, f"is given twice, in lines {here.merges[0][0]} and {line}", "write <<: [*a, *b]")
            here.merges = [*(here.merges or []), (line, node)]
        elif key in parent.entries:
            first = parent.entries[key].line
            self._note(key_event, f"is given twice, in lines {first} and {line}", "keep one")
        else:
            mark = key_event.start_mark
            parent.entries[key] = Entry(line, mark.column, mark.index, end, node, alias=alias)
        here.key = here.key_event = None

    def _bounded(self, node: Node, event: Event) -> None:
        """Sizes add up as values are put in, so that an alias counts as what it stands for."""
        if node.size > MOST_BY_ALIASES + self._written or node.depth > DEEPEST:
            raise self._refusal(event, "aliases that unfold to more than a file may hold", "write the values out")

    # ------------------------------------------------------------------ what is said

    def _note(self, event: Event, problem: str, fix: str, value: str = "") -> None:
        parts = self._path()
        if any(isinstance(part, str) and part.endswith("secrets") for part in parts):
            value, fix = "", fix.partition(":")[0]
        self.document.mistakes.append(Mistake(keypath(*parts), value, problem, fix, _line(event)))

    def _path(self) -> list[Part]:
        parts: list[Part] = []
        for each in self._open:
            if isinstance(each.node, List):
                parts.append(len(each.node.items))
            elif each.key is not None:
                parts.append(each.key)
        return parts

    def _refusal(self, event: Event, problem: str, fix: str) -> StackError:
        return StackError(self.document.source, [Mistake(keypath(*self._path()), "", problem, fix, _line(event))])


def _line(event: Event) -> int:
    return int(event.start_mark.line) + 1


def _span(event: Event) -> tuple[int, int]:
    return event.start_mark.index, event.end_mark.index


def _bare(event: Event) -> bool:
    return not event.style


def _short(tag: str) -> str:
    return tag.replace(_TAG, "!!", 1)


def _merges(event: Event) -> bool:
    return event.value == MERGE and _bare(event) and event.tag != f"{_TAG}str"


def _maps(node: Node, *, alias: bool) -> bool:
    """Whether it can be merged: a map, or a list of maps that is written out."""
    several = isinstance(node, List) and not alias and all(isinstance(item, Map) for item in node.items)
    return isinstance(node, Map) or several


def _merge(node: Map, merges: list[tuple[int, Node]]) -> None:
    for line, source in merges:
        for each in source.items if isinstance(source, List) else [source]:
            assert isinstance(each, Map)  # noqa: S101 - for the type checker
            for key, entry in each.entries.items():
                if key not in node.entries:
                    node.entries[key] = Entry(line, entry.column, entry.start, entry.end, entry.node, merged=True)
