"""The landscape as a picture: one SVG of boxes and arrows, legible on white and on black, told in words as well."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING
from xml.sax import saxutils

from components.manual.flow import Role
from components.manual.layering import Layering, layered
from terminal.visible import visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from components.manual.flow import Flow, Node

WIDE, HIGH = 158, 56
_GAP, _STEP, _EDGE, _TITLE = 128, 72, 16, 30
_LETTERS = 20
"""As many of a name as a box has room for."""

_TONES = {
    Role.OUTSIDE: "soft",
    Role.GATEWAY: "link",
    Role.SERVICE: "fine",
    Role.SYSTEM: "medium",
    Role.EXTERNAL: "high",
    Role.OPERATIONS: "low",
}
_LIGHT = {
    "paper": "#ffffff", "panel": "#f5f7f9", "ink": "#1b1f24", "soft": "#545d68", "rule": "#d3d9e0", "link": "#0b57a8",
    "fine": "#17693a", "medium": "#755800", "high": "#a8430b", "low": "#4c5866",
}  # fmt: skip
_DARK = {
    "paper": "#11151a", "panel": "#1a2027", "ink": "#e7ebef", "soft": "#a3adb8", "rule": "#333c46", "link": "#86b9f2",
    "fine": "#74d494", "medium": "#e6c65c", "high": "#ffac70", "low": "#b3bdc8",
}  # fmt: skip
"""Those of terminal/pages/page.css, for a picture that stands alone."""

_STYLE = """
.landscape text { font: 12px system-ui, "DejaVu Sans", sans-serif; fill: var(--ink); }
.landscape .name { font-weight: 700; font-size: 13px; } .landscape .kind, .landscape .note { fill: var(--soft); }
.landscape .label { font-size: 11px; fill: var(--soft); paint-order: stroke; stroke: var(--paper); stroke-width: 4px; }
.landscape .part { font-weight: 700; font-size: 13px; fill: var(--soft); }
.landscape .box { fill: var(--panel); stroke: var(--rule); } .landscape .paper { fill: var(--paper); }
.landscape .way { fill: none; stroke: var(--soft); stroke-width: 1.4; } .landscape .tip { fill: var(--soft); }
"""


def drawing(flow: Flow, *, alone: bool) -> str:
    """The SVG; ``alone`` for a file of its own, which brings its colours."""
    parts = [
        ("Who sends what to whom", flow.part(operations=False)),
        ("Who watches and steers", flow.part(operations=True)),
    ]
    drawn = [_Part(title, part) for title, part in parts if part.nodes]
    width = max((each.width for each in drawn), default=WIDE) + 2 * _EDGE
    tops = [_EDGE]
    for each in drawn:
        tops.append(tops[-1] + each.height + _EDGE)
    height = tops[-1]
    body = [line for top, each in zip(tops, drawn, strict=False) for line in each.lines(_EDGE, top)]
    colours = _colours() if alone else ""
    namespace = ' xmlns="http://www.w3.org/2000/svg"' if alone else ""
    return "\n".join(
        [
            f'<svg{namespace} class="landscape" viewBox="0 0 {width} {height}" width="{width}" height="{height}"',
            'role="img" aria-labelledby="landscape-title landscape-told">',
            f'<title id="landscape-title">The landscape of {escape(flow.stack)}</title>',
            f'<desc id="landscape-told">{escape(flow.told)}</desc>',
            f"<style>{colours}{_STYLE}</style>",
            '<defs><marker id="landscape-tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7"',
            'orient="auto"><path class="tip" d="M0 0L8 4L0 8z"/></marker></defs>',
            *([f'<rect class="paper" width="{width}" height="{height}"/>'] if alone else []),
            *body,
            "</svg>",
        ]
    )


def escape(text: str) -> str:
    """As XML takes it."""
    return saxutils.escape(visible(text))


def _colours() -> str:
    light, dark = (" ".join(f"--{name}: {value};" for name, value in colours.items()) for colours in (_LIGHT, _DARK))
    return f"\n.landscape {{ {light} }}\n@media (prefers-color-scheme: dark) {{ .landscape {{ {dark} }} }}"


@dataclass(frozen=True, slots=True)
class _Point:
    x: float
    y: float


class _Part:
    """One half of the picture: places of its boxes, and where ways begin and end on them."""

    def __init__(self, title: str, flow: Flow) -> None:
        self.title, self.flow = title, flow
        self.nodes = {each.name: each for each in flow.nodes}
        last = frozenset(each.name for each in flow.nodes if each.role is Role.EXTERNAL)
        connected = {name for each in flow.edges for name in (each.source, each.target)}
        self.free = [each for each in flow.nodes if each.name not in connected]
        placed = [each.name for each in flow.nodes if each.name in connected]
        ways = [(each.source, each.target) for each in flow.edges]
        self.layering: Layering = layered(placed, ways, last & connected)
        self.rows = max((self.layering.row[name] for name in placed), default=-1.0) + 1
        self.columns = max((*self.layering.column.values(), self._beside() - 1), default=0) + 1

    def _beside(self) -> int:
        """Boxes that no way leads to stand side by side below the others."""
        return min(len(self.free), 5)

    @property
    def width(self) -> int:
        """Of all columns."""
        return self.columns * WIDE + (self.columns - 1) * _GAP

    @property
    def height(self) -> int:
        """Of the title and all rows."""
        return _TITLE + round(self.rows * _STEP) + -(-len(self.free) // self.columns) * _STEP

    def lines(self, left: int, top: int) -> Iterator[str]:
        """Ways below, boxes above."""
        top += _TITLE
        yield f'<text class="part" x="{left}" y="{top - 14}">{escape(self.title)}</text>'
        places = {name: self._place(name, left, top) for name in self.layering.column}
        for index, each in enumerate(self.free):
            below = top + round(self.rows * _STEP) + index // self.columns * _STEP
            places[each.name] = _Point(left + index % self.columns * (WIDE + _GAP), below)
        labels = []
        for edge, points in zip(self.flow.edges, self._paths(places), strict=True):
            yield _way(points)
            labels += [(edge.label, _beside(points))] if edge.label else []
        for each in self.flow.nodes:
            yield from _box(each, places[each.name])
        for label, at in _apart(labels):
            yield f'<text class="label" text-anchor="middle" x="{at.x:.0f}" y="{at.y:.0f}">{escape(label)}</text>'

    def _place(self, name: str, left: int, top: int) -> _Point:
        row, column = self.layering.row[name], self.layering.column[name]
        return _Point(left + column * (WIDE + _GAP), top + row * _STEP)

    def _paths(self, places: dict[str, _Point]) -> list[list[_Point]]:
        """Points of each way; several on one side of a box share it evenly, by where they come from."""
        paths = self.layering.paths
        ports: dict[tuple[str, bool], list[tuple[float, int, bool]]] = {}
        for index, path in enumerate(paths):
            for own, other, begins in ((path[0], path[1], True), (path[-1], path[-2], False)):
                rightwards = places[other].x > places[own].x
                ports.setdefault((own, rightwards), []).append((places[other].y, index, begins))
        found: dict[tuple[int, bool], _Point] = {}
        for (own, rightwards), listed in ports.items():
            for position, (_, index, begins) in enumerate(sorted(listed)):
                down = HIGH * (position + 1) / (len(listed) + 1)
                place = places[own]
                found[index, begins] = _Point(place.x + (WIDE if rightwards else 0), place.y + down)
        return [self._points(index, path, places, found) for index, path in enumerate(paths)]

    def _points(
        self, index: int, path: Sequence[str], places: dict[str, _Point], ports: dict[tuple[int, bool], _Point]
    ) -> list[_Point]:
        begin, end = ports[index, True], ports[index, False]
        points = [begin]
        for bend in path[1:-1]:
            y = places[bend].y + HIGH / 2
            sides = [_Point(places[bend].x, y), _Point(places[bend].x + WIDE, y)]
            points += sides if end.x > begin.x else sides[::-1]
        return [*points, end]


def _way(points: Sequence[_Point]) -> str:
    drawn = f"M{points[0].x:.0f} {points[0].y:.0f}"
    for one, other in pairwise(points):
        middle = (one.x + other.x) / 2
        if one.x == other.x:  # within a column: out to the right and back
            middle = one.x + _GAP / 2
        drawn += f"C{middle:.0f} {one.y:.0f} {middle:.0f} {other.y:.0f} {other.x:.0f} {other.y:.0f}"
    return f'<path class="way" marker-end="url(#landscape-tip)" d="{drawn}"/>'


_AT = 0.38
"""How far along its curve a label stands: nearer to the beginning, where ways of one box are still apart."""


def _beside(points: Sequence[_Point]) -> _Point:
    """Near the beginning of a way, where ways of one box are told apart."""
    one, other, middle = points[0], points[1], (points[0].x + points[1].x) / 2
    x = one.x * (1 - _AT) ** 3 + 3 * middle * _AT * (1 - _AT) + other.x * _AT**3
    y = one.y * (1 - _AT) ** 2 * (1 + 2 * _AT) + other.y * _AT**2 * (3 - 2 * _AT)
    return _Point(x, y + 4)


_LETTER, _LINE = 6.2, 13.0
"""Of a label, in pixels: how wide a letter is, and how high a line."""


def _apart(labels: Iterable[tuple[str, _Point]]) -> Iterator[tuple[str, _Point]]:
    """Labels from the top down, each below those that it would stand upon."""
    taken: list[tuple[str, _Point]] = []
    for label, at in sorted(labels, key=lambda each: each[1].y):
        place = at
        for other, there in sorted(taken, key=lambda each: each[1].y):
            reach = (len(label) + len(other)) * _LETTER / 2
            if abs(place.x - there.x) < reach and abs(place.y - there.y) < _LINE:
                place = _Point(place.x, there.y + _LINE)
        taken.append((label, place))
        yield label, place


def _box(node: Node, place: _Point) -> Iterator[str]:
    x, y = f"{place.x:.0f}", place.y
    told = ", ".join(part for part in (node.name, node.kind, node.note) if part)
    yield f"<g><title>{escape(told)}</title>"
    yield f'<rect class="box" x="{x}" y="{y:.0f}" width="{WIDE}" height="{HIGH}" rx="5"/>'
    yield f'<rect x="{x}" y="{y:.0f}" width="5" height="{HIGH}" rx="2" style="fill: var(--{_TONES[node.role]})"/>'
    for style, text, down in (("name", node.name, 18), ("kind", node.kind, 34), ("note", node.note, 49)):
        if text:
            shown = text if len(text) <= _LETTERS + 4 else f"{text[: _LETTERS + 3]}…"
            yield f'<text class="{style}" x="{place.x + 13:.0f}" y="{y + down:.0f}">{escape(shown)}</text>'
    yield "</g>"


def mermaid(flow: Flow) -> str:
    """The same as a flowchart of Mermaid, for hosts that draw Markdown."""
    ids = {node.name: f"n{index}" for index, node in enumerate(flow.nodes)}
    lines = ["flowchart LR"]
    for operations, title in ((False, "Who sends what to whom"), (True, "Who watches and steers")):
        nodes = flow.part(operations=operations).nodes
        if nodes:
            lines.append(f'  subgraph {"operations" if operations else "data"}["{title}"]')
            lines += [f'    {ids[each.name]}["{_quoted(each.name)}<br>{_quoted(each.kind)}"]' for each in nodes]
            lines.append("  end")
    drawn = [*flow.part(operations=False).edges, *flow.part(operations=True).edges]
    for edge in drawn:
        label = f'|"{_quoted(edge.label)}"|' if edge.label else ""
        lines.append(f"  {ids[edge.source]} -->{label} {ids[edge.target]}")
    return "\n".join(lines)


def _quoted(text: str) -> str:
    """Without what would end a label."""
    return "".join(f"#{ord(letter)};" if letter in '"#;<>&|`' else letter for letter in text)
