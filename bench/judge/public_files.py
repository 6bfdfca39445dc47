"""Files of public recordings, read and checked: what is wrong is told in one line, with its place and what to do."""

from __future__ import annotations

import csv
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from bench.judge.world import Floats


class DataError(ValueError):
    """What is wrong with the data, in one line: file, place, value, and what to do."""


def petshop(file: Path) -> tuple[Floats, dict[str, dict[str, Floats]]]:
    """Times of the points, and by component and column (`latency p50`) its values, NaN where there is none."""
    head, rows = _rows(file, "microservice", 3)
    names = [" ".join(each) for each in zip(head[1][1:], head[2][1:], strict=True)]
    told = [f"{component} {name}" for component, name in zip(head[0][1:], names, strict=True)]
    values = np.array([[_number(file, line, told, row, at) for at in range(len(row))] for line, row in rows])
    at = values[:, 0] if values.size else np.zeros(0)
    _rising(file, [line for line, _ in rows], at)
    table: dict[str, dict[str, Floats]] = {}
    for column, (component, name) in enumerate(zip(head[0][1:], names, strict=True), start=1):
        table.setdefault(component, {})[name] = values[:, column]
    return at, table


def _rows(file: Path, first: str, above: int) -> tuple[list[list[str]], list[tuple[int, list[str]]]]:
    """The head (`above` lines, and for petshop one more), and each row below with its line."""
    try:
        lines = list(csv.reader(file.read_text().splitlines()))
    except (OSError, UnicodeDecodeError) as wrong:
        raise DataError(f"{file}: {wrong}; take the file anew") from wrong
    if len(lines) < above or not lines[0] or lines[0][0] != first:
        raise DataError(f"{file}: line 1: begins with {_begin(lines)}, not with {first}; take the file anew")
    below = above + (above > 1)
    rows = [(line, row) for line, row in enumerate(lines[below:], start=below + 1) if row]
    for line, row in [*((at + 1, lines[at]) for at in range(1, above)), *rows]:
        if len(row) != len(lines[0]):
            raise DataError(f"{file}: line {line}: {len(row)} columns, line 1 has {len(lines[0])}; make them as many")
    return lines[:above], rows


def _begin(lines: list[list[str]]) -> str:
    return repr(lines[0][0]) if lines and lines[0] else "nothing"


def _number(file: Path, line: int, names: Sequence[str], row: list[str], at: int) -> float:
    if at and not row[at]:
        return float("nan")
    try:
        value = float(row[at])
    except ValueError:
        value = float("inf")
    if not np.isfinite(value):
        name = names[at - 1] if at else "the first"
        fix = "make it a number, or nothing where none is known" if at else "make it seconds since 1970"
        raise DataError(f"{file}: line {line}, column {name}: {row[at]!r} is no number; {fix}")
    return value


def _rising(file: Path, lines: Sequence[int], at: Floats) -> None:
    if at.size < 3:  # noqa: PLR2004 - points
        raise DataError(f"{file}: {at.size} rows of values, it takes three; take the file anew")
    wrong = np.flatnonzero(np.diff(at) <= 0)
    if wrong.size:
        raise DataError(
            f"{file}: line {lines[int(wrong[0]) + 1]}: not later than the line before; sort the lines by time"
        )


def column_of(file: Path, component: str, columns: dict[str, Floats], name: str) -> Floats:
    """A column of a component, by a name such as `latency p50`."""
    if name not in columns:
        there = ", ".join(columns) or "none of that component"
        raise DataError(f"{file}: component {component}: no column {name} (there are: {there}); take the file anew")
    return columns[name]


def cloud(file: Path) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Seconds, values and whether each may be used: known, and not labelled as an anomaly."""
    (head,), rows = _rows(file, "TimeStamp", 1)
    for name in ("Value", "Label"):
        if name not in head:
            raise DataError(f"{file}: line 1: no column {name} (there are: {', '.join(head)}); take the file anew")
    value, label = head.index("Value"), head.index("Label")
    points: dict[float, list[float]] = {}
    for line, row in rows:
        try:
            when = datetime.fromisoformat(row[0] if row[0].endswith("Z") else row[0] + "+00:00").timestamp()
        except ValueError as wrong:
            fix = "make it like 2018-06-17T00:00:00Z"
            raise DataError(f"{file}: line {line}, column TimeStamp: {row[0]!r} is no time; {fix}") from wrong
        found = [_number(file, line, head[1:], row, each) for each in (value, label)]
        points.setdefault(when, found)  # hours that are there twice are the same
    at = np.array(sorted(points))
    _rising(file, [], at)
    values, labels = np.array([points[each] for each in at.tolist()]).T
    return at, values, np.isfinite(values) & (labels == 0)
