"""What speaks against a version when it turns round, and whether that is evidence against the version itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic_core import to_jsonable_python

from rollout.api.bounds import with_short_texts
from rollout.api.status import Phase

if TYPE_CHECKING:
    from rollout.api.status import Status
    from rollout.decide.observation import Observation


def on_evidence(status: Status, seen: Observation, *, convicted: bool) -> str:
    """What speaks against the version on trial itself; empty where it is time, a person, or something beside it.

    Signals that convicted it; else ``silence``, where answers are missing; else ``crashes`` of pods that never stay up.
    """
    found = seen.assessment
    if convicted and found is not None and found.verdict == "bad":
        return ", ".join(found.culprits) or "bad"
    if convicted:
        return "silence"
    return "crashes" if _crashes_alone(status, seen) else ""


def _crashes_alone(status: Status, seen: Observation) -> bool:
    """Whether the pods of the version on trial never stay up, while those of the other version do."""
    baking = status.phase is Phase.BAKING
    trial, other = (status.stable, status.previous) if baking else (status.canary, status.stable)
    facts = seen.revisions.get(trial.revision) if trial else None
    beside = seen.revisions.get(other.revision) if other else None
    return facts is not None and facts.crashed and (beside is None or beside.ready > 0)


def evidence_at_end(seen: Observation) -> tuple[dict[str, Any], float | None, float]:
    """What the judge says when a version turns round: as it is kept, when evidence began, and excess failures."""
    found = seen.assessment
    if found is None:
        return {}, None, 0.0
    told_of = with_short_texts(to_jsonable_python(found, inf_nan_mode="null"))
    return told_of, found.evidence_at, found.excess_failed_requests
