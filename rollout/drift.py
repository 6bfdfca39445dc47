"""Telling that somebody else moved the traffic: who, and to what.

The weights of the release's own revisions are put right by every look anyway; a stranger's backend stays, and keeps a
step from being verified.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rollout.context import write_journal
from rollout.desire import weights_of

if TYPE_CHECKING:
    from rollout.context import Context
    from rollout.status import Status

WHAT = "drift"


def drift_of(ctx: Context) -> str:
    """What another writer did to weights that were in force; empty where nobody did anything.

    Weights that the engine has only just asked for do not count: the route may simply be older than the wish.
    """
    share, status = ctx.seen.share, ctx.status
    shown = dict(share.weights)
    settled = status.written_at is not None or not status.in_flight
    if not (share.foreign_writer and shown and settled) or shown == weights_of(status):
        return ""
    told = ", ".join(f"{name} {percent} %" for name, percent in sorted(shown.items()))
    return f"{share.foreign_writer} set the route to {told}"


def note_drift(ctx: Context, after: Status) -> Status:
    """``after`` with a journal entry where ``ctx``, the look it came from, shows a drift that is not told yet."""
    told = drift_of(ctx)
    journal = after.release.journal if after.release else []
    if not told or any(entry.what == WHAT and entry.text == told for entry in journal[-1:]):
        return after
    return write_journal(after, ctx.now, WHAT, told)
