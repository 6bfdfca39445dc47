"""Reading a status that an older, a newer or a broken engine wrote: what cannot be read is left out and named.

A status decides what serves, so nothing that is missing may look like consent. A phase that this engine does not know,
with a canary in it, is a rollback that refuses nobody; a stable version that cannot be read is a pause.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from pydantic import ValidationError

from rollout.status import Outcome, Phase, Status
from rollout.texts import told

MOST_NOTES = 20
_MOST_ROUNDS = 50
_PHASES = {phase.value for phase in Phase}


def read(raw: object) -> tuple[Status, tuple[str, ...]]:
    """See :meth:`rollout.status.Status.read`."""
    if raw is None:
        return Status(), ()
    if not isinstance(raw, dict):
        return Status(), (f"status is {told(repr(raw))}, not a map: it counts as empty",)
    found, notes = deepcopy(raw), []
    notes += _settle_phase(found)
    status, more = _read(found)
    notes += more
    if raw.get("stable") and status.stable is None:
        notes.append("status.stable cannot be read: nothing is started; say which version serves, then `resume`")
        paused = {"at": 0.0, "by": "grayling", "reason": "status.stable cannot be read"}
        status = Status.model_validate({"paused": paused, "epoch": status.epoch, "command": status.command})
    return status, tuple(notes[:MOST_NOTES])


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
            first = error.errors(include_url=False, include_context=False)[0]
            where, said = list(first["loc"]), told(first["msg"])
            if not where or not _leave_out(raw, where[:-1] if first["type"] == "missing" else where):
                break
            notes.append(f"status.{'.'.join(map(str, where))}: {said}: left out")
    return Status(), [*notes, "status cannot be read: it counts as empty"]


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
