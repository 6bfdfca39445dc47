"""Whether a version was proven: the record of its release, held against what is declared and what runs now.

Pure. What is missing, unreadable or contradictory is never taken for a proof.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import ValidationError

from kube.errors import GraylingError
from rollout.api.status import Outcome
from rollout.records.fields import object_of
from rollout.records.record import SCHEMA, Record

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rollout.api.status import Status

PROVEN, UNPROVEN = Outcome.PROMOTED, Outcome.PROMOTED_NOT_PROVEN


class NotProvenError(GraylingError):
    """A version may not go on, with every reason; nothing was written."""

    exit_code = 13


@dataclass(frozen=True, slots=True)
class Declared:
    """A service as the source's stack file declares it now."""

    service: str
    namespace: str
    revision: str
    image: str


@dataclass(frozen=True, slots=True)
class Kept:
    """A record, the digest of its text, and where it was read."""

    record: Record
    digest: str
    place: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """The record that proves a version, or nearly: a first version had none to be compared with."""

    kept: Kept
    proven: bool


def read_record(text: str, place: str) -> Kept:
    """A record as it was kept.

    Raises:
        NotProvenError: it is none, or contradicts itself.
    """
    try:
        found = object_of(text)
        record = Record.model_validate(found)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        told = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
        raise _unreadable(place, told) from None
    except ValueError as error:
        raise _unreadable(place, str(error)) from None
    if found.get("schema") != SCHEMA:
        raise _unreadable(place, f"schema is {found.get('schema')!r}, expected {SCHEMA!r}")
    if contradiction := _contradiction(record):
        raise _unreadable(place, contradiction)
    return Kept(record, f"sha256:{hashlib.sha256(text.encode()).hexdigest()}", place)


def _unreadable(place: str, told: str) -> NotProvenError:
    return NotProvenError(f"{place}: is no record that can be believed: {told}; have it written again by its cluster")


def _contradiction(record: Record) -> str:
    if (record.outcome is None) != (record.ended_at is None):
        return "outcome and ended_at: one of them is missing"
    if record.ended_at is not None and record.ended_at < record.started_at:
        return "ended_at is before started_at"
    if record.outcome is PROVEN and not record.proven:
        return "outcome is promoted, and proven is false"
    return ""


def evidence_for(declared: Declared, kept: Sequence[Kept], status: Status | None) -> Evidence:
    """The newest record of the declared revision, if it is one of success and nothing speaks against it.

    Args:
        declared: what the source's stack file says now.
        kept: every record there is; those of other services do not count.
        status: of the service in its cluster; None where only files were given.

    Raises:
        NotProvenError: it may not go on.
    """
    mine = [
        each for each in kept if (each.record.namespace, each.record.name) == (declared.namespace, declared.service)
    ]
    mine.sort(key=lambda each: each.record.started_at)
    if status is not None:
        _insist_that_it_runs(declared, status)
    if not mine:
        raise _refused(declared, "there is no record of a release of it")
    if mine[-1].record.outcome is None:
        told = f"its release {mine[-1].record.id} still runs or bakes ({mine[-1].place}): wait until it has ended"
        raise _refused(declared, told)
    fitting = [each for each in mine if each.record.to_version.revision == declared.revision]
    if not fitting:
        newest = mine[-1]
        raise _refused(
            declared,
            f"the newest record ({newest.place}) is of {newest.record.to_version.revision}, and the stack file "
            f"declares {declared.revision}: it was changed since, or never released",
        )
    successes = [each for each in mine if each.record.outcome in {PROVEN, UNPROVEN}]
    if successes and successes[-1].record.to_version.revision != declared.revision:
        newer = successes[-1].record.to_version.revision
        raise _refused(declared, f"{newer} was promoted there since ({successes[-1].place})")
    return _of_success(declared, fitting[-1])


def _of_success(declared: Declared, kept: Kept) -> Evidence:
    record = kept.record
    if record.outcome is None or record.outcome not in {PROVEN, UNPROVEN}:
        told = f"{record.outcome}: {record.outcome_reason}".rstrip(": ")
        raise _refused(declared, f"its release {record.id} ended {told} ({kept.place})")
    if record.to_version.image != declared.image:
        told = f"{kept.place} names the image {record.to_version.image}, and its revision has {declared.image}"
        raise _refused(declared, f"{told}: is no record that can be believed")
    compared = record.from_version is not None
    return Evidence(kept, proven=record.outcome is PROVEN and compared)


def _insist_that_it_runs(declared: Declared, status: Status) -> None:
    """What was promoted once may have been taken back since."""
    if status.in_flight:
        raise _refused(declared, f"a release of it is under way ({status.phase.value}): wait until it has ended")
    running = status.stable.revision if status.stable else "nothing that is known"
    if running != declared.revision:
        raise _refused(
            declared,
            f"{running} runs there, and the stack file declares {declared.revision}: bring that in first, "
            "or declare what runs",
        )


def _refused(declared: Declared, told: str) -> NotProvenError:
    return NotProvenError(f"{declared.namespace}/{declared.service}: {told}")
