"""A live copy of what was taken back, in every namespace that this engine serves; read once for each change of it.

It stands beside the mirror and not in it: where nobody may read ConfigMaps a rollback goes on, and nothing begins.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from kube.cache import Reflector
from kube.kinds import CONFIG_MAP
from rollout.api.taken_back import LABEL, Memory, memory_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from kube.cache import Key
    from kube.cluster import Cluster
    from kube.kinds import Manifest


class Memories:
    """What is remembered in some namespaces or (None) all; ``on_change()`` is called when that changed."""

    def __init__(self, cluster: Cluster, namespaces: Iterable[str | None], on_change: Callable[[], None]) -> None:
        self._on_change, self._known = on_change, Memory()
        self._stale = True
        self.reflectors = {
            namespace: Reflector(cluster, CONFIG_MAP, namespace, labels=LABEL, on_change=self._changed)
            for namespace in namespaces
        }

    async def run(self) -> None:
        """Mirror until cancelled; who waits for the first reading is told of it, also where nothing is remembered."""
        async with asyncio.TaskGroup() as group:
            for each in self.reflectors.values():
                group.create_task(each.run())
                group.create_task(self._told(each))

    async def _told(self, reflector: Reflector) -> None:
        await reflector.synced.wait()
        self._on_change()

    def read(self) -> Memory:
        """All that is remembered. Where it was never read, that is told as what cannot be read."""
        if self._stale:
            self._known, self._stale = memory_in(self._kept()), False
        unread = tuple(
            f"ConfigMaps labelled {LABEL} in {namespace or 'all namespaces'} were not read yet; "
            "the engine needs get, list and watch of configmaps there"
            for namespace, each in self.reflectors.items()
            if not each.synced.is_set()
        )
        return self._known.joined(Memory(unreadable=unread)) if unread else self._known

    def _kept(self) -> Iterator[Manifest]:
        for each in self.reflectors.values():
            yield from each.objects.values()

    def _changed(self, _key: Key, _item: Manifest | None) -> None:
        self._stale = True
        self._on_change()
