"""Boxes in columns, and ways between them that cross as little as a few sweeps find (after Sugiyama and others, 1981).

Pure geometry: names in, places out, the same for the same input.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Way = tuple[str, str]
_SWEEPS = 24
_BOX, _BEND = 1.0, 0.45
"""How much of a row a box takes, and a way that passes by."""


@dataclass
class Layering:
    """Where everything stands: columns from the left, rows as numbers from the top.

    Attributes:
        column: of each box, and of each bend of a way.
        row: likewise.
        paths: for each way, by its place in the list: names of boxes and bends from its source to its target.
    """

    column: dict[str, int] = field(default_factory=dict)
    row: dict[str, float] = field(default_factory=dict)
    paths: list[list[str]] = field(default_factory=list)


def layered(names: Sequence[str], ways: Sequence[Way], last: frozenset[str] = frozenset()) -> Layering:
    """Place boxes and ways; those in ``last`` stand in the right-most column."""
    forward = _acyclic(names, ways)
    made = Layering(column=_columns(names, forward, last))
    columns = _bent(made, ways)
    columns = _ordered(columns, _segments(made))
    made.row = _placed(columns, _segments(made), frozenset(names))
    return made


def _acyclic(names: Sequence[str], ways: Sequence[Way]) -> list[Way]:
    """The ways, those that would lead back turned round."""
    out: dict[str, list[str]] = {name: [] for name in names}
    for source, target in ways:
        out[source].append(target)
    state: dict[str, int] = {}
    back: set[Way] = set()
    for start in names:
        stack = [(start, iter(out[start]))] if start not in state else []
        state.setdefault(start, 1)
        while stack:
            name, rest = stack[-1]
            following = next(rest, None)
            if following is None:
                state[name] = 2
                stack.pop()
            elif state.get(following) == 1:
                back.add((name, following))
            elif following not in state:
                state[following] = 1
                stack.append((following, iter(out[following])))
    turned = [(target, source) if (source, target) in back else (source, target) for source, target in ways]
    return [way for way in turned if way[0] != way[1]]


def _columns(names: Sequence[str], ways: Sequence[Way], last: frozenset[str]) -> dict[str, int]:
    """Each as far left as those before it let it, and what comes from nobody next to what it leads to."""
    found = dict.fromkeys(names, 0)
    for _ in names:
        for source, target in ways:
            found[target] = max(found[target], found[source] + 1)
    heads = {target for _, target in ways}
    for name in names:
        following = [found[target] for source, target in ways if source == name]
        if name not in heads and following:
            found[name] = min(following) - 1
    right = max(found.values(), default=0)
    return {name: right if name in last else column for name, column in found.items()}


def _bent(made: Layering, ways: Sequence[Way]) -> list[list[str]]:
    """Columns with their boxes, and a bend wherever a way passes one by."""
    columns: list[list[str]] = [[] for _ in range(max(made.column.values(), default=-1) + 1)]
    for name, column in made.column.items():
        columns[column].append(name)
    for index, (source, target) in enumerate(ways):
        begin, end = made.column[source], made.column[target]
        step = 1 if end >= begin else -1
        path = [source]
        for column in range(begin + step, end, step):
            bend = f"\0{index}.{column}"
            made.column[bend] = column
            columns[column].append(bend)
            path.append(bend)
        made.paths.append([*path, target])
    return columns


def _segments(made: Layering) -> list[Way]:
    """Steps from one column to the next, left to right."""
    steps = [pair for path in made.paths for pair in pairwise(path)]
    return [pair if made.column[pair[0]] < made.column[pair[1]] else (pair[1], pair[0]) for pair in steps]


def _ordered(columns: list[list[str]], segments: Sequence[Way]) -> list[list[str]]:
    """Each column by the mean place of its neighbours, from the left and from the right in turn; the best is kept."""
    best, least = columns, _crossings(columns, segments)
    for sweep in range(_SWEEPS):
        columns = [list(column) for column in columns]
        leftwards = sweep % 2 == 1
        order = range(len(columns) - 2, -1, -1) if leftwards else range(1, len(columns))
        for index in order:
            fixed = columns[index + 1 if leftwards else index - 1]
            place = {name: position for position, name in enumerate(fixed)}
            columns[index] = _by_neighbours(columns[index], place, segments)
        crossings = _crossings(columns, segments)
        if crossings < least:
            best, least = columns, crossings
    return best


def _by_neighbours(column: list[str], place: Mapping[str, int], segments: Sequence[Way]) -> list[str]:
    beside: dict[str, list[int]] = {name: [] for name in column}
    for one, other in segments:
        for own, neighbour in ((one, other), (other, one)):
            if own in beside and neighbour in place:
                beside[own].append(place[neighbour])
    now = {name: float(position) for position, name in enumerate(column)}
    mean = {name: sum(found) / len(found) if found else now[name] for name, found in beside.items()}
    return sorted(column, key=lambda name: (mean[name], now[name]))


def _crossings(columns: Sequence[Sequence[str]], segments: Sequence[Way]) -> int:
    place = {name: (index, position) for index, column in enumerate(columns) for position, name in enumerate(column)}
    found = 0
    for index in range(len(columns)):
        here = sorted((place[a][1], place[b][1]) for a, b in segments if place[a][0] == index != place[b][0])
        found += sum(later[1] < earlier[1] for at, earlier in enumerate(here) for later in here[at + 1 :])
    return found


def _placed(columns: Sequence[Sequence[str]], segments: Sequence[Way], boxes: frozenset[str]) -> dict[str, float]:
    """Rows: near the neighbours, in the order of the column, none over another."""
    row: dict[str, float] = {}
    for each in columns:
        row |= _spread(each, dict.fromkeys(each, 0.0), boxes)
    beside: dict[str, list[str]] = {name: [] for name in row}
    for begin, end in segments:
        beside[begin].append(end)
        beside[end].append(begin)
    for sweep in range(_SWEEPS):
        for column in columns if sweep % 2 == 0 else columns[::-1]:
            wanted = {
                name: sum(row[each] for each in beside[name]) / len(beside[name]) if beside[name] else row[name]
                for name in column
            }
            row |= _spread(column, wanted, boxes)
    top = min(row.values(), default=0.0)
    return {name: place - top for name, place in row.items()}


def _spread(column: Sequence[str], wanted: Mapping[str, float], boxes: frozenset[str]) -> dict[str, float]:
    """As near to what is wanted as there is room: pushed down one by one, and then all up by the mean of it."""
    found: dict[str, float] = {}
    before = ""
    for name in column:
        least = found[before] + (_room(before, boxes) + _room(name, boxes)) / 2 if before else wanted[name]
        found[name] = max(wanted[name], least)
        before = name
    off = sum(found[name] - wanted[name] for name in column) / len(column) if column else 0.0
    return {name: place - off for name, place in found.items()}


def _room(name: str, boxes: frozenset[str]) -> float:
    return _BOX if name in boxes else _BEND
