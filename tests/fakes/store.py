"""The objects of the fake API server: versions, generations, what goes with its owner, and what watchers see."""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from kube.kinds import KNOWN
from tests.fakes.patches import Object, matches

Key = tuple[str, str, str, str]
Watcher = tuple[str, str, str, str, asyncio.Queue[Object]]


@dataclass
class Store:
    objects: dict[Key, Object] = field(default_factory=dict)
    watchers: list[Watcher] = field(default_factory=list)
    log: deque[tuple[int, str, Key, Object]] = field(default_factory=lambda: deque(maxlen=500))
    forgotten: int = 0  # what happened up to this version is not known any more: watches from there are refused
    counter: Any = field(default_factory=lambda: itertools.count(1))

    def key(self, base: str, plural: str, namespace: str | None, name: str) -> tuple[str, str, str, str]:
        return base, plural, namespace or "", name

    def put(self, item: Object) -> Object:
        """Store an object as some controller would; watchers see it."""
        kind = KNOWN[item["apiVersion"], item["kind"]]
        key = self.key(kind.base, kind.plural, item["metadata"].get("namespace"), item["metadata"]["name"])
        known = self.objects.get(key)
        meta = item["metadata"]
        meta["resourceVersion"] = str(next(self.counter))
        meta.setdefault("uid", f"uid-{meta['name']}")
        meta.setdefault("creationTimestamp", moment(int(meta["resourceVersion"])))
        if known is None:
            meta.setdefault("generation", 1)
        else:
            same = known.get("spec") == item.get("spec")
            meta["generation"] = known["metadata"].get("generation", 1) + (0 if same else 1)
        if meta.get("deletionTimestamp") and not meta.get("finalizers"):
            self.remove(key)
            return item
        self.objects[key] = deepcopy(item)
        self._publish("ADDED" if known is None else "MODIFIED", key, item)
        return item

    def remove(self, key: tuple[str, str, str, str]) -> None:
        if item := self.objects.pop(key, None):
            item["metadata"]["resourceVersion"] = str(next(self.counter))
            self._publish("DELETED", key, item)
            for other, child in list(self.objects.items()):
                owners = child["metadata"].get("ownerReferences") or []
                if any(owner["uid"] == item["metadata"]["uid"] for owner in owners):
                    self.remove(other)

    def forget(self) -> None:
        """Compact: who wants to watch from before now must list again."""
        self.forgotten = next(self.counter)
        self.log.clear()

    def find(self, kind: str, name: str, namespace: str = "shop") -> Object | None:
        for (_, _, where, called), item in self.objects.items():
            if (item["kind"], called, where) == (kind, name, namespace):
                return item
        return None

    def all(self, kind: str) -> list[Object]:
        return [item for item in self.objects.values() if item["kind"] == kind]

    def _publish(self, event: str, key: tuple[str, str, str, str], item: Object) -> None:
        self.log.append((int(item["metadata"]["resourceVersion"]), event, key, deepcopy(item)))
        for base, plural, namespace, labels, queue in self.watchers:
            if (base, plural) == key[:2] and namespace in {"", key[2]} and matches(item, labels):
                queue.put_nowait({"type": event, "object": deepcopy(item)})

    def _replay(self, entry: tuple[str, str, str, str, asyncio.Queue[Object]], since: int) -> None:
        """What changed between the list and the watch; the real server keeps it too."""
        base, plural, namespace, labels, queue = entry
        for version, event, (b, p, ns, _), item in self.log:
            if (
                since < version
                and since
                and (b, p) == (base, plural)
                and namespace in {"", ns}
                and matches(item, labels)
            ):
                queue.put_nowait({"type": event, "object": deepcopy(item)})


def moment(version: int) -> str:
    """A creation time that grows with the version."""
    minutes, seconds = divmod(version, 60)
    return f"2026-01-01T{minutes // 60:02d}:{minutes % 60:02d}:{seconds:02d}Z"
