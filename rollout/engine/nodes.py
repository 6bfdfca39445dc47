"""Of nodes: the zone each is in, and which take no pods any more, because they were cordoned or their life ends.

Nodes are the cluster's, and an engine may not be allowed to read them. Then they are not known: that is told once and
asked again with growing pauses, and no release fails for it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import structlog

from kube.cache import Key, Reflector
from kube.kinds import NODE, Manifest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from kube.cluster import Cluster

log: Any = structlog.get_logger()
SILENT_SECONDS = 60.0
"""A mirror that was not whole for so long says nothing any more."""

ZONE_LABEL = "topology.kubernetes.io/zone"
"""Label of a node that names its zone, as cloud providers set it."""

_KEPT_OF = {
    "metadata": ("name", "resourceVersion", "labels"),
    "spec": ("unschedulable", "taints"),
}
_DRIVEN_OUT = {"NoSchedule", "NoExecute"}


class Nodes:
    """A live copy of the little that matters of each node."""

    def __init__(
        self, cluster: Cluster, monotonic: Callable[[], float] = lambda: asyncio.get_running_loop().time()
    ) -> None:
        self._mirror = Reflector(cluster, NODE, on_change=_shrink)
        self._monotonic = monotonic
        self._whole_at: float | None = None
        self._told = False

    async def run(self) -> None:
        """Mirror until cancelled."""
        await self._mirror.run()

    @property
    def known(self) -> bool | None:
        """Whether the nodes can be seen; None while nobody can say, because the mirror may be whole again soon."""
        now = self._monotonic()
        if self._mirror.healthy or self._whole_at is None:
            self._whole_at = now
        if self._mirror.healthy:
            self._told = False
            return True
        if now - self._whole_at < SILENT_SECONDS:
            return None
        if not self._told:
            self._told = True
            log.warning(
                "nodes are not known: a node that is drained is seen when its pods go, and a pod's zone is not known, "
                "only its node; the engine needs to get, list and watch nodes (controller.readNodes)"
            )
        return False

    def zone(self, node: str) -> str:
        """The zone of a node by its name; empty where it says none, or where nobody knows it."""
        found = self._mirror.objects.get(("", node)) or {}
        return str((found.get("metadata", {}).get("labels") or {}).get(ZONE_LABEL) or "")

    def leaves(self, pod: Manifest) -> bool:
        """Whether a pod is on a node that takes no such pods any more. A node that nobody knows is as any other."""
        spec = pod.get("spec") or {}
        node = self._mirror.objects.get(("", str(spec.get("nodeName") or "")))
        if node is None:
            return False
        says = node.get("spec") or {}
        tolerated = [each for each in spec.get("tolerations") or () if isinstance(each, dict)]
        return bool(says.get("unschedulable")) or any(
            _drives_out(taint, tolerated) for taint in says.get("taints") or () if isinstance(taint, dict)
        )


def _shrink(_key: Key, node: Manifest | None) -> None:
    """Keep the little that is read: the images a node has, and its conditions, are long."""
    if node is None:
        return
    for part in list(node):
        found, kept = node[part], _KEPT_OF.get(part)
        if kept is None:
            del node[part]
        elif isinstance(found, dict):
            node[part] = {key: found[key] for key in kept if key in found}
    labels = node["metadata"].get("labels")
    if isinstance(labels, dict):
        node["metadata"]["labels"] = {key: labels[key] for key in (ZONE_LABEL,) if key in labels}


def _drives_out(taint: Manifest, tolerations: Iterable[Manifest]) -> bool:
    """Whether a taint is one that the pod does not tolerate, or only for some time."""
    if taint.get("effect") not in _DRIVEN_OUT:
        return False
    return not any(_tolerates(each, taint) for each in tolerations if each.get("tolerationSeconds") is None)


def _tolerates(toleration: Manifest, taint: Manifest) -> bool:
    """As the scheduler compares them: an empty effect is any, and so is an empty key with `Exists`."""
    if toleration.get("effect") not in {None, "", taint.get("effect")}:
        return False
    exists = toleration.get("operator") == "Exists"
    if not toleration.get("key"):
        return exists
    same = toleration["key"] == taint.get("key")
    return same and (exists or (toleration.get("value") or "") == (taint.get("value") or ""))
