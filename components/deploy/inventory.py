"""What a stack owns on a cluster, by the ApplySet convention (KEP-3659): a parent object, and a label on each member.

The parent is a ConfigMap ``grayling-stack-<stack>``. It lists the kinds ever applied, so that pruning asks for
those and no others; kinds are added before their first object is written and dropped after their last one is gone.
"""

from __future__ import annotations

import asyncio
import hashlib
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING

from components.model.layers import identity
from kube.errors import ForbiddenError, NotFoundError
from kube.kinds import CONFIG_MAP, Manifest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kube.cluster import Cluster

PART_OF = "applyset.kubernetes.io/part-of"
ID = "applyset.kubernetes.io/id"
TOOLING = "applyset.kubernetes.io/tooling"
CONTAINS = "applyset.kubernetes.io/contains-group-kinds"
NAMESPACES = "applyset.kubernetes.io/additional-namespaces"
# Which version of each kind to list; not part of the convention, but kinds alone do not say it.
VERSIONS = "grayling.dev/contains-kinds"
MANAGER = "grayling-stack"
Key = tuple[str, str, str, str]
KindKey = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Inventory:
    """The set that one stack's objects form."""

    stack: str
    namespace: str

    @property
    def name(self) -> str:
        """Of the parent."""
        return f"grayling-stack-{self.stack}"

    @property
    def set_id(self) -> str:
        """The identifier the convention derives from the parent's name, namespace, kind and group."""
        digest = hashlib.sha256(f"{self.name}.{self.namespace}.ConfigMap.".encode()).digest()
        return f"applyset-{urlsafe_b64encode(digest).decode().rstrip('=')}-v1"

    def stamped(self, manifest: Manifest) -> Manifest:
        """The manifest as a member of the set."""
        meta = manifest["metadata"]
        return {**manifest, "metadata": {**meta, "labels": {**(meta.get("labels") or {}), PART_OF: self.set_id}}}

    def parent(self, kinds: Iterable[KindKey], namespaces: Iterable[str]) -> Manifest:
        """The parent of a set with these kinds."""
        found = sorted(set(kinds))
        elsewhere = sorted(set(namespaces) - {self.namespace, ""})
        groups = sorted({_group_kind(api_version, kind) for api_version, kind in found})
        annotations = {
            TOOLING: "grayling/v1",
            CONTAINS: ",".join(groups),
            VERSIONS: ",".join(f"{api_version}:{kind}" for api_version, kind in found),
            NAMESPACES: ",".join(elsewhere),
        }
        meta = {
            "name": self.name,
            "namespace": self.namespace,
            "labels": {ID: self.set_id, "app.kubernetes.io/managed-by": "grayling"},
            "annotations": annotations,
        }
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta}

    async def known_kinds(self, cluster: Cluster) -> set[KindKey]:
        """Kinds that the set may have members of; empty for a stack never applied."""
        parent = await cluster.find(CONFIG_MAP, self.name, self.namespace)
        pairs = [entry.rsplit(":", maxsplit=1) for entry in _noted(parent, VERSIONS) if ":" in entry]
        return {(api_version, kind) for api_version, kind in pairs}

    async def exists(self, cluster: Cluster) -> bool:
        """Whether the stack was ever applied there."""
        return await cluster.find(CONFIG_MAP, self.name, self.namespace) is not None

    async def members(self, cluster: Cluster, kinds: Iterable[KindKey]) -> dict[Key, Manifest]:
        """The live members of these kinds."""
        listed = await asyncio.gather(*(self._list(cluster, kind) for kind in set(kinds)))
        return {identity(item): item for items in listed for item in items}

    async def _list(self, cluster: Cluster, key: KindKey) -> list[Manifest]:
        labels = f"{PART_OF}={self.set_id}"
        try:
            kind = await cluster.resolve({"apiVersion": key[0], "kind": key[1]})
            return (await cluster.list(kind, labels=labels)).items
        except NotFoundError:
            return []  # the kind itself is gone, and its objects with it
        except ForbiddenError:
            if not kind.namespaced:
                raise
            parent = await cluster.find(CONFIG_MAP, self.name, self.namespace)
            places = {self.namespace, *_noted(parent, NAMESPACES)}
            listed = [await cluster.list(kind, place, labels=labels) for place in sorted(places)]
            return [item for found in listed for item in found.items]


def _noted(parent: Manifest | None, annotation: str) -> list[str]:
    noted = ((parent or {}).get("metadata", {}).get("annotations") or {}).get(annotation, "")
    return [entry for entry in str(noted).split(",") if entry]


def kinds_of(manifests: Iterable[Manifest]) -> set[KindKey]:
    """``(apiVersion, kind)`` of each."""
    return {(manifest["apiVersion"], manifest["kind"]) for manifest in manifests}


def namespaces_of(manifests: Iterable[Manifest]) -> set[str]:
    """Namespaces of each."""
    return {manifest["metadata"].get("namespace", "") for manifest in manifests}


def _group_kind(api_version: str, kind: str) -> str:
    group = api_version.rpartition("/")[0]
    return f"{kind}.{group}" if group else kind
