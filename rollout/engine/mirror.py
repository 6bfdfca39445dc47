"""The engine's eyes: one watch per kind for all releases, indexed by release, never a request in a decision."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import TYPE_CHECKING

from kube.cache import Key, Reflector
from kube.kinds import DEPLOYMENT, GRAY_RELEASE, HTTP_ROUTE, LEASE, POD, Kind, Manifest
from rollout.api.ownership import (
    Whose,
    controller_of,
    is_revision_of,
    owner_told,
    whose,
)
from rollout.api.revision import RELEASE_LABEL, REVISION_LABEL
from rollout.engine.approvals import Approvals
from rollout.engine.lease import PREFIX
from rollout.engine.memories import Memories
from rollout.engine.nodes import Nodes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from kube.cluster import Cluster
    from rollout.api.spec import GatewayStats

MOST_STRANGERS = 5
MIRRORED: tuple[tuple[Kind, str], ...] = (
    (GRAY_RELEASE, ""),
    (DEPLOYMENT, RELEASE_LABEL),
    (POD, RELEASE_LABEL),
    (HTTP_ROUTE, ""),
    (LEASE, "app.kubernetes.io/managed-by=grayling"),
)


class Mirror:
    """Live copies of GrayReleases and what belongs to them, in some namespaces or (None) all.

    ``on_change(release key)`` is called whenever something of a release changed. Nodes are looked at where there is
    somebody to look at them again: an engine that may go away at any time leaves no budget that holds up a drain.
    """

    def __init__(
        self,
        cluster: Cluster,
        namespaces: Iterable[str | None],
        on_change: Callable[[Key], None] = lambda _key: None,
        *,
        nodes: bool = True,
    ) -> None:
        self._cluster, self._on_change = cluster, on_change
        self._group: asyncio.TaskGroup | None = None
        self._proxies: dict[str, Reflector] = {}
        self._nodes = Nodes(cluster) if nodes else None
        self._owned: dict[str, dict[Key, dict[Key, Manifest]]] = {
            kind.kind: defaultdict(dict) for kind in (DEPLOYMENT, POD)
        }
        self.reflectors: dict[tuple[str, str | None], Reflector] = {}
        self._namespaces = list(namespaces)
        self.approvals = Approvals(cluster, self._namespaces, on_change)
        self.memories = Memories(cluster, self._namespaces, self._remembered)
        for namespace in self._namespaces:
            for kind, labels in MIRRORED:
                on = self._listener(kind)
                self.reflectors[kind.kind, namespace] = Reflector(cluster, kind, namespace, labels=labels, on_change=on)

    async def run(self) -> None:
        """Mirror until cancelled."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            for reflector in (*self.reflectors.values(), *self._proxies.values()):
                group.create_task(reflector.run())
            group.create_task(self.approvals.run())
            group.create_task(self.memories.run())
            if self._nodes is not None:
                group.create_task(self._nodes.run())

    async def synced(self) -> None:
        """Wait until everything was read once, or could not be: a namespace that is closed holds no other up."""
        await asyncio.gather(*(reflector.tried.wait() for reflector in self.reflectors.values()))

    @property
    def healthy(self) -> bool:
        """Whether every watch is up."""
        return all(reflector.healthy for reflector in self.reflectors.values())

    @property
    def serves(self) -> bool:
        """Whether every watch of at least one namespace is up: a namespace that is closed stops no other."""
        return any(self.healthy_in(namespace) for namespace in self._namespaces)

    def healthy_in(self, namespace: str | None) -> bool:
        """Whether every watch that shows a namespace is up."""
        return all(reflector.healthy for reflector in self._showing(namespace))

    def known(self, namespace: str) -> bool:
        """Whether there is a complete copy of a namespace: without it nobody can say what is missing there."""
        return all(reflector.synced.is_set() for reflector in self._showing(namespace))

    def _showing(self, namespace: str | None) -> list[Reflector]:
        return [each for (_, where), each in self.reflectors.items() if where in {namespace, None}]

    def releases(self) -> list[Key]:
        """Keys of every GrayRelease."""
        return sorted(key for reflector in self._of(GRAY_RELEASE) for key in reflector.objects)

    def release(self, key: Key) -> Manifest | None:
        """One GrayRelease."""
        return next((item for reflector in self._of(GRAY_RELEASE) if (item := reflector.objects.get(key))), None)

    def routes(self, namespace: str) -> Reflector:
        """The mirror that holds the routes of a namespace."""
        found = self.reflectors.get((HTTP_ROUTE.kind, namespace)) or self.reflectors.get((HTTP_ROUTE.kind, None))
        if found is None:
            raise KeyError(namespace)
        return found

    def lease(self, key: Key) -> Manifest | None:
        """The Lease of a release; None where there is none, or where the mirror cannot be trusted."""
        reflector = self.reflectors.get((LEASE.kind, key[0])) or self.reflectors.get((LEASE.kind, None))
        if reflector is None or not reflector.healthy:
            return None
        return reflector.objects.get((key[0], f"{PREFIX}{key[1]}"))

    def deployments(self, key: Key) -> dict[str, Manifest]:
        """Deployments of a release by revision: those that are its own, or that an earlier one of its name left."""
        named = [item for item in self._owned[DEPLOYMENT.kind][key].values() if is_revision_of(item, key[1])]
        uid = self._uid(key) if named else ""
        return {item["metadata"]["name"]: item for item in named if whose(item, key[1], uid) is not Whose.OTHERS}

    def pods(self, key: Key) -> list[Manifest]:
        """Pods that a Deployment of the release made."""
        return [item for item in self._owned[POD.kind][key].values() if _is_made_by_its_revision(item)]

    def strangers(self, key: Key) -> tuple[str, ...]:
        """What carries the labels of a release and is none of its objects, a sentence each, the first few."""
        known = self.deployments(key)
        made = [*self._owned[DEPLOYMENT.kind][key].values(), *self._owned[POD.kind][key].values()]
        told = [
            f"{item['kind']} {item['metadata']['name']} carries the label {RELEASE_LABEL}={key[1]} and belongs to "
            f"{owner_told(item)}: it is left as it is; take the label off"
            for item in made
            if not (item["metadata"]["name"] in known or _is_made_by_its_revision(item))
        ]
        return tuple(sorted(told)[:MOST_STRANGERS])

    def _uid(self, key: Key) -> str:
        release = self.release(key)
        return str(release["metadata"].get("uid", "")) if release is not None else ""

    @property
    def sees_nodes(self) -> bool | None:
        """Whether it is known which nodes are being drained; None while nobody can say."""
        return self._nodes.known if self._nodes is not None else False

    def leaves(self, pod: Manifest) -> bool:
        """Whether a pod is on a node that takes no such pods any more, as far as anybody knows."""
        return self._nodes is not None and self._nodes.leaves(pod)

    def zone(self, node: str) -> str:
        """The zone of a node by its name; empty where nobody knows it."""
        return self._nodes.zone(node) if self._nodes is not None else ""

    def proxies(self, stats: GatewayStats) -> Callable[[], list[Manifest]]:
        """The pods of a gateway's data plane, live; mirrored from the first call on, once for all releases."""
        labels = ",".join(f"{key}={value}" for key, value in sorted(stats.selector.items()))
        where = f"{stats.namespace}/{labels}"
        if where not in self._proxies:
            self._proxies[where] = Reflector(self._cluster, POD, stats.namespace, labels=labels)
            if self._group is not None:
                self._group.create_task(self._proxies[where].run())
        reflector = self._proxies[where]
        return lambda: list(reflector.objects.values())

    def _remembered(self) -> None:
        """Any release may be held by what another one took back."""
        for key in self.releases():
            self._on_change(key)

    def _of(self, kind: Kind) -> list[Reflector]:
        return [reflector for (name, _), reflector in self.reflectors.items() if name == kind.kind]

    def _listener(self, kind: Kind) -> Callable[[Key, Manifest | None], None]:
        if kind == LEASE:
            return lambda key, _item: self._on_change((key[0], key[1].removeprefix(PREFIX)))
        if kind.kind not in self._owned:
            return lambda key, _item: self._on_change(key)
        index = self._owned[kind.kind]

        def listen(key: Key, item: Manifest | None) -> None:
            owners = [owner for owner, items in index.items() if key in items] if item is None else [_owner(item)]
            for owner in owners:
                if item is None:
                    index[owner].pop(key, None)
                else:
                    index[owner][key] = item
                self._on_change(owner)

        return listen


def _is_made_by_its_revision(pod: Manifest) -> bool:
    """Whether a pod's ReplicaSet is one of the Deployment whose revision it carries as a label."""
    owner, revision = controller_of(pod), _label(pod, REVISION_LABEL)
    if owner is None or not revision or owner.get("kind") != "ReplicaSet":
        return False
    return str(owner.get("name", "")).startswith(f"{revision}-")


def _label(item: Manifest, label: str) -> str:
    return str((item["metadata"].get("labels") or {}).get(label) or "")


def _owner(item: Manifest) -> Key:
    return item["metadata"].get("namespace", ""), _label(item, RELEASE_LABEL)
