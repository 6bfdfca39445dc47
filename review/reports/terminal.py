"""A report for a terminal: the verdict, risks first, what goes, what changes; at most as wide as it is."""

from __future__ import annotations

import re
from io import StringIO
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from review.reports import words
from review.reports.diffs import diff_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import RenderableType

    from review.reports.document import Doubted, Finding, PlannedRelease, Review, Touched

WIDTH = 80
_MOST_LINES, _MOST_NAMES, _MOST_LOW = 12, 40, 5
_STYLES = {"critical": "bold red", "high": "red", "medium": "yellow", "low": "dim"}
_VERDICTS = {"plain": "bold green", "review": "bold yellow", "dangerous": "bold red", "not-trustworthy": "bold red"}
_PADDING = re.compile(r" +((?:\x1b\[[\d;]*m)*)$", re.MULTILINE)
_SIGNS = {"-": "red", "+": "green", "!": "bold red", "@": "dim"}


def text(review: Review, width: int = WIDTH) -> str:
    """The report, with colours that whoever writes it may strip."""
    out = StringIO()
    console = Console(file=out, width=width, force_terminal=True, color_system="standard", highlight=False, emoji=False)
    for part in _parts(review):
        console.print(part, soft_wrap=False)
    return _PADDING.sub(r"\1", out.getvalue())


def _parts(review: Review) -> Iterator[RenderableType]:
    yield _verdict(review)
    yield from _section("Risks", list(_risks(review)))
    yield from _section("Can it be believed?", [_doubt(each) for each in review.doubts] or [Text(words.ALL_KNOWN)])
    yield from _section("What will be gone", [Text(f"{each.object} {each.text}") for each in words.gone(review)])
    yield from _section("Releases it starts", [_release(each) for each in review.releases])
    yield from _section("What it asks for", list(_capacity(review)))
    yield from _section("Who is touched", list(_people(review)))
    yield from _section("Not as it was applied", [_change(each) for each in review.drift])
    yield from _section("What changes", [_change(each) for each in words.updates(review)])
    new = words.creations(review)
    yield from _section(f"Created ({len(new)})", [Text(words.rollup(new, _MOST_NAMES))] if new else [])


def _verdict(review: Review) -> RenderableType:
    line = Text.assemble(
        (words.name_of(review), "bold"),
        ": ",
        (review.assessment, _VERDICTS[review.assessment]),
        f", {words.MEANING[review.assessment]}",
    )
    lines = [line, Text(words.counts_text(review))]
    lines += [Text(words.TRUNCATED, "bold red")] if review.truncated else []
    lines += [Text(review.approval)] if review.approval else []
    return Group(*lines)


def _section(title: str, items: list[RenderableType]) -> Iterator[RenderableType]:
    if items:
        yield Text(f"\n{title}", "bold")
        yield from (Padding(item, (0, 0, 0, 2)) for item in items)


def _risks(review: Review) -> Iterator[Text]:
    if not words.loud(review):
        yield Text(words.NOTHING_LOUD if review.risks else words.NO_RISKS)
    yield from (_risk(each) for each in words.loud(review))
    yield from (_low(rule, found) for rule, found in words.low(review).items())


def _low(rule: str, found: list[Finding]) -> Text:
    """All low risks of a rule in few lines."""
    made = Text.assemble((f"{words.MARKS['low']} low", _STYLES["low"]), "  ", (rule, "dim"), "  ")
    made.append(words.rollup([*dict.fromkeys(each.object for each in found)], _MOST_LOW))
    made.append(f"\n  {found[0].text}" if len(found) == 1 else "")
    for each in found:
        made.append(f"\n  {each.object}: {words.waived(each.waiver)}" if each.waiver else "")
    return made


def _risk(risk: Finding) -> Text:
    made = Text.assemble(
        (f"{words.MARKS[risk.severity]} {risk.severity}", _STYLES[risk.severity]),
        f"  {risk.object}  ",
        (risk.id, "dim"),
    )
    made.append(f"\n  {risk.text}")
    if risk.path:
        made.append(f"\n  at {risk.path}", "dim")
    if risk.undo:
        made.append(f"\n  taking it back: {risk.undo}")
    if risk.waiver:
        made.append(f"\n  {words.waived(risk.waiver)}")
    return made


def _doubt(doubt: Doubted) -> Text:
    return Text.assemble(("No: " if doubt.fatal else "", "bold red"), doubt.text)


def _release(release: PlannedRelease) -> RenderableType:
    parts: list[RenderableType] = [Text(f"{release.object}: {words.release_text(release)}")]
    found = words.stages(release)
    if found:
        table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
        for name in ("stage", "share", "holds", "waits for", "sees", "lost"):
            table.add_column(name, justify="right" if name in {"share", "holds", "lost"} else "left")
        for each in found:
            cells = (each.name, f"{each.weight} %", each.hold, each.gate, each.sees, each.costs)
            table.add_row(*(Text(cell) for cell in cells))
        parts.append(Padding(table, (0, 0, 0, 2)))
    if words.assumed(release):
        parts.append(Text(f"  figures {words.assumed(release)}", "dim"))
    parts += [Text(f"  - {hint}") for hint in words.hints(release)]
    return Group(*parts)


def _capacity(review: Review) -> Iterator[RenderableType]:
    rows = words.capacity_rows(review)
    if rows:
        table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
        for name in ("", "before", "after", "more"):
            table.add_column(name, justify="right" if name else "left")
        for row in rows:
            table.add_row(*row)
        yield table
    if words.cost_text(review):
        yield Text(f"cost: {words.cost_text(review)}")
    for each in review.capacity.rows:
        yield from (Text(f"{each.object}: {note}", "dim") for note in each.notes)
    yield from (Text(note, "dim") for note in review.capacity.notes)


def _people(review: Review) -> Iterator[Text]:
    for owned in review.owners:
        yield Text.assemble((owned.owner, "bold"), f": {words.rollup(owned.objects)}")
    for each in review.dependants:
        yield Text(f"{each.name} uses {each.uses} ({each.known_by})")


def _change(change: Touched) -> Text:
    made = Text.assemble((change.object, "bold"), f" {words.ops_text(change)}")
    if change.problem:
        made.append(f"\n{change.problem}", "bold red")
    lines = diff_of(change)
    for line in lines[:_MOST_LINES]:
        made.append(f"\n{line}", _SIGNS.get(line[:1], ""))
    if len(lines) > _MOST_LINES:
        made.append(f"\n… {len(lines) - _MOST_LINES} more lines: -o html=FILE or -o json", "dim")
    return made
