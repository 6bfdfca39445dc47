"""What differs, as lines that a person reads: one for a plain value, the changed lines of a long one."""

from __future__ import annotations

import difflib
import json
from typing import TYPE_CHECKING, Any

from terminal.visible import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from review.reports.document import Difference, Touched

_SHORT = 100
_LONGEST_LINE, _MOST_LINES, _MOST_COMPARED = 300, 200, 4000
_CONTEXT = 2
_HEADER = 3
"""Lines of a unified difference before the first that differs: two names, and where it begins."""


def diff_of(change: Touched) -> list[str]:
    """Lines that begin with ``-``, ``+``, ``!`` (forces a replacement) or a blank, as the form ``diff`` has them."""
    return [line for edit in change.edits for line in lines_of(edit)]


def lines_of(edit: Difference) -> list[str]:
    """The lines of one field."""
    note = f"   # written by {edit.writer}" if edit.writer else ""
    head = [f"! {edit.path}: forces a replacement{note}"] if edit.replaces else []
    before, after = _written(edit.before), _written(edit.after)
    if max(len(before), len(after)) <= 1 and all(len(line) <= _SHORT for line in (*before, *after)):
        plain = [f"{sign} {edit.path}: {line}" for sign, side in (("-", before), ("+", after)) for line in side]
        return [*head, *plain[:-1], f"{plain[-1]}{'' if head else note}"] if plain else head
    return [*head, f"  {edit.path}:{'' if head else note}", *_limited(_changed(before, after))]


def _written(value: Any) -> list[str]:
    """A value in lines; none where there is no value."""
    if value is None:
        return []
    if isinstance(value, str):
        return value.split("\n") if "\n" in value else [value or '""']
    text = json.dumps(value, ensure_ascii=False)
    return [text] if len(text) <= _SHORT else json.dumps(value, ensure_ascii=False, indent=1).splitlines()


def _changed(before: Sequence[str], after: Sequence[str]) -> Iterator[str]:
    """The changed lines with their neighbours; texts too long to compare are shown from where they part."""
    if not before or not after:
        yield from (f"{'-' if before else '+'}   {_clipped(line)}" for line in (*before, *after))
        return
    old, new, skipped = _middle(before, after)
    if skipped:
        yield f"@@ {skipped} lines are the same @@"
    if len(old) + len(new) > _MOST_COMPARED:
        yield from (f"-   {_clipped(line)}" for line in old[: _MOST_LINES // 4])
        yield from (f"+   {_clipped(line)}" for line in new[: _MOST_LINES // 4])
        yield f"@@ {len(old)} lines before, {len(new)} after @@"
        return
    for number, line in enumerate(difflib.unified_diff(old, new, n=_CONTEXT, lineterm="")):
        if number < _HEADER:
            continue
        yield "@@" if line.startswith("@@") else f"{line[0]}   {_at_difference(line[1:], old, new)}"


def _middle(before: Sequence[str], after: Sequence[str]) -> tuple[list[str], list[str], int]:
    """Both without what is the same at the start and at the end, but for some lines of context; how many went."""
    start = 0
    shortest = min(len(before), len(after))
    while start < shortest and before[start] == after[start]:
        start += 1
    end = 0
    while end < shortest - start and before[-1 - end] == after[-1 - end]:
        end += 1
    first, last = max(0, start - _CONTEXT), max(0, end - _CONTEXT)
    return list(before[first : len(before) - last]), list(after[first : len(after) - last]), first


def _at_difference(line: str, old: Sequence[str], new: Sequence[str]) -> str:
    """A very long line: where the two part, if there is one of each."""
    if len(line) <= _LONGEST_LINE or len(old) != 1 or len(new) != 1:
        return _clipped(line)
    start = next((at for at, pair in enumerate(zip(old[0], new[0], strict=False)) if pair[0] != pair[1]), 0)
    first = max(0, start - _SHORT)
    return _clipped(f"{'…' if first else ''}{line[first:]}")


def _clipped(line: str) -> str:
    return line if len(line) <= _LONGEST_LINE else f"{line[:_LONGEST_LINE]}… ({len(line)} characters)"


def _limited(lines: Iterator[str]) -> Iterator[str]:
    for number, line in enumerate(lines):
        if number == _MOST_LINES:
            yield "@@ the rest is in the JSON form @@"
            return
        yield line


def shown(value: Any, most: int = _SHORT) -> str:
    """A value on one line, for a table."""
    if value is None:
        return "(not there)"
    return one_line(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False), most)
