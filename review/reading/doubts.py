"""Why a preview of Pulumi cannot be believed: it failed, it was cut, it does not know a value, it says two things."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from review.model.change import Doubt, Op, path_text
from review.reading.urns import urn_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from collections.abc import Set as AbstractSet

    from review.model.change import Change
    from review.model.masking import Masker
    from review.reading.steps import Preview

ERROR = "error"
SUMMED_UP = {"create": "create", "update": "update", "delete": "delete", "replace": "replace", "import": "import"}
_AWAY = re.compile(
    r"(?i)cluster is (unreachable|not reachable)|unable to load schema information|connection refused|no such host"
    r"|i/o timeout"
)
_EMPTY_WORDS = re.compile(r"(?i)^(error: )?(preview failed|update failed|an unhandled error occurred.*)$")
_SHORT = 400

NOT_PROBED = Doubt(
    "not-probed",
    "nothing shows that this preview was made of a live cluster: one made while the cluster was away looks the same; "
    "let `grayling review preview --context CONTEXT` look, with the context of the preview",
    fatal=False,
)


def doubts_of(
    preview: Preview, changes: Sequence[Change], masker: Masker, known: AbstractSet[str]
) -> tuple[Doubt, ...]:
    """All doubts, the fatal ones first; a preview alone is never proven to be of a live cluster."""
    return (*_fatal(preview, changes, masker, known), NOT_PROBED)


def _fatal(preview: Preview, changes: Sequence[Change], masker: Masker, known: AbstractSet[str]) -> Iterator[Doubt]:
    failed = list(_errors(preview, masker))
    yield from failed
    if not failed:
        yield from _cut(preview)
    yield from _cluster_away(preview, masker)
    odd = sorted({step.op for step in preview.steps} - known)
    if odd:
        yield Doubt("unknown-operation", f"operations that are not known here: {', '.join(odd)}; use a newer version")
    yield from _two_stacks(step.urn for step in preview.steps)
    yield from _shapeless(preview)
    for change in changes:
        if change.unknown:
            paths = ", ".join(path_text(path) for path in change.unknown[:3])
            more = f" and {len(change.unknown) - 3} more" if len(change.unknown) > 3 else ""  # noqa: PLR2004
            text = f"{change.ref}: {paths}{more} is known only once it is carried out: nobody can read it before"
            yield Doubt("unknown-values", text)
        elif change.ops == (Op.UPDATE,) and not change.edits and change.ref.api_version:
            yield Doubt(
                "unexplained-update", f"{change.ref}: an update that shows no difference: preview it with --diff"
            )


def _errors(preview: Preview, masker: Masker) -> Iterator[Doubt]:
    said = [each.message.strip() for each in preview.diagnostics if each.severity == ERROR]
    telling = [text for text in said if not _EMPTY_WORDS.match(text)] or said
    for text in dict.fromkeys(telling):
        yield Doubt("failed", f"the preview failed: {_short(masker.text(text.removeprefix('error: ')))}")


def _short(text: str) -> str:
    """As much as a line bears; of a traceback its first and its last line."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if any(line.startswith("Traceback") for line in lines):
        text = f"{lines[0]} {lines[-1]}"
    return text if len(text) <= _SHORT else f"{text[:_SHORT]}…"


def _cut(preview: Preview) -> Iterator[Doubt]:
    if preview.summary is None or not preview.ended:
        yield Doubt("truncated", "the preview has no summary: it was cut or stopped; make it again")
        return
    listed = Counter(step.op for step in preview.steps)
    for op in SUMMED_UP:
        told, found = preview.summary.get(op, 0), listed[op]
        if told != found:
            text = f"the summary counts {told} to {op}, the file lists {found}: it was cut; make it again"
            yield Doubt("truncated", text)


def _cluster_away(preview: Preview, masker: Masker) -> Iterator[Doubt]:
    for each in preview.diagnostics:
        if each.severity != ERROR and _AWAY.search(each.message):
            text = _short(masker.text(each.message.strip().removeprefix("warning: ")))
            yield Doubt("cluster-away", f"the preview did not reach the cluster: {text}")
            return


def _two_stacks(urns: Iterable[str]) -> Iterator[Doubt]:
    parts = {urn: urn_of(urn) for urn in urns}
    broken = [urn for urn, found in parts.items() if found is None]
    if broken:
        yield Doubt("no-urn", f"a step names no resource ({broken[0][:80]!r}): the preview was edited; make it again")
    stacks = sorted({f"{found.project}/{found.stack}" for found in parts.values() if found})
    if len(stacks) > 1:
        yield Doubt(
            "mixed-stacks", f"steps of more than one stack in one preview: {', '.join(stacks)}; review each alone"
        )


def _shapeless(preview: Preview) -> Iterator[Doubt]:
    """Steps without the state that their operation needs: what goes or comes cannot be shown."""
    needs_old = {"update", "delete", "replace", "delete-replaced"}
    needs_new = {"create", "update", "replace", "import", "create-replacement"}
    for step in preview.steps:
        missing = [
            side
            for side, ops, state in (("oldState", needs_old, step.old), ("newState", needs_new, step.new))
            if step.op in ops and state is None
        ]
        if missing:
            yield Doubt(
                "no-state", f"{step.op} of {step.urn} has no {' and no '.join(missing)}: make the preview again"
            )
