"""The engine's eyes: one watch per kind for all releases, indexed by release, never a request in a decision."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import TYPE_CHECKING

from kube.cache import Key, Reflector
from kube.kinds import DEPLOYMENT, GRAY_RELEASE, HTTP_ROUTE, POD, Kind, Manifest
from rollout.revision import RELEASE_LABEL, REVISION_LABEL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from kube.cluster import Cluster
    from rollout.spec import GatewayStats

MIRRORED: tuple[tuple[Kind, str], ...] = (
    (GRAY_RELEASE, ""),
    (DEPLOYMENT, RELEASE_LABEL),
    (POD, RELEASE_LABEL),
    (HTTP_ROUTE, ""),
)


class World:
    """Live copies of GrayReleases and what belongs to them, in some namespaces or (None) all.

    ``on_change(release key)`` is called whenever something of a release changed.
    """

    def __init__(
        self, cluster: Cluster, namespaces: Iterable[str | None], on_change: Callable[[Key], None] = lambda _key: None
    ) -> None:
        self._cluster, self._on_change = cluster, on_change
        self._group: asyncio.TaskGroup | None = None
        self._proxies: dict[str, Reflector] = {}
        self._owned: dict[str, dict[Key, dict[Key, Manifest]]] = {
            kind.kind: defaultdict(dict) for kind in (DEPLOYMENT, POD)
        }
        self.reflectors: dict[tuple[str, str | None], Reflector] = {}
        for namespace in namespaces:
            for kind, labels in MIRRORED:
                on = self._listener(kind)
                self.reflectors[kind.kind, namespace] = Reflector(cluster, kind, namespace, labels=labels, on_change=on)

    async def run(self) -> None:
        """Mirror until cancelled."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            for reflector in (*self.reflectors.values(), *self._proxies.values()):
                group.create_task(reflector.run())

    async def synced(self) -> None:
        """Wait for the first complete copy."""
        await asyncio.gather(*(reflector.synced.wait() for reflector in self.reflectors.values()))

    @property
    def healthy(self) -> bool:
        """Whether every watch is up."""
        return all(reflector.healthy for reflector in self.reflectors.values())

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

    def deployments(self, key: Key) -> dict[str, Manifest]:
        """Deployments of a release by revision."""
        return {_label(item, REVISION_LABEL): item for item in self._owned[DEPLOYMENT.kind][key].values()}

    def pods(self, key: Key) -> list[Manifest]:
        """Pods of a release."""
        return list(self._owned[POD.kind][key].values())

    def proxies(self, stats: GatewayStats) -> Callable[[], list[Manifest]]:
        """The pods of a gateway's data plane, live; mirrored from the first call on, once for all releases."""
        labels = ",".join(f"{key}={value}" for key, value in sorted(stats.selector.items()))
        where = f"{stats.namespace}/{labels}"
        if where not in self._proxies:
            self._proxies[where] = Reflector(self._cluster, POD, stats.namespace, labels=labels)
            if self._group is not None:
                self._group.create_task(self._proxies[where].run())
        mirror = self._proxies[where]
        return lambda: list(mirror.objects.values())

    def _of(self, kind: Kind) -> list[Reflector]:
        return [reflector for (name, _), reflector in self.reflectors.items() if name == kind.kind]

    def _listener(self, kind: Kind) -> Callable[[Key, Manifest | None], None]:
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


def _label(item: Manifest, label: str) -> str:
    return str(item["metadata"].get("labels", {}).get(label, ""))


def _owner(item: Manifest) -> Key:
    return item["metadata"].get("namespace", ""), _label(item, RELEASE_LABEL)
