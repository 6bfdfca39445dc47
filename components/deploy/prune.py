"""Taking objects away: last layer first, each wave gone before the next, so that a controller outlives its objects."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Literal

from components.model.layers import waves
from kube.errors import ClusterUnreachableError, ConflictError
from kube.kinds import Manifest, label_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from components.deploy.waiting import Patience
    from kube.cluster import Cluster

OF_THE_SERVER = "foregroundDeletion"
"""Set by the API server itself until everything that the object owns is gone."""

SILENT_S = 5.0
"""After which it is said what is waited for."""


async def remove(
    cluster: Cluster,
    objects: Sequence[Manifest],
    patience: Patience,
    done: Callable[[str], None],
    tell: Callable[[str], None] = lambda _line: None,
) -> list[str]:
    """Delete ``objects`` and wait until they are gone; returns a line for each that would not go in time.

    Raises:
        KubeError: a deletion was refused.
    """
    for _, wave in reversed(waves(objects)):
        # All of a wave come to their end before an error is told: nothing is deleted behind its back.
        removals = (_remove_one(cluster, item, patience, done, tell) for item in wave)
        found = await asyncio.gather(*removals, return_exceptions=True)
        for each in found:
            if isinstance(each, BaseException):
                raise each
        if problems := [problem for problem in found if isinstance(problem, str) and problem]:
            return problems
    return []


async def _remove_one(
    cluster: Cluster, item: Manifest, patience: Patience, done: Callable[[str], None], tell: Callable[[str], None]
) -> str:
    kind, meta = await cluster.resolve(item), item["metadata"]
    name, namespace, uid = meta["name"], meta.get("namespace"), str(meta.get("uid") or "")
    try:
        way: Literal["Background", "Foreground"] = "Background" if item["kind"] == "Namespace" else "Foreground"
        await cluster.delete(kind, name, namespace, propagation=way, uid=uid)
    except ConflictError:
        return f"{label_of(item)} was made anew meanwhile and is left alone; run it again"
    started, said = time.monotonic(), ""
    while patience.seconds > 0:
        try:
            live = await cluster.find(kind, name, namespace)
        except ClusterUnreachableError:
            live = item
        if live is None or live["metadata"].get("uid") != meta.get("uid"):
            break
        waited = time.monotonic() - started
        if waited > patience.seconds:
            return f"{label_of(item)} is not gone after {patience.seconds:.0f} s: {held_by(live)}"
        if waited > SILENT_S and held_by(live) != said:
            said = held_by(live)
            tell(f"{'':<10} waiting   {label_of(item)}: {said}")
        await asyncio.sleep(patience.every_s)
    done(label_of(item))
    return ""


def held_by(live: Manifest) -> str:
    """What keeps an object that is being deleted."""
    finalizers = live["metadata"].get("finalizers") or []
    if others := [each for each in finalizers if each != OF_THE_SERVER]:
        return f"held by {', '.join(others)}; whoever set it must be running"
    if finalizers:
        return "what belongs to it is not gone yet"
    told = [
        str(condition.get("message", ""))
        for condition in (live.get("status") or {}).get("conditions") or ()
        if condition.get("status") == "True" and str(condition.get("type", "")).startswith("Namespace")
    ]
    return f"still terminating{': ' if told else ''}{'; '.join(told)}"
