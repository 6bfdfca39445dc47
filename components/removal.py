"""Taking objects away: last layer first, each wave gone before the next, so that a controller outlives its objects."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from components.layers import waves
from kube.errors import ClusterUnreachableError
from kube.kinds import Manifest, label_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from components.waiting import Patience
    from kube.cluster import Cluster


async def remove(
    cluster: Cluster, objects: Sequence[Manifest], patience: Patience, done: Callable[[str], None]
) -> list[str]:
    """Delete ``objects`` and wait until they are gone; returns a line for each that would not go in time.

    Raises:
        KubeError: a deletion was refused.
    """
    for _, wave in reversed(waves(objects)):
        found = await asyncio.gather(*(_remove_one(cluster, item, patience, done) for item in wave))
        if problems := [problem for problem in found if problem]:
            return problems
    return []


async def _remove_one(cluster: Cluster, item: Manifest, patience: Patience, done: Callable[[str], None]) -> str:
    kind, meta = await cluster.resolve(item), item["metadata"]
    name, namespace = meta["name"], meta.get("namespace")
    await cluster.delete(
        kind, name, namespace, propagation="Foreground" if item["kind"] != "Namespace" else "Background"
    )
    started = time.monotonic()
    while patience.seconds > 0:
        try:
            live = await cluster.find(kind, name, namespace)
        except ClusterUnreachableError:
            live = item
        if live is None or live["metadata"].get("uid") != meta.get("uid"):
            break
        if time.monotonic() - started > patience.seconds:
            return _stuck(item, live, patience.seconds)
        await asyncio.sleep(patience.every_s)
    done(label_of(item))
    return ""


def _stuck(item: Manifest, live: Manifest, seconds: float) -> str:
    finalizers = live["metadata"].get("finalizers") or []
    held = f"held by {', '.join(finalizers)}; whoever set it must be running" if finalizers else "still terminating"
    return f"{label_of(item)} is not gone after {seconds:.0f} s: {held}"
