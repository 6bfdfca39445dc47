"""What the engine knows and promises: `status` of a GrayRelease, the only memory that survives it.

Frozen: `decide` makes a new one. Times are seconds since the epoch in the code and RFC 3339 on the wire.
"""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict, Field, PlainSerializer, WithJsonSchema
from pydantic_core import to_jsonable_python

from rollout.api.journal import What
from rollout.api.pair import Pair
from rollout.api.spec import FREE_FORM, Model, by_key


class Phase(StrEnum):
    """Where a release stands. `Paused` and `Waiting` are conditions, not phases."""

    IDLE = "Idle"
    PREPARING = "Preparing"
    STEPPING = "Stepping"
    PROMOTING = "Promoting"
    BAKING = "Baking"
    ROLLING_BACK = "RollingBack"
    ROLLED_BACK = "RolledBack"


class Outcome(StrEnum):
    """How a release ended."""

    PROMOTED = "promoted"
    PROMOTED_NOT_PROVEN = "promoted-not-proven"
    ROLLED_BACK = "rolled-back"
    ABORTED = "aborted"
    SUPERSEDED = "superseded"
    CANCELLED = "cancelled"


_LATEST = 253_402_300_799.0
"""The last second that RFC 3339 can name."""


def _epoch(value: Any) -> float:
    try:
        at = float(value) if isinstance(value, int | float) else datetime.fromisoformat(str(value)).timestamp()
    except OverflowError as error:
        raise ValueError(f"{value!r} is no time") from error
    if not 0 <= at <= _LATEST:
        raise ValueError(f"{value!r} is no time of this engine's")
    return at


