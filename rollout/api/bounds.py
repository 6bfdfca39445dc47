"""How much a status may hold: an object that is too large cannot be written, and then nothing is decided any more.

The API server takes 1.5 MB of an object, its judge's sums included. What only tells people how things came is bounded
in bytes, not in letters: a letter of a pod's message has up to four of them.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TypeVar, cast

from rollout.api.texts import told as fit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rollout.api.status import (
        JournalEntry,
        Kept,
        Release,
        Status,
    )

    Part = TypeVar("Part", bound=Kept)

JOURNAL_LIMIT, JOURNAL_BYTES = 200, 65_536
"""Entries and bytes that a journal keeps."""

TRIMMED_JOURNAL, TRIMMED_BYTES, TRIMMED_STEPS, TRIMMED_REFUSED, TRIMMED_EXTRA = 20, 6_000, 12, 5, 4_000
"""What is left of a status of which the server did not take more."""

JUDGED_TEXT = 300
"""Characters of each text in what the judge says."""

_BESIDE_TEXT = 120
"""Bytes of an entry beside its text: its time, its kind, its weight, and the JSON around them."""


def newest(entries: list[JournalEntry], most: int = JOURNAL_LIMIT, most_bytes: int = JOURNAL_BYTES) -> int:
    """How many of the newest entries have room beside the first one, which always stays."""
    room, kept = most_bytes - _bytes_of(entries[0]), 0
    for entry in reversed(entries[max(1, len(entries) - most + 1) :]):
        room -= _bytes_of(entry)
        if room < 0:
            break
        kept += 1
    return kept


def _bytes_of(entry: JournalEntry) -> int:
    return len(entry.text.encode()) + _BESIDE_TEXT


def shortened(
    journal: list[JournalEntry], most: int = JOURNAL_LIMIT, most_bytes: int = JOURNAL_BYTES
) -> tuple[list[JournalEntry], int]:
    """The first entry and as many of the newest as there is room for, and how many were dropped."""
    if not journal:
        return [], 0
    kept = newest(journal, most, most_bytes)
    return [journal[0], *journal[len(journal) - kept :]], len(journal) - 1 - kept


def with_short_texts(node: Any) -> Any:
    """What the judge says, every text of it short: the reasons in it are those of sources and pods."""
    if isinstance(node, dict):
        return {key: with_short_texts(value) for key, value in node.items()}
    if isinstance(node, list | tuple):
        return [with_short_texts(value) for value in node]
    return fit(node, JUDGED_TEXT) if isinstance(node, str) else node


def trimmed(status: Status) -> Status:
    """The status without what is only for people: what a server takes that took no more."""
    release, last = (_trimmed(each) for each in (status.release, status.last))
    less = {"analysis": {}, "judge": "", "conditions": [], "refused": status.refused[-TRIMMED_REFUSED:]}
    short = status.model_copy(update={**less, "release": release, "last": last})
    return _without_extra(short)


def _trimmed(release: Release | None) -> Release | None:
    if release is None:
        return None
    journal, dropped = shortened(release.journal, TRIMMED_JOURNAL, TRIMMED_BYTES)
    less = {"journal": journal, "journal_dropped": release.journal_dropped + dropped, "verdict_at_end": {}}
    short = release.model_copy(update={**less, "steps": release.steps[-TRIMMED_STEPS:]})
    return _without_extra(short)


def _without_extra(part: Part) -> Part:
    """The part, without what a newer engine wrote into it where that is much."""
    extra: Mapping[str, Any] = part.model_extra or {}
    if len(json.dumps(extra, default=str).encode()) <= TRIMMED_EXTRA:
        return part
    known = {name: getattr(part, name) for name in type(part).model_fields}
    return cast("Part", type(part).model_construct(**known))
