"""A whole value of a stack file, map or list too, put in the place of another one: no other byte changes.

What is short stays on its line; what has lines of its own is written as a block, texts of several lines with ``|``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from components.stack.edits import STEP, flow, key_text, own, refused, says, with_entry, with_value
from components.stack.nodes import Map, Scalar
from components.stack.reading import composed

if TYPE_CHECKING:
    from components.stack.nodes import Document, Entry, Node

WIDE = 110
"""Columns that a value on one line may reach."""


class _Dumper(yaml.SafeDumper):
    """Texts of several lines as blocks, nothing as an alias, items indented below their key."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - as the base class has it
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002
        super().increase_indent(flow, False)  # noqa: FBT003


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)


def with_node(document: Document, parts: tuple[str, ...], value: Any) -> str:
    """The text with ``value``, whatever it is, at ``parts``; the map above it must be there.

    Raises:
        StackError: it cannot be put there alone.
    """
    if not _is_there(document, parts):
        text = with_entry(document, parts, "")
        return _replaced(composed(text, document.source), parts, value, document)
    if isinstance(value, str) and "\n" not in value and isinstance(own(document, parts).node, Scalar):
        return with_value(document, parts, value)
    return _replaced(document, parts, value, document)


def _is_there(document: Document, parts: tuple[str, ...]) -> bool:
    *above, key = parts
    node: Node | None = own(document, tuple(above)).node if above else document.root
    return isinstance(node, Map) and key in node.entries


def _replaced(document: Document, parts: tuple[str, ...], value: Any, before: Document) -> str:
    entry = own(document, parts)
    for start, written in _forms(document, parts, entry, value):
        end = entry.end
        while end > start and document.text[end - 1] in "\r\n":
            end -= 1  # the end of a text in a block is where the next line begins
        text = document.text[:start] + written + document.text[end:]
        if says(text, before, parts, value):
            return text
    raise refused(before, parts, "cannot be changed where it stands; change it by hand", entry.line)


def _forms(document: Document, parts: tuple[str, ...], entry: Entry, value: Any) -> list[tuple[int, str]]:
    """Where the new text begins and what it is, the better one first."""
    parent = own(document, parts[:-1]).node if len(parts) > 1 else document.root
    short = (entry.start, f"{key_text(parts[-1])}: {flow(value)}")
    block = (entry.start, _block(parts[-1], value, entry.column))
    if isinstance(parent, Map) and parent.flow:
        return [short]
    fits = entry.column + len(short[1]) <= WIDE and not isinstance(value, str)
    return [short, block] if fits and not isinstance(value, dict) else [block, short]


def _block(key: str, value: Any, column: int) -> str:
    dumped = yaml.dump({key: value}, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=WIDE, indent=STEP)
    first, *rest = dumped.rstrip("\n").split("\n")
    return "\n".join([first, *(f"{' ' * column}{line}" if line else "" for line in rest)])