def timestamp(seconds: float) -> str:
    """RFC 3339 with microseconds, UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


Time = Annotated[
    float,
    BeforeValidator(_epoch),
    PlainSerializer(timestamp, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]


class Kept(Model):
    """A part of the status: what a newer engine wrote into it is kept, and written back."""

    model_config = ConfigDict(extra="allow")


class Weight(Kept):
    """Percent of requests to the canary: asked for, on the route, taken by the gateway, seen in its counters."""

    desired: int = 0
    written: int | None = Field(default=None, description="on the route: less than desired until a pod is ready")
    accepted: int | None = None
    observed: float | None = None


class Version(Kept):
    """A revision and the image people know it by."""

    revision: str
    image: str = ""
    since: Time | None = None


def name_of(version: Version | None, *others: Version | None) -> str:
    """What people call a version; its revision stands beside it where another has the same image (other configuration).

    Empty where there is none.
    """
    if version is None:
        return ""
    same = any(each and each.image == version.image and each.revision != version.revision for each in others)
    suffix = version.revision.rsplit("-", 1)[-1]
    return f"{version.image} ({suffix})" if version.image and same else version.image or version.revision


class Command(Kept):
    """What a person asked for, by annotation."""

    id: str
    verb: str
    by: str = ""
    reason: str = ""
    generation: int | None = Field(default=None, description="of the spec when it was asked for")


class Refusal(Kept):
    """A revision that was taken back; it is not tried again until it changes or a person says `retry`."""

    revision: str
    image: str = ""
    at: Time
    reason: str


class Pause(Kept):
    """Who stopped the clock."""

    at: Time
    by: str = ""
    reason: str = ""


class Waiting(Kept):
    """What a phase waits for, and until when."""

    reason: str
    since: Time
    until: Time | None = Field(default=None, description="when it is taken back, or goes on, at the latest")
    gate: str = Field(
        default="",
        description="what holds it from outside: a pause, a manual gate, approvals, room in the engine",
    )
    unblock: str = Field(default="", description="the verb or the event that lets it go on")
    refused: bool = Field(
        default=False, description="the API server does not take an object: its schema, a quota, a webhook, a policy"
    )


class Reaction(Kept):
    """When evidence of a fault appeared, and how fast it was acted on."""

    evidence_at: Time | None = None
    decided_at: Time | None = None
    written_at: Time | None = None
    observed_at: Time | None = None


class JournalEntry(Kept):
    """One thing that happened."""

    at: Time
    what: What
    text: str
    weight: int | None = None


class StepRecord(Kept):
    """A step as it really was."""

    index: int
    weight: int
    hold_seconds: float
    started_at: Time
    accepted_at: Time | None = None
    verified_at: Time | None = None
    ended_at: Time | None = None
    observed: float | None = None
    verdict: str = ""


class Approved(Kept):
    """Who let a step begin."""

    step: int = Field(description="number of the step, the first is 1")
    approver: str = Field(description="user name, as the API server knows it")
    group: str = Field(default="", description="that the step asked for")
    reason: str = ""
    at: Time = Field(description="when it was approved")


class Release(Kept):
    """The release in flight, or baking."""

    id: str
    started_at: Time
    requested_by: str = ""
    reason: str = ""
    from_version: Version | None = None
    to_version: Version
    steps: list[StepRecord] = Field(default_factory=list)
    approvals: list[Approved] = Field(default_factory=list, description="of the steps that began")
    proven: bool = Field(default=False, description="the judge found it good at the end of a step or of the bake")
    outcome: Outcome | None = None
    outcome_reason: str = ""
    ended_at: Time | None = None
    reaction: Reaction = Reaction()
    verdict_at_end: dict[str, Any] = Field(default_factory=dict, json_schema_extra=FREE_FORM)
    excess_failed_requests: float = 0.0
    refused: bool = Field(default=False, description="it ended because the API server did not take an object of it")
    generation: int = Field(default=0, description="of the spec that it began with")
    pair: Pair | None = Field(default=None, description="images and configuration that it brings in")
    evidence: str = Field(
        default="", description="what took it back: signals, `silence` or `crashes`; empty where nothing was found bad"
    )
    incomplete: str = Field(default="", description="what of a rollback was not seen to be done; empty where all was")
    journal: list[JournalEntry] = Field(default_factory=list)
    journal_dropped: int = Field(default=0, description="entries that were dropped to keep the journal short")


class Cursor(Kept):
    """How far a channel has told the journal: a successor goes on there."""

    channel: str
    release: str = Field(default="", description="id of the release whose journal was told last")
    entries: int = Field(default=0, description="so many of its entries were told, dropped ones included")


class Condition(Kept):
    """A Kubernetes condition."""

    type: str
    status: str
    reason: str
    message: str = ""
    last_transition_time: Time


class Status(Kept):
    """`status` of a GrayRelease."""

    observed_generation: int = 0
    phase: Phase = Phase.IDLE
    step: int = 0
    steps: int = 0
    stable: Version | None = None
    canary: Version | None = None
    previous: Version | None = Field(default=None, description="while baking: the version an instant return goes to")
    desired_revision: str = ""
    spec_digest: str = Field(default="", description="of the spec in force, for who approves exactly that")
    replicas: int = Field(default=0, description="pods asked for, of all versions; what `/scale` answers")
    selector: str = Field(default="", description="labels of these pods, for autoscalers; what `/scale` answers")
    weight: Weight = Weight()
    phase_since: Time | None = None
    written_at: Time | None = Field(default=None, description="when the weight was first seen on the route")
    verified_at: Time | None = Field(default=None, description="when the step's clock began")
    withdrawn_at: Time | None = Field(
        default=None, description="since when the canary's share is with stable, because it has no ready pod"
    )
    threatened_since: Time | None = Field(
        default=None, description="since when all ready pods of the canary are on nodes that will be drained"
    )
    doubt: str = Field(default="", description="verdict that holds the step, or `not-ready`")
    doubt_since: Time | None = None
    held_since: Time | None = Field(default=None, description="when the hold began, whatever verdict it began with")
    gate_passed: int = Field(default=-1, description="highest step whose gate a person opened")
    paused: Pause | None = None
    refused: list[Refusal] = Field(default_factory=list)
    command: str = Field(default="", description="id of the last command carried out")
    command_answer: str = ""
    command_done: bool | None = Field(default=None, description="false: the command met nothing that it could act on")
    commands: list[str] = Field(default_factory=list, description="ids of commands carried out, the newest last")
    waiting: Waiting | None = Field(default=None, description="why the phase does not end yet")
    looked_at: Time | None = Field(
        default=None, description="when this status was decided; time after it is no time waited"
    )
    spec_generation: int = Field(default=0, description="generation of the spec in force: the newest valid one")
    epoch: int = 0
    holder: str = ""
    release: Release | None = None
    last: Release | None = None
    analysis: dict[str, Any] = Field(default_factory=dict, json_schema_extra=FREE_FORM)
    judge: str = Field(default="", description="the judge's sums, compressed; not for people")
    conditions: list[Condition] = Field(default_factory=list, json_schema_extra=by_key("type"))
    told: list[Cursor] = Field(default_factory=list, json_schema_extra=by_key("channel"))

    @property
    def in_flight(self) -> bool:
        """Whether a release is under way (baking included)."""
        return self.phase not in {Phase.IDLE, Phase.ROLLED_BACK}

    def wire(self) -> dict[str, Any]:
        """The JSON form: camelCase, without fields that are unset; what is no number is null."""
        made: dict[str, Any] = to_jsonable_python(self, by_alias=True, exclude_none=True, inf_nan_mode="null")
        return made

    def shifted(self, seconds: float) -> Status:
        """The status with the clocks that run set so many seconds later: time that nobody was there to count."""
        clocks = "phase_since written_at verified_at withdrawn_at threatened_since doubt_since held_since looked_at"
        moved = {name: at + seconds for name in clocks.split() if (at := getattr(self, name)) is not None}
        return self.model_copy(update=moved)
