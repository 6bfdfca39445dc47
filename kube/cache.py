"""A live local copy of some objects: one list, then a watch, forever; readers never ask the server.

The copy is as old as the last event (a few milliseconds) while :attr:`Reflector.healthy` is true; when the server does
not answer it keeps the last state and says since when.
"""

from __future__ import annotations

import asyncio
import random
from functools import partial
from typing import TYPE_CHECKING, Any

import structlog

from kube.answers import is_named
from kube.errors import KubeError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from kube.cluster import Cluster
    from kube.kinds import Kind, Manifest

Key = tuple[str, str]
log: Any = structlog.get_logger()
GONE = 410
FIRST_SECONDS, MOST_SECONDS = 0.1, 10.0
LIVED_SECONDS = 5.0
"""A watch that lives shorter was not ended by its time."""


def key_of(manifest: Manifest) -> Key:
    """``(namespace, name)``."""
    meta = manifest["metadata"]
    return meta.get("namespace", ""), meta["name"]


class Reflector:
    """Mirrors one kind (in one namespace or all, under one label selector and one field selector).

    ``on_change(key, object or None)`` is called from the event loop after the copy changed; None means deleted.

    Attributes:
        objects: the copy, by namespace and name.
        synced: set with the first complete copy.
        tried: set with the first attempt at one, whatever came of it.
        healthy: the copy is as old as the last event.
    """

    def __init__(
        self,
        cluster: Cluster,
        kind: Kind,
        namespace: str | None = None,
        *,
        labels: str = "",
        fields: str = "",
        on_change: Callable[[Key, Manifest | None], None] = lambda _key, _object: None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        monotonic: Callable[[], float] = lambda: asyncio.get_running_loop().time(),
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.objects: dict[Key, Manifest] = {}
        self.synced, self.tried = asyncio.Event(), asyncio.Event()
        self.healthy = False
        self._sleep, self._monotonic, self._chance = sleep, monotonic, chance
        self._failures, self._said = 0, ""
        self._cluster, self._kind, self._namespace = cluster, kind, namespace
        self._labels, self._fields = labels, fields
        self._on_change = on_change

    async def run(self) -> None:
        """Mirror until cancelled. Errors are waited out with pauses that grow, are never the same, and heed the server.

        A watch that ends at once, however politely, counts as an error: it is not asked for again at once.
        """
        while True:
            began = self._monotonic()
            try:
                await self._follow(await self._relist())
            except KubeError as error:
                self._broke(error)
                pause = max(getattr(error, "retry_after", 0.0), self._pause())
            except Exception as error:  # a mirror that ends would leave its readers with the past
                log.exception("watch broken", kind=self._kind.kind)
                self._broke(error)
                pause = self._pause()
            else:
                lived = self._monotonic() - began >= LIVED_SECONDS
                self.healthy, pause = lived, 0.0 if lived else self._pause()
            self.tried.set()
            await self._sleep(pause)

    def _broke(self, error: Exception) -> None:
        self.healthy = False
        if str(error) != self._said and getattr(error, "status", 0) != GONE:
            self._said = str(error)
            log.warning("watch broken", kind=self._kind.kind, namespace=self._namespace, error=str(error)[:500])

    def _pause(self) -> float:
        """Seconds before the next attempt; one more failure in a row is noted."""
        self._failures += 1
        return min(MOST_SECONDS, FIRST_SECONDS * 2.0 ** min(self._failures - 1, 20)) * (0.5 + self._chance())

    async def _relist(self) -> str:
        listed = await self._cluster.list(self._kind, self._namespace, labels=self._labels, fields=self._fields)
        fresh = {key_of(item): item for item in listed.items}
        gone = [key for key in self.objects if key not in fresh]
        changed = [key for key, item in fresh.items() if _version(self.objects.get(key)) != _version(item)]
        self.objects = fresh
        self.healthy = True
        self.synced.set()
        self.tried.set()
        for key in gone:
            self._tell(key, None)
        for key in changed:
            self._tell(key, fresh[key])
        return listed.resource_version

    async def _follow(self, version: str) -> None:
        """Take in changes until a watch ends sooner than a server ends one by itself."""
        watch = partial(self._cluster.watch, self._kind, self._namespace, labels=self._labels, fields=self._fields)
        while True:
            began = self._monotonic()
            stream = watch(resource_version=version)
            async for event in stream:
                version = str(event.object["metadata"].get("resourceVersion") or version)
                if event.type != "BOOKMARK" and is_named(event.object):
                    self._take(event.type, event.object)
            if self._monotonic() - began < LIVED_SECONDS:
                return
            self._failures, self._said = 0, ""

    def _take(self, event_type: str, item: Manifest) -> None:
        key = key_of(item)
        item.setdefault("apiVersion", self._kind.api_version)
        item.setdefault("kind", self._kind.kind)
        if _is_older(item, self.objects.get(key)):
            return
        if event_type == "DELETED":
            self.objects.pop(key, None)
            self._tell(key, None)
        else:
            self.objects[key] = item
            self._tell(key, item)

    def _tell(self, key: Key, item: Manifest | None) -> None:
        """Tell a reader of one change; one that raises misses none of those that follow."""
        try:
            self._on_change(key, item)
        except Exception:
            log.exception("a change could not be taken in", kind=self._kind.kind, object="/".join(key))

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
