"""What a journal tells of: one word for machines of each thing that happens to a release."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field


class JournalKind(StrEnum):
    """What an entry of a journal is about."""

    STARTED = "started"
    READY = "ready"
    WEIGHT = "weight"
    VERIFIED = "verified"
    STEP_ENDED = "step-ended"
    HELD = "held"
    WITHDRAWN = "withdrawn"
    THREATENED = "threatened"
    LET_GO = "let-go"
    DRIFT = "drift"
    ALTERED = "altered"
    PAUSED = "paused"
    RESUMED = "resumed"
    GATE = "gate"
    PROMOTED_EARLY = "promoted-early"
    PROMOTED = "promoted"
    FORGIVEN = "forgiven"
    BAKE_ENDED = "bake-ended"
    ROLLED_BACK = "rolled-back"
    ABORTED = "aborted"
    SUPERSEDED = "superseded"
    CANCELLED = "cancelled"
    ENDED = "ended"


What = Annotated[
    JournalKind | str,
    Field(
        union_mode="left_to_right",
        description=f"for machines: {', '.join(JournalKind)}; any other word is of another version of the engine",
    ),
]
"""The kind of an entry as it is read: a word of another engine is kept and shown as it is."""
