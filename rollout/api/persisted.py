"""Reading a status that an older, a newer or a broken engine wrote: what cannot be read is left out and named.

A status decides what serves, so nothing that is missing may look like consent. A phase that this engine does not know,
with a canary in it, is a rollback that refuses nobody, and so is one whose release cannot be read; a stable version or
a pause that cannot be read is a pause; a refusal whose time or reason cannot be read is still a refusal.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from pydantic import ValidationError

from rollout.api.status import (
    Outcome,
    Pause,
    Phase,
    Release,
    Status,
    Version,
    Weight,
)
from rollout.api.texts import told

MOST_NOTES = 20
_MOST_ROUNDS = 20
_NOTHING: dict[int | str, Any] = {"at": 0.0, "reason": "", "startedAt": 0.0, "text": "", "holdSeconds": 0.0}
"""Required fields that may be lost without losing what they belong to."""

_PHASES = {phase.value for phase in Phase}


def read_status(raw: object) -> tuple[Status, tuple[str, ...]]:
    """A status as it was persisted, by whatever engine, and what of it could not be read, a sentence each.

    It never raises: what cannot be read is as if it were not there, and nothing that cannot be read is taken for good:
    where it was what serves, or where a release stands, nothing is started, or the canary is taken back.
    """
    if raw is None:
        return Status(), ()
    if not isinstance(raw, dict):
        return Status(), (f"status is {told(repr(raw))}, not a map: it counts as empty",)
    found, notes = deepcopy(raw), []
    notes += _settle_phase(found)
    status, more = _read(found)
    notes += more
    if raw.get("paused") and status.paused is None:
        status = status.model_copy(update={"paused": _pause("status.paused cannot be read")})
    if status.in_flight and status.release is None:
        notes.append("status.release cannot be read: what is coming in is taken back, and may be tried again")
        status = _taken_back(status)
    if raw.get("stable") and status.stable is None:
        notes.append("status.stable cannot be read: nothing is started; say which version serves, then `resume`")
        paused = _pause("status.stable cannot be read")
        status = Status(paused=paused, epoch=status.epoch, command=status.command, commands=status.commands)
    return status, tuple(notes[:MOST_NOTES])


def _pause(reason: str) -> Pause:
    return Pause(at=0.0, by="grayling", reason=reason)


def _taken_back(status: Status) -> Status:
    """A release of which nothing is known but what it brings in, on its way back."""
    target = status.canary or status.stable or Version(revision="")
    if status.phase is Phase.BAKING and status.previous:
        turned = {"stable": status.previous, "canary": status.stable, "previous": None}
        status = status.model_copy(update=turned)
    said = {"outcome": Outcome.CANCELLED, "outcome_reason": "status.release cannot be read"}
    release = Release(id="unreadable", started_at=status.phase_since or 0.0, to_version=target, **said)
    back = {"phase": Phase.ROLLING_BACK, "release": release, "weight": Weight(), "written_at": None}
    return status.model_copy(update=back | {"verified_at": None, "withdrawn_at": None})


def _settle_phase(raw: dict[str, Any]) -> list[str]:
    """Take the canary back where nobody knows what it is in."""
    phase, canary = raw.get("phase"), raw.get("canary")
    if (isinstance(phase, str) and phase in _PHASES) or (phase is None and not canary):
        return []
    said = f"status.phase is {told(repr(phase))}, which this engine does not know"
    raw["phase"] = Phase.ROLLING_BACK.value if canary else Phase.IDLE.value
    if not canary:
        return [f"{said}: it counts as {raw['phase']}"]
    raw["weight"] = {}
    if isinstance(raw.get("release"), dict):
        raw["release"] |= {"outcome": Outcome.CANCELLED.value, "outcomeReason": said}
    return [f"{said}: the version that is coming in is taken back, and may be tried again"]


def _read(raw: dict[str, Any]) -> tuple[Status, list[str]]:
    """Leave out whatever is wrong until the rest can be read."""
    notes: list[str] = []
    for _ in range(_MOST_ROUNDS):
        try:
            return Status.model_validate(raw), notes
        except ValidationError as error:
            wrong = error.errors(include_url=False, include_context=False)
        mended = [_mend(raw, list(each["loc"]), each["type"]) for each in reversed(wrong)]  # indices stay what they are
        notes += [f"status.{'.'.join(map(str, each['loc']))}: {told(each['msg'])}: left out" for each in wrong]
        if not any(mended):
            break
    return Status(), [*notes, "status cannot be read: it counts as empty"]


def _mend(raw: dict[str, Any], where: list[int | str], kind: str) -> bool:
    """Do without what cannot be read at a path; whether anything was changed."""
    if kind == "missing":
        return _fill_in(raw, where) or _leave_out(raw, where[:-1])
    return _leave_out(raw, where)


def _fill_in(node: Any, where: list[int | str]) -> bool:
    """Put something that says nothing where only that is missing; whether there is such a thing."""
    *above, last = where
    for key in above:
        node = _below(node, key)
    if last not in _NOTHING or not isinstance(node, dict):
        return False
    node[last] = _NOTHING[last]
    return True


def _leave_out(node: Any, where: list[int | str]) -> bool:
    """Remove what is at a path, or the nearest that is there; whether anything was removed."""
    if not where:
        return False
    *above, last = where
    for depth, key in enumerate(above):
        below = _below(node, key)
        if not isinstance(below, dict | list):
            return _leave_out(node, [key]) if depth == 0 or below is not None else False
        node = below
    if isinstance(node, dict) and last in node:
        del node[last]
        return True
    if isinstance(node, list) and isinstance(last, int) and last < len(node):
        del node[last]
        return True
    return False


def _below(node: Any, key: int | str) -> Any:
    if isinstance(node, dict):
        return node.get(key)
    return node[key] if isinstance(node, list) and isinstance(key, int) and key < len(node) else None
