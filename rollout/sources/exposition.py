"""Reading the few wanted families out of a page in Prometheus' text format, fast, whatever the page holds.

A release samples every pod four times a second, so this is the hottest code of a source. Measured on a page of 362
lines (19 kB, 67 of them wanted), best of 60: prometheus_client's parser 3,690 µs, one regular expression over the page
155 µs, jumping from name to name 108 µs, splitting into lines and looking at their beginnings 45 µs. The last is used;
what stands before the value of a line is the same scrape after scrape, so its labels are parsed once and remembered.
Names, labels and values of that page together take 86 µs.

Whoever writes the page may be hostile. No expression here goes back over what it has read (their repetitions are
possessive), so the work is linear in the characters; how many there may be says :mod:`rollout.sources.budget`. What is
remembered is bounded in bytes.
"""

from __future__ import annotations

import asyncio
import re
from hashlib import blake2b
from typing import TYPE_CHECKING, NamedTuple

from rollout.sources.budget import (
    FEW_SERIES,
    LONGEST_LINE,
    MOST_LABELS,
    MOST_LABELS_IN_ALL,
    MOST_LINES,
    MOST_SERIES,
    SLICE,
    over,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_INSIDE = r'(?:[^"\\]|\\.)*+'
_HEAD = re.compile(rf'([a-zA-Z_:][a-zA-Z0-9_:]*+)[ \t]*+(?:\{{((?:[^"}}]|"{_INSIDE}")*+)\}})?')
_NAME = re.compile(r"[a-zA-Z0-9_:]*+")
_LABEL = re.compile(rf'[ \t]*+([a-zA-Z_][a-zA-Z0-9_]*+)[ \t]*+=[ \t]*+"({_INSIDE})"[ \t]*+(?:,[ \t]*+|$)')
_HEAD_BYTES, _LABEL_BYTES = 300, 180
_ESCAPED = re.compile(r"\\(.)")

MOST_REMEMBERED = 16 * 2**20
"""Bytes, about, of all the line beginnings that are remembered."""

LONGEST_REMEMBERED = 1_024
"""Characters of one."""


class Labels(dict[str, str]):
    """The labels of a series, and what tells it from the others of its family.

    Attributes:
        series: the same for the same labels, in whatever order a page has them; short, because it is remembered.
    """

    __slots__ = ("series",)

    def __init__(self, labels: Mapping[str, str]) -> None:
        super().__init__(labels)
        self.series = blake2b(repr(sorted(self.items())).encode(), digest_size=16).digest()


class Sample(NamedTuple):
    """One line: name, labels and value."""

    name: str
    labels: Mapping[str, str]
    value: float


_Head = tuple[str, Labels]
_NOTHING: _Head = ("", Labels({}))


def samples(text: str, names: tuple[str, ...]) -> list[Sample]:
    """The samples of the families called ``names``, in the order of the page; a line that is none is left out.

    Raises:
        OverBudgetError: the page has more lines, series or labels than are read of anybody.
    """
    found: list[Sample] = []
    for part in _slices(text):
        _read(part, names, found)
    return found


async def samples_in_turns(text: str, names: tuple[str, ...]) -> list[Sample]:
    """The same; others have their turn after each :data:`~rollout.sources.budget.SLICE` of the page.

    Raises:
        OverBudgetError: the page has more lines, series or labels than are read of anybody.
    """
    found: list[Sample] = []
    for number, part in enumerate(_slices(text)):
        if number:
            await asyncio.sleep(0)
        _read(part, names, found)
    return found


def declares(text: str, name: str) -> bool:
    """Whether the page has the family, even when nothing of it was counted yet (its ``# TYPE`` line alone)."""
    return f"# TYPE {name} " in text or f"# TYPE {name.removesuffix('_total')} " in text


def _slices(text: str) -> Iterator[str]:
    """The page in parts that end with a line.

    Raises:
        OverBudgetError: it has too many lines.
    """
    if len(text) <= SLICE:
        yield text
        return
    if (lines := text.count("\n")) > MOST_LINES:
        raise over("lines", lines, MOST_LINES)
    begin = 0
    while begin < len(text):
        end = text.find("\n", begin + SLICE)
        end = len(text) if end < 0 else end + 1
        yield text[begin:end]
        begin = end


def _read(part: str, names: tuple[str, ...], found: list[Sample]) -> None:
    """Add the samples of a part of a page to those that were found."""
    for line in part.split("\n"):
        if line.startswith(names):
            sample = _sample(line, names)
            if sample is not None:
                found.append(sample)
    if len(found) > MOST_SERIES:
        raise over(f"series of {names[0]}", len(found), MOST_SERIES)
    if len(found) > FEW_SERIES and (labels := sum(len(sample.labels) for sample in found)) > MOST_LABELS_IN_ALL:
        raise over(f"labels of the series of {names[0]}", labels, MOST_LABELS_IN_ALL)


def _sample(line: str, names: tuple[str, ...]) -> Sample | None:
    head, _, number = line.rstrip("\r").rpartition(" ")
    known = _known.get(head)
    if known is None:
        if len(line) > LONGEST_LINE:
            _refuse(line, names)
            return None
        if not (head.endswith("}") or head in names) or " # {" in head:
            head, number = _apart(line)
        known = _remembered(head)
    name, labels = known
    if name not in names:
        return None
    try:
        return Sample(name, labels, float(number))
    except ValueError:
        return None


def _refuse(line: str, names: tuple[str, ...]) -> None:
    """Nothing to refuse where a line that is too long is of another family that is called alike.

    Raises:
        OverBudgetError: it is of one of these.
    """
    name = _NAME.match(line)
    if name is not None and name[0] in names:
        raise over(f"characters in a line of {name[0]}", len(line), LONGEST_LINE)


def _apart(line: str) -> tuple[str, str]:
    """Head and value of a line that goes on after the value: with a time stamp or an exemplar."""
    match = _HEAD.match(line)
    rest = line[match.end() :].split(None, 1) if match else []
    return (match.group() if match else "", rest[0] if rest else "")


class _Remembered(dict[str, _Head]):
    """Beginnings of lines; all are forgotten when they are too many, and those in use are soon known again."""

    size = 0

    def add(self, head: str, parsed: _Head) -> None:
        if len(head) > LONGEST_REMEMBERED:
            return
        if self.size > MOST_REMEMBERED:
            self.clear()
            self.size = 0
        self[head] = parsed
        self.size += len(head) + _HEAD_BYTES + _LABEL_BYTES * len(parsed[1])


_known = _Remembered()


def _remembered(head: str) -> _Head:
    known = _known.get(head)
    if known is None:
        known = _series(head)
        _known.add(head, known)
    return known


def _series(head: str) -> _Head:
    """Name and labels; no name where it is no beginning of a sample."""
    match = _HEAD.fullmatch(head)
    if match is None:
        return _NOTHING
    text, labels, at = (match[2] or "").strip(), {}, 0
    while at < len(text):
        label = _LABEL.match(text, at)
        if label is None or label[1] in labels:
            return _NOTHING
        labels[label[1]] = _unescape(label[2])
        if len(labels) > MOST_LABELS:
            raise over(f"labels of {match[1]}", len(labels), MOST_LABELS)
        at = label.end()
    return match[1], Labels(labels)


def _unescape(inside: str) -> str:
    return _ESCAPED.sub(lambda match: "\n" if match[1] == "n" else match[1], inside) if "\\" in inside else inside
