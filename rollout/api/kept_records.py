"""Records that were kept as files, by CI or in the project: what they took back stays out where no cluster is asked.

A file that cannot be read keeps everything out: nobody can say what it would have kept out.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from rollout.api.pair import Pair
from rollout.api.status import Outcome, Time
from rollout.api.taken_back import MOST_TEXT, Forgiven, Memory, TakenBack, what_is_wrong
from rollout.api.texts import told

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

FOLDER = ".grayling/records"
MOST_BYTES = 16_000_000
BAD = "bad"


class _Version(BaseModel):
    revision: str
    image: str


class KeptRecord(BaseModel):
    """What of a record says what was taken back, and whether a person let it in again."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    schema_name: Literal["grayling.record/1"] = Field(alias="schema")
    id: str
    name: str
    namespace: str
    outcome: Outcome | None
    outcome_reason: str = ""
    verdict: str = ""
    evidence: str = ""
    pair: Pair | None = None
    to: _Version
    started_at: Time
    ended_at: Time | None = None
    forgiven: Forgiven | None = None

    def taken_back(self) -> TakenBack | None:
        """What it keeps out; None where the release was not taken back on evidence.

        An older engine wrote no pair, and that it was convicted stands in the verdict.
        """
        convicted = bool(self.evidence) or (self.pair is None and self.verdict == BAD)
        if self.outcome is not Outcome.ROLLED_BACK or not convicted:
            return None
        return TakenBack(
            release=self.id,
            name=self.name,
            namespace=self.namespace,
            image=self.to.image or self.to.revision,
            evidence=self.evidence or self.verdict,
            reason=told(self.outcome_reason, MOST_TEXT),
            at=self.ended_at or self.started_at,
            pair=self.pair,
            forgiven=self.forgiven,
        )


def read_record(path: Path) -> KeptRecord:
    """The record in a file.

    Raises:
        ValueError: there is none that can be read; names the file, what is wrong and what to do.
    """
    try:
        return _small(path)
    except (OSError, ValueError, RecursionError) as error:
        fix = "write it again with `grayling release record NAME ID -o json=FILE`, or take it away"
        raise ValueError(f"{path}: no record that can be read ({what_is_wrong(error)}): {fix}") from error


def _small(path: Path) -> KeptRecord:
    """The record in a file that is no larger than one can be.

    Raises:
        ValueError: it is larger, or no record.
    """
    size = path.stat().st_size
    if size > MOST_BYTES:
        raise ValueError(f"it has {size:,} bytes, at most {MOST_BYTES:,} are read")
    return KeptRecord.model_validate_json(path.read_bytes())


def memory_in_records(paths: Iterable[Path]) -> Memory:
    """What records in files keep out."""
    entries: list[TakenBack] = []
    unreadable: list[str] = []
    for path in paths:
        try:
            found = read_record(path).taken_back()
        except ValueError as error:
            unreadable.append(str(error))
            continue
        entries += [found] if found is not None else []
    return Memory(tuple(entries), tuple(unreadable))


def records_of(project: Path) -> list[Path]:
    """The records that a project keeps."""
    return sorted((project / FOLDER).glob("*.json"))


def forgive(path: Path, word: Forgiven) -> KeptRecord:
    """Write a person's word into the record of a file; all else in it stays.

    Raises:
        ValueError: it is no record that can be read, or it keeps nothing out.
    """
    record = read_record(path)
    if record.taken_back() is None:
        raise ValueError(
            f"{path}: release {record.id} of {record.name} was not taken back on evidence: nothing to forgive"
        )
    whole: dict[str, Any] = json.loads(path.read_bytes())
    whole["forgiven"] = word.model_dump(mode="json", by_alias=True)
    written = path.with_name(f"{path.name}.new")
    written.write_text(json.dumps(whole, indent=2, ensure_ascii=False) + "\n")
    written.replace(path)
    return record
