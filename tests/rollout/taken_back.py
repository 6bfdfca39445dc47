"""A pair that was taken back, for the tests of those who refuse it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from rollout.api.pair import Own, pair_of
from rollout.api.spec import Spec
from rollout.api.status import Outcome, Reaction, Release, Version
from rollout.api.taken_back import Forgiven, TakenBack, entry_of
from rollout.records.record import record_of

if TYPE_CHECKING:
    from pathlib import Path

    from kube.kinds import Manifest

AT = 1_800_000_000.0
FORGIVEN = Forgiven(by="ann", reason="the database was down", at=AT + 60)


def ended(manifest: Manifest, release: str = "0a1b-77", **changes: Any) -> Release:
    """The release of a GrayRelease, found bad."""
    meta = manifest["metadata"]
    spec = Spec.model_validate(manifest["spec"])
    image = spec.workload.template["spec"]["containers"][0]["image"]
    known: dict[str, Any] = {
        "id": release,
        "started_at": AT - 60,
        "ended_at": AT + 1,
        "to_version": Version(revision=f"{meta['name']}-0a1b", image=image),
        "outcome": Outcome.ROLLED_BACK,
        "outcome_reason": "errors: canary fails 50 %, stable 0 %",
        "pair": pair_of(spec, Own(meta["name"], meta.get("namespace", ""))),
        "evidence": "errors",
        "reaction": Reaction(decided_at=AT),
    }
    return Release(**(known | changes))


def entry(manifest: Manifest, release: str = "0a1b-77", forgiven: Forgiven | None = None, **changes: Any) -> TakenBack:
    """What a cluster remembers of it."""
    meta = manifest["metadata"]
    found = entry_of(meta["name"], meta.get("namespace", ""), ended(manifest, release, **changes))
    assert found is not None
    return found.model_copy(update={"forgiven": forgiven})


def kept(path: Path, manifest: Manifest, drop: tuple[str, ...] = (), **changes: Any) -> Path:
    """The file that CI keeps of it; without what an older engine did not write."""
    meta = manifest["metadata"]
    release = ended(manifest, **{"verdict_at_end": {"verdict": "bad"}} | changes)
    made = record_of(meta["name"], meta["namespace"], Spec.model_validate(manifest["spec"]), release).wire()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({key: value for key, value in made.items() if key not in drop}))
    return path
