"""How far a topology on the cluster is true, as its reconciler saw it last; what is old is unknown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from rollout.api.durations import duration_of
from topology.api.spec import EVERY_SECONDS, KIND
from topology.api.status import Reason, State, TopologyStatus

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kube.kinds import Manifest

STALE_SECONDS = 4 * EVERY_SECONDS
_SEEN = {Reason.RECONCILED.value, Reason.REFUSED.value, Reason.FAILED.value, Reason.WAITING.value}


def drift_of(live: Manifest, now: float) -> Iterator[str]:
    """Lines about an object of any kind; none where all that it declares is there."""
    if live.get("kind") != KIND:
        return
    status = _status(live.get("status") or {})
    condition = status.ready if status else None
    if status is None or condition is None:
        yield "unknown: no reconciler has said anything yet"
        return
    seen = status.observed_at
    age = "never" if seen is None else f"{duration_of(max(0, round(now - seen)))} ago"
    if condition.reason not in _SEEN:
        yield f"unknown: {condition.reason}: {condition.message} (seen last: {age})"
    elif seen is None or now - seen > STALE_SECONDS:
        yield f"unknown: the reconciler is silent (seen last: {age})"
    elif status.observed_generation != live["metadata"].get("generation", 0):
        yield f"unknown: the reconciler has not looked at this declaration yet (seen last: {age})"
    for item in status.items:
        if item.state is not State.READY:
            yield f"{item.label}: {item.state.value}: {item.reason}" + (f"; {item.fix}" if item.fix else "")


def put_right(live: Manifest, now: float) -> Iterator[str]:
    """What others changed last, and the reconciler made as declared again."""
    status = _status(live.get("status") or {}) if live.get("kind") == KIND else None
    if status and status.drifted and status.drifted_at is not None:
        ago = duration_of(max(0, round(now - status.drifted_at)))
        yield f"{live['metadata']['name']}: put right {ago} ago: {', '.join(status.drifted)}"


def _status(status: dict[str, Any]) -> TopologyStatus | None:
    try:
        return TopologyStatus.model_validate(status)
    except ValidationError:
        return None
