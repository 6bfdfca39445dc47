"""A live local copy of some objects: one list, then a watch, forever; readers never ask the server.

The copy is as old as the last event (a few milliseconds) while :attr:`Reflector.healthy` is true; when the server does
not answer it keeps the last state and says since when.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import structlog

from kube.errors import KubeError

if TYPE_CHECKING:
    from collections.abc import Callable

    from kube.cluster import Cluster
    from kube.kinds import Kind, Manifest

Key = tuple[str, str]
log: Any = structlog.get_logger()


def key_of(manifest: Manifest) -> Key:
    """``(namespace, name)``."""
    meta = manifest["metadata"]
    return meta.get("namespace", ""), meta["name"]


class Reflector:
    """Mirrors one kind (in one namespace or all, under one label selector).

    ``on_change(key, object or None)`` is called from the event loop after the copy changed; None means deleted.
    """

    def __init__(
        self,
        cluster: Cluster,
        kind: Kind,
        namespace: str | None = None,
        *,
        labels: str = "",
        on_change: Callable[[Key, Manifest | None], None] = lambda _key, _object: None,
    ) -> None:
        self.objects: dict[Key, Manifest] = {}
        self.synced = asyncio.Event()
        self.healthy = False
        self._cluster, self._kind, self._namespace, self._labels = cluster, kind, namespace, labels
        self._on_change = on_change

    async def run(self) -> None:
        """Mirror until cancelled; errors are waited out with growing pauses of at most five seconds."""
        failures = 0
        while True:
            try:
                version = await self._relist()
                failures = 0
                await self._follow(version)
            except KubeError as error:
                self.healthy = False
                if failures == 0 and error.status != 410:  # noqa: PLR2004 - Gone
                    log.warning("watch broken", kind=self._kind.kind, error=str(error))
                await asyncio.sleep(min(5.0, 0.1 * 2**failures))
                failures += 1

    async def _relist(self) -> str:
        listed = await self._cluster.list(self._kind, self._namespace, labels=self._labels)
        fresh = {key_of(item): item for item in listed.items}
        gone = [key for key in self.objects if key not in fresh]
        changed = [key for key, item in fresh.items() if _version(self.objects.get(key)) != _version(item)]
        self.objects = fresh
        self.healthy = True
        self.synced.set()
        for key in gone:
            self._on_change(key, None)
        for key in changed:
            self._on_change(key, fresh[key])
        return listed.resource_version

    async def _follow(self, version: str) -> None:
        while True:
            stream = self._cluster.watch(self._kind, self._namespace, resource_version=version, labels=self._labels)
            async for event in stream:
                version = event.object["metadata"]["resourceVersion"]
                if event.type != "BOOKMARK":
                    self._take(event.type, event.object)

    def _take(self, event_type: str, item: Manifest) -> None:
        key = key_of(item)
        item.setdefault("apiVersion", self._kind.api_version)
        item.setdefault("kind", self._kind.kind)
        if _is_older(item, self.objects.get(key)):
            return
        if event_type == "DELETED":
            self.objects.pop(key, None)
            self._on_change(key, None)
        else:
            self.objects[key] = item
            self._on_change(key, item)

    def put(self, item: Manifest) -> None:
        """Take an object this process just wrote, so that it does not have to wait for its own event.

        The answer to a write may come after the event of a later one, by a quick controller: then it is history.
        """
        if not _is_older(item, self.objects.get(key_of(item))):
            self.objects[key_of(item)] = item


def _version(item: Manifest | None) -> str:
    return "" if item is None else str(item["metadata"].get("resourceVersion", ""))


def _is_older(item: Manifest, known: Manifest | None) -> bool:
    """Whether ``known`` is the same object at a later version; versions that are no numbers cannot be compared."""
    mine, theirs = _version(item), _version(known)
    return mine.isdecimal() and theirs.isdecimal() and int(mine) < int(theirs)
