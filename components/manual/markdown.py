"""A manual as Markdown: one file that hosts show with its picture, and that stays readable as text."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never
from urllib.parse import quote

from components.manual.document import Code, Items, Link, Picture, Table, Text
from components.manual.drawing import mermaid
from terminal.markdown import code, fenced, safe
from terminal.visible import visible

if TYPE_CHECKING:
    from collections.abc import Iterator

    from components.manual.document import Block, Manual, Section, Words


def markdown(manual: Manual) -> str:
    """The file."""
    lines = [f"# {safe(visible(manual.title))}", ""]
    for block in manual.lead:
        lines += [*_block(block), ""]
    lines += ["## Contents", "", *(f"- [{safe(each.title)}](#{each.anchor})" for each in manual.sections), ""]
    for section in manual.sections:
        lines += _section(section, 2)
    return "\n".join(lines).rstrip("\n") + "\n"


def _section(section: Section, level: int) -> Iterator[str]:
    yield from (f"{'#' * level} {safe(visible(section.title))}", "")
    for block in section.blocks:
        yield from (*_block(block), "")
    for each in section.inner:
        yield from _section(each, level + 1)


def _block(block: Block) -> Iterator[str]:
    match block:
        case Text(words):
            yield _words(words)
        case Items(items):
            yield from (f"- {_words(each)}" for each in items)
        case Table(caption, head, rows):
            yield from (safe(visible(caption)), "")
            yield f"| {' | '.join(safe(each) for each in head)} |"
            yield f"|{' --- |' * len(head)}"
            yield from (f"| {' | '.join(_words(cell) for cell in row)} |" for row in rows)
        case Picture(flow):
            yield fenced(mermaid(flow), "mermaid")
        case _:
            assert_never(block)


def _words(words: Words) -> str:
    return "".join(_part(each) for each in words)


def _part(part: str | Code | Link) -> str:
    if isinstance(part, Code):
        return code(visible(part.text))
    if isinstance(part, Link):
        return f"[{safe(visible(part.text))}]({quote(visible(part.target), safe='/:#?&=%~+,;@.-_')})"
    return _spaced(visible(part))


def _spaced(text: str) -> str:
    """Spaces at the ends stay: words follow one another."""
    inner = safe(text)
    return f"{' ' if text[:1] == ' ' else ''}{inner}{' ' if text[-1:] == ' ' and inner else ''}"
