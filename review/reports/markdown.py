"""A report for a pull request: a hidden header for machines, the verdict, risks first, everything long folded.

A host cuts what is too long for a comment, or refuses it; so a long report is cut here, between objects, and says so.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from review.reports import words
from review.reports.diffs import diff_of
from terminal.markdown import code, fenced, prose, safe

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from review.reports.document import Doubted, Finding, PlannedRelease, Review, Touched

LIMIT = 64_000
"""Characters: GitHub takes 65,536 in a comment, GitLab 1,000,000."""
MARKER = "<!-- grayling.review/1 "
_LONGEST = 200
_ROOM = 160


@dataclass(frozen=True, slots=True)
class _Section:
    """A part that can be cut between its items; what is left out is counted in the word for one."""

    head: str
    items: Sequence[str]
    word: str
    tail: str = ""

    def whole(self) -> str:
        return f"{self.head}{''.join(self.items)}{self.tail}\n" if self.items else ""

    def within(self, room: int) -> str:
        """As many items as there is room for, in their order."""
        left = room - len(self.head) - len(self.tail) - _ROOM
        kept: list[str] = []
        for item in self.items:
            if len(item) <= left:
                kept.append(item)
                left -= len(item)
        gone = len(self.items) - len(kept)
        if not gone:
            return self.whole() if len(self.whole()) <= room else ""
        note = f"\n*{gone} {self.word} left out.*\n"
        if kept:
            return f"{self.head}{''.join(kept)}{self.tail}{note}\n"
        title = self.head.split("\n", 1)[0]
        return f"{title}\n{note}\n" if len(title) + len(note) + 2 <= room else ""


def markdown(review: Review, limit: int = LIMIT) -> str:
    """The report, of at most ``limit`` characters."""
    sections = list(_sections(review))
    text = _top(review, truncated=review.truncated) + "".join(section.whole() for section in sections)
    if len(text) <= limit:
        return text
    text = _top(review, truncated=True)
    for section in sections:
        text += section.within(limit - len(text))
    return text


def _top(review: Review, *, truncated: bool) -> str:
    lines = [_header(review, truncated=truncated), "", f"## {_verdict(review)}", ""]
    if truncated:
        lines += [f"> **{words.TRUNCATED}**", ""]
    if review.approval:
        lines += [prose(review.approval, 2000), ""]
    if review.digest:
        lines += [f"Digest {code(review.digest, _LONGEST)}", ""]
    elif review.unbound:
        lines += [f"No digest: {prose(review.unbound, 1000)}", ""]
    return "\n".join([*lines, ""])


def _header(review: Review, *, truncated: bool) -> str:
    """One comment that no browser shows; nothing in it can end it."""
    data = {
        "schema": review.schema_,
        "project": review.project,
        "stack": review.stack,
        "commit": review.commit,
        "base": review.base,
        "digest": review.digest,
        **{name: review.parts.get(name, "") for name in ("changes", "program", "configuration", "locks", "live")},
        "truncated": truncated,
        "created": review.created,
    }
    short = {key: value[:_LONGEST] if isinstance(value, str) else value for key, value in data.items()}
    text = json.dumps(short).replace("<", "\\u003c").replace(">", "\\u003e").replace("--", "-\\u002d")
    return f"{MARKER}{text} -->"


def _verdict(review: Review) -> str:
    name = safe(words.name_of(review), _LONGEST)
    return f"{name}: {review.assessment} · {words.counts_text(review).replace(', ', ' · ')}"


def _sections(review: Review) -> Iterator[_Section]:
    yield _Section("### Can it be believed?\n\n", [_doubt(each) for each in review.doubts], "doubts")
    yield _risks(review)
    yield _low_risks(review)
    gone = [f"- {code(each.object)} {prose(each.text)}\n" for each in words.gone(review)]
    yield _Section("### What will be gone\n\n", gone, "objects")
    yield _Section("### Releases it starts\n\n", [_release(each) for each in review.releases], "releases")
    yield from _capacity(review)
    yield _Section("### Who is touched\n\n", list(_people(review)), "lines")
    drift = [_folded(each, "was changed by others") for each in review.drift]
    yield _Section("### Not as it was applied\n\n", drift, "objects")
    changed = [_folded(each, words.ops_text(each)) for each in words.updates(review)]
    yield _Section("### What changes\n\n", changed, "objects")
    new = words.creations(review)
    head = f"### What is new\n\n<details><summary>{len(new)} created</summary>\n\n"
    yield _Section(head, [f"- {code(each)}\n" for each in new], "objects", "\n</details>\n")


def _doubt(doubt: Doubted) -> str:
    return f"- {'**No:** ' if doubt.fatal else ''}{prose(doubt.text)}\n"


def _risks(review: Review) -> _Section:
    found = words.loud(review)
    if not found:
        none = words.NOTHING_LOUD if review.risks else words.NO_RISKS
        return _Section("### Risks\n\n", [f"{none}\n"], "lines")
    rows = []
    for each in found:
        field = f" {code(each.path)}" if each.path else ""
        text = prose(each.text) + (f" *{prose(words.waived(each.waiver))}*" if each.waiver else "")
        mark = f"{words.MARKS[each.severity]} {each.severity}{', accepted' if each.waiver else ''}"
        rows.append(f"| {mark} | {code(each.object)}{field} | {text} ({safe(each.id)}) | {prose(each.undo)} |\n")
    return _Section(
        "### Risks\n\n| severity | where | what | taking it back |\n| --- | --- | --- | --- |\n", rows, "risks"
    )


def _low_risks(review: Review) -> _Section:
    found = [each for some in words.low(review).values() for each in some]
    summary = f"{words.MARKS['low']} {safe(words.low_text(review))}"
    head = f"#### Low risks: {len(found)}\n\n<details><summary>{summary}</summary>\n\n"
    return _Section(head, [_low_risk(each) for each in found], "risks", "\n</details>\n")


def _low_risk(risk: Finding) -> str:
    field = f" {code(risk.path)}" if risk.path else ""
    undo = f"; taking it back: {prose(risk.undo)}" if risk.undo else ""
    waiver = f" *{prose(words.waived(risk.waiver))}*" if risk.waiver else ""
    return f"- {code(risk.object)}{field} {prose(risk.text)} ({safe(risk.id)}){undo}{waiver}\n"


def _release(release: PlannedRelease) -> str:
    lines = [f"**{safe(release.object)}** {prose(words.release_text(release))}.", ""]
    found = words.stages(release)
    if found:
        lines += [
            "| | share | from | holds | waits for | sees | fails at worst |",
            "| --- | ---: | ---: | ---: | --- | --- | ---: |",
        ]
        for each in found:
            cells = (each.name, f"{each.weight} %", f"+{each.starts:g} s", each.hold, each.gate, each.sees, each.costs)
            lines.append(f"| {' | '.join(safe(cell) for cell in cells)} |")
        lines += ["", f"Figures {prose(words.assumed(release))}.", ""] if words.assumed(release) else [""]
    lines += [f"- {prose(each)}" for each in words.hints(release)]
    return "\n".join([*lines, "", ""])


def _capacity(review: Review) -> Iterator[_Section]:
    rows = [f"| {safe(row.what)} | {row.before} | {row.after} | {row.more} |\n" for row in words.capacity_rows(review)]
    cost = words.cost_text(review)
    rows += [f"| cost |  |  | {safe(cost)} |\n"] if cost else []
    head = "### What it asks for\n\n| of what changes | before | after | more |\n| --- | ---: | ---: | ---: |\n"
    yield _Section(head, rows, "rows")
    notes = [f"{row.object}: {note}" for row in review.capacity.rows for note in row.notes] + review.capacity.notes
    yield _Section("#### Not counted, or to know\n\n", [f"- {prose(note)}\n" for note in notes], "notes")


def _people(review: Review) -> Iterator[str]:
    for owned in review.owners:
        yield f"- **{safe(owned.owner)}**: {safe(words.rollup(owned.objects))}\n"
    for each in review.dependants:
        yield f"- {code(each.name)} uses {code(each.uses)} ({safe(each.known_by)})\n"


def _folded(change: Touched, text: str) -> str:
    """One object; its fence is longer than any run of backticks in it."""
    problem = f"{prose(change.problem)}\n\n" if change.problem else ""
    unknown = f"Known only then: {', '.join(code(path) for path in change.unknown[:20])}\n\n" if change.unknown else ""
    lines = diff_of(change)
    diff = fenced("\n".join(lines), "diff") if lines else "Nothing of it is shown to differ."
    return (
        f"<details><summary>{safe(change.object)} {safe(text)}</summary>\n\n{problem}{unknown}{diff}\n\n</details>\n\n"
    )
