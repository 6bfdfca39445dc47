"""What a promotion leaves beside the change: which versions, proven by which records, who and when."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from kube.errors import UsageError
from review.promotion.settings import FOLDER
from rollout.api.status import Outcome, Time, timestamp

if TYPE_CHECKING:
    from collections.abc import Sequence

SCHEMA: Literal["grayling.promotion/1"] = "grayling.promotion/1"


class Part(BaseModel):
    """Frozen, snake_case on the wire, as records are."""

    model_config = ConfigDict(frozen=True, extra="forbid", serialize_by_alias=True)


class Proof(Part):
    """The record that a version goes on by."""

    release: str = Field(description="id of the release")
    revision: str = Field(description="that was released, and is declared by the source")
    outcome: Outcome
    proven: bool = Field(description="it was compared with the version before, and found no worse")
    ended_at: Time | None
    digest: str = Field(description="sha256 of the record's text")
    place: str = Field(description="where it was read")


class Promoted(Part):
    """One service of a promotion."""

    service: str
    image: str = Field(description="as the target's stack file says it now")
    was: str = Field(description="before")
    digest: str = Field(description="of the image; empty where only its tag is known")
    changed: list[str] = Field(description="keys of the service that were written")
    own: list[str] = Field(description="keys that differ and stay the target's own")
    proof: Proof


class Note(Part):
    """The whole of it."""

    schema_name: Literal["grayling.promotion/1"] = Field(default=SCHEMA, alias="schema")
    id: str
    source: str = Field(alias="from")
    target: str = Field(alias="to")
    at: Time
    by: str
    reason: str
    allowed_unproven: str = Field(description="why versions that were promoted and not proven may go on; else empty")
    still_runs: bool = Field(description="the source's cluster was asked whether the versions still run there")
    before: str = Field(description="sha256 of the target's stack file before")
    after: str = Field(description="the same, of the file that this note stands beside")
    services: list[Promoted]

    def wire(self) -> dict[str, Any]:
        """The JSON form."""
        found: dict[str, Any] = json.loads(self.model_dump_json(by_alias=True))
        return found

    def place(self, project: Path) -> Path:
        """Where it is kept."""
        return project / FOLDER / "promotions" / self.target / f"{self.id}.json"


def identified(source: str, target: str, after: str, services: Sequence[Promoted]) -> str:
    """The same for the same promotion, whenever and by whomever it is made: one that was cut off is written anew."""
    said = json.dumps([source, target, after, [each.model_dump(mode="json") for each in services]], sort_keys=True)
    return f"{source}-{hashlib.sha256(said.encode()).hexdigest()[:12]}"


def digest(text: str) -> str:
    """``sha256:…`` of a text."""
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def keep(note: Note, project: Path) -> Path:
    """Write it, as a whole or not at all.

    Raises:
        UsageError: it cannot be written.
    """
    path = note.place(project)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".note.")
        with os.fdopen(handle, "w") as out:
            out.write(json.dumps(note.wire(), indent=2) + "\n")
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror}; mind its folder") from error
    return path


__all__ = ["Note", "Promoted", "Proof", "digest", "identified", "keep", "timestamp"]
