"""Telling what somebody else did to what is the engine's: to the traffic (who, and to what), or to a revision.

The weights of the release's own revisions are put right by every look anyway; a stranger's backend stays, and keeps a
step from being verified.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rollout.api.journal import JournalKind
from rollout.api.texts import told
from rollout.decide.context import JOURNAL_ENTRY, write_journal
from rollout.decide.desired_state import weights_of

if TYPE_CHECKING:
    from rollout.api.status import Status
    from rollout.decide.context import Context


def drift_of(ctx: Context) -> str:
    """What another writer did to weights that were in force; empty where nobody did anything.

    Weights that the engine has only just asked for do not count: the route may simply be older than the wish.
    """
    share, status = ctx.seen.share, ctx.status
    shown = dict(share.weights)
    settled = status.written_at is not None or not status.in_flight
    if not (share.foreign_writer and shown and settled) or shown == weights_of(status):
        return ""
    weights = ", ".join(f"{name} {percent} %" for name, percent in sorted(shown.items()))
    return f"{share.foreign_writer} set the route to {weights}"


def altered_of(ctx: Context) -> tuple[str, ...]:
    """Revisions that are no longer what they were made as, a sentence each; the engine itself never edits one."""
    return tuple(
        f"{revision} is no longer what it was made as: {facts.altered}"
        for revision, facts in sorted(ctx.seen.revisions.items())
        if facts.altered
    )


def note_drift(ctx: Context, after: Status) -> Status:
    """``after`` with a journal entry for whatever ``ctx``, the look it came from, shows of this and is not told yet."""
    journal = after.release.journal if after.release else []
    moved = drift_of(ctx)
    if moved and not any(entry.what == JournalKind.DRIFT and entry.text == moved for entry in journal[-1:]):
        after = write_journal(after, ctx.now, JournalKind.DRIFT, moved)
    known = {entry.text for entry in journal if entry.what == JournalKind.ALTERED}
    for said in altered_of(ctx):
        if told(said, JOURNAL_ENTRY) not in known:
            after = write_journal(after, ctx.now, JournalKind.ALTERED, said)
    return after
