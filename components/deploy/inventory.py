"""What a stack owns on a cluster, by the ApplySet convention (KEP-3659): a parent object, and a label on each member.

The parent is a ConfigMap ``grayling-stack-<stack>``. It lists the kinds ever applied, so that pruning asks for
those and no others; kinds are added before their first object is written and dropped after their last one is gone.
"""

from __future__ import annotations

import asyncio
import hashlib
from base64 import urlsafe_b64encode
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from components.deploy.applied import KEY
from components.deploy.refusal import named
from components.model.layers import identity
from kube.errors import ForbiddenError, NotFoundError
from kube.kinds import CONFIG_MAP, KNOWN, Manifest, label_of

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
HELD = "grayling.dev/held"
"""Which command is at it: see :mod:`components.deploy.fence`."""
MANAGER = "grayling-stack"
_NEVER_OURS = {"Pod", "Node", "Event", "Lease"}
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

    def parent(self, kinds: Iterable[KindKey], namespaces: Iterable[str], applied: str = "") -> Manifest:
        """The parent of a set with these kinds; ``applied`` is the record of what was applied last."""
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
        kept = {"binaryData": {KEY: applied}} if applied else {}
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, **kept}

    async def find(self, cluster: Cluster) -> Manifest | None:
        """The parent, if the stack was ever applied there."""
        return await cluster.find(CONFIG_MAP, self.name, self.namespace)

    async def look(self, cluster: Cluster, declared: Iterable[KindKey] = ()) -> Kept:
        """What the stack keeps there. Where the parent is lost, members are looked for by their label in all kinds."""
        parent = await self.find(cluster)
        pairs = [entry.rsplit(":", maxsplit=1) for entry in _noted(parent, VERSIONS) if ":" in entry]
        known = {(api_version, kind) for api_version, kind in pairs} | set(declared)
        guessed = set() if pairs else {key for key in KNOWN if key[1] not in _NEVER_OURS} - known
        asked = [*known, *guessed]
        listed = await asyncio.gather(
            *(self._list(cluster, key, parent) for key in known), *(self._perhaps(cluster, key) for key in guessed)
        )
        marked = [item for items in listed for item in items or ()]
        unseen = {key for key, items in zip(asked, listed, strict=True) if items is None and key in known}
        members = {identity(item): item for item in marked if _written_by_us(item)}
        copies = [item for item in marked if not _written_by_us(item)]
        return Kept(parent, known | kinds_of(members.values()), members, copies, unseen)

    async def elsewhere(self, cluster: Cluster) -> list[str]:
        """Other namespaces in which a stack of this name stands."""
        try:
            parents = (await cluster.list(CONFIG_MAP, None, labels=ID)).items
        except ForbiddenError:
            return []
        places = {item["metadata"]["namespace"] for item in parents if item["metadata"]["name"] == self.name}
        return sorted(places - {self.namespace})

    async def nothing_there(self, cluster: Cluster) -> str:
        """What to say where the stack keeps nothing."""
        places = await self.elsewhere(cluster)
        where = f"one of that name is in {', '.join(places)}: was environment.namespace edited?" if places else ""
        return f"nothing of stack {self.stack} in namespace {self.namespace}: {where or 'is it another cluster?'}"

    async def _perhaps(self, cluster: Cluster, key: KindKey) -> list[Manifest] | None:
        with suppress(ForbiddenError):
            return await self._list(cluster, key, None)
        return []

    async def _list(self, cluster: Cluster, key: KindKey, parent: Manifest | None) -> list[Manifest] | None:
        labels = f"{PART_OF}={self.set_id}"
        try:
            kind = await cluster.resolve({"apiVersion": key[0], "kind": key[1]})
            return (await cluster.list(kind, labels=labels)).items
        except NotFoundError:
            return None  # its definition is gone, and its objects with it; or is not served just now
        except ForbiddenError:
            if not kind.namespaced:
                raise
            places = {self.namespace, *_noted(parent, NAMESPACES)}
            listed = [await cluster.list(kind, place, labels=labels) for place in sorted(places)]
            return [item for found in listed for item in found.items]


@dataclass(frozen=True, slots=True)
class Kept:
    """What a stack keeps on a cluster.

    Attributes:
        parent: of its set, as it was read before everything else.
        kinds: that members may be of.
        members: of its set.
        copies: bear its label and were never written by it: somebody copied a member with its labels.
        unseen: kinds that the server does not have now; whether there are members comes out when it has them again.
    """

    parent: Manifest | None
    kinds: set[KindKey]
    members: dict[Key, Manifest]
    copies: list[Manifest]
    unseen: set[KindKey]

    def strangers(self, declared: Iterable[Manifest] = ()) -> str:
        """What to say of copies that are not ``declared``; empty where there are none."""
        wanted = {identity(item) for item in declared}
        labels = [label_of(item) for item in self.copies if identity(item) not in wanted]
        if not labels:
            return ""
        return (
            f"left alone, since they bear this stack's label and it never wrote them: {named(labels)} "
            f"(copied? take the label {PART_OF} off; restored from a backup? apply first)"
        )


def _written_by_us(item: Manifest) -> bool:
    return any(entry.get("manager") == MANAGER for entry in item["metadata"].get("managedFields") or ())


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
