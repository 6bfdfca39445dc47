"""`status` of a Topology: how each item stands, since when that is known, and what was made here."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field
from pydantic_core import to_jsonable_python

from rollout.api.status import Condition, Kept, Time
from rollout.api.wire import by_key

READY = "Ready"
"""The one condition there is."""


class State(StrEnum):
    """How an item stands."""

    READY = "Ready"
    REFUSED = "Refused"
    FAILED = "Failed"
    LEFT = "Left"
    WAITING = "Waiting"


class Reason(StrEnum):
    """Why a topology is ready or not."""

    RECONCILED = "Reconciled"
    REFUSED = "Refused"
    FAILED = "Failed"
    WAITING = "Waiting"
    UNAUTHORIZED = "Unauthorized"
    UNREACHABLE = "Unreachable"
    INVALID = "Invalid"


class ItemStatus(Kept):
    """One item."""

    label: str
    state: State
    reason: str = ""
    fix: str = Field(default="", description="what a person can do about it")


class TopologyStatus(Kept):
    """`status` of a Topology."""

    observed_generation: int = 0
    observed_at: Time | None = Field(default=None, description="when the system was last seen whole")
    drifted: list[str] = Field(default_factory=list, description="items that others changed last; they were put right")
    drifted_at: Time | None = Field(default=None, description="when that was")
    made: list[str] = Field(default_factory=list, description="labels of what was made here: nothing else is deleted")
    items: list[ItemStatus] = Field(default_factory=list, json_schema_extra=by_key("label"))
    conditions: list[Condition] = Field(default_factory=list, json_schema_extra=by_key("type"))

    def wire(self) -> dict[str, object]:
        """The JSON form, every field said: what is left out would stay as it was."""
        made: dict[str, object] = to_jsonable_python(self, by_alias=True)
        return made

    @property
    def ready(self) -> Condition | None:
        """The condition, if somebody has said it."""
        return next((each for each in self.conditions if each.type == READY), None)
