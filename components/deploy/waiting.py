"""Waiting for objects: what is still missing is said when it changes, and in full when time is up."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from components.deploy.object_readiness import (
    WAITED_FOR,
    Readiness,
    pod_trouble,
    readiness,
)
from kube.errors import ClusterUnreachableError, KubeError, NotFoundError
from kube.kinds import EVENT, POD, Manifest, label_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from kube.cluster import Cluster

_LONGEST_REASON = 300


@dataclass(frozen=True, slots=True)
class Patience:
    """How long objects may take, and how often they are looked at. No seconds at all means not to wait."""

    seconds: float = 300.0
    every_s: float = 0.5


async def wait_ready(
    cluster: Cluster, objects: Iterable[Manifest], patience: Patience, tell: Callable[[str], None]
) -> list[str]:
    """Wait until all ``objects`` are ready; returns a line for each that is not, when time is up or hope is gone."""
    if patience.seconds <= 0:
        return []
    watched = [item for item in objects if item["kind"] in WAITED_FOR]
    found = await asyncio.gather(*(_wait_one(cluster, item, patience, tell) for item in watched))
    return [problem for problem in found if problem]


async def _wait_one(cluster: Cluster, item: Manifest, patience: Patience, tell: Callable[[str], None]) -> str:
    state, said, started = readiness(item), "", time.monotonic()
    while not state.ready:
        waited = time.monotonic() - started
        if state.failed or waited > patience.seconds:
            return await _problem(cluster, item, state, waited)
        if state.reason != said and waited > 2 * patience.every_s:
            said = state.reason
            tell(f"{'':<10} waiting   {label_of(item)}: {said}")
        await asyncio.sleep(patience.every_s)
        state = await _look(cluster, item, state)
    if said:
        tell(f"{'':<10} ready     {label_of(item)} after {time.monotonic() - started:.0f} s")
    return ""


async def _look(cluster: Cluster, item: Manifest, before: Readiness) -> Readiness:
    meta = item["metadata"]
    try:
        live = await cluster.get(await cluster.resolve(item), meta["name"], meta.get("namespace"))
    except NotFoundError:
        return Readiness(ready=False, reason="it was deleted while it was waited for", failed=True)
    except ClusterUnreachableError:
        return before
    return readiness({**live, "kind": item["kind"]})


async def _problem(cluster: Cluster, item: Manifest, state: Readiness, waited: float) -> str:
    details = [state.reason, *await troubles(cluster, item)]
    return f"{label_of(item)} is not ready after {waited:.0f} s: {'; '.join(detail for detail in details if detail)}"


async def troubles(cluster: Cluster, item: Manifest) -> list[str]:
    """What the pods of a workload complain about, else what the last warnings say about the workload itself."""
    try:
        return await _pod_troubles(cluster, item) or await _warnings(cluster, item)
    except KubeError:
        return []


async def _pod_troubles(cluster: Cluster, item: Manifest) -> list[str]:
    labels = ((item.get("spec") or {}).get("selector") or {}).get("matchLabels") or {}
    if not labels:
        return []
    selector = ",".join(f"{key}={value}" for key, value in labels.items())
    pods = (await cluster.list(POD, item["metadata"]["namespace"], labels=selector)).items
    found = ((pod["metadata"]["name"], pod_trouble(pod)) for pod in pods)
    return [f"pod {name}: {trouble[:_LONGEST_REASON]}" for name, trouble in found if trouble]


async def _warnings(cluster: Cluster, item: Manifest) -> list[str]:
    meta = item["metadata"]
    fields = f"involvedObject.name={meta['name']},involvedObject.kind={item['kind']},type=Warning"
    events = (await cluster.list(EVENT, meta.get("namespace"), fields=fields)).items
    latest = sorted(events, key=lambda event: str(event.get("lastTimestamp") or event.get("eventTime") or ""))
    return [str(event.get("message", ""))[:_LONGEST_REASON] for event in latest[-1:]]
