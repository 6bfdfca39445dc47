"""How Pulumi's Kubernetes provider writes: a POST first, then server-side apply under a name for each object.

Before it changes an object of its own it takes over what was updated under ``pulumi-kubernetes``, by kubectl, or before
the first apply (its function ``fixCSAFieldManagers``, which goes by how a name begins); everything else that differs is
a conflict. What is there already it takes with ``upsert`` alone, by an apply and nothing else. It never forces.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kube.cluster import Cluster

CREATES = "pulumi-kubernetes"
OWN = f"{CREATES}-1a2b3c4d"
TAKEN_OVER = (
    ("kubectl", "Apply"), ("kubectl", "Update"), ("before-first-apply", "Update"), (CREATES, "Update"),
    ("pulumi-resource-kubernetes", "Update"),
)  # fmt: skip


@dataclass
class Pulumi:
    """One stack's state, and `up`."""

    cluster: Cluster
    upsert: bool = False
    state: dict[tuple[str, str], Any] = field(default_factory=dict)

    async def up(self, *manifests: dict[str, Any]) -> None:
        for manifest in manifests:
            key = manifest["kind"], manifest["metadata"]["name"]
            if self.state.get(key) == manifest:
                continue
            if key in self.state:
                await self._take_over(manifest)
            if key in self.state or self.upsert:
                await self.cluster.apply(manifest, manager=OWN)
            else:
                await self.cluster.create(deepcopy(manifest), manager=CREATES)
            self.state[key] = deepcopy(manifest)

    async def _take_over(self, manifest: dict[str, Any]) -> None:
        kind, meta = await self.cluster.resolve(manifest), manifest["metadata"]
        live = await self.cluster.find(kind, meta["name"], meta.get("namespace"))
        entries = (live or {}).get("metadata", {}).get("managedFields") or []
        kept = [entry for entry in entries if not is_taken_over(entry)]
        taken = [entry for entry in entries if entry not in kept]
        if taken:
            fields: dict[str, Any] = {}
            for entry in [*taken, *(one for one in kept if one["manager"] == OWN)]:
                fields = united(fields, entry["fieldsV1"])
            made = {**taken[0], "manager": OWN, "operation": "Apply", "fieldsV1": fields}
            rest = [entry for entry in kept if entry["manager"] != OWN]
            ops = [{"op": "replace", "path": "/metadata/managedFields", "value": [*rest, made]}]
            await self.cluster.json_patch(kind, meta["name"], meta.get("namespace"), ops, manager="pulumi")


def is_taken_over(entry: dict[str, Any]) -> bool:
    return any(entry["manager"].startswith(name) and entry["operation"] == made for name, made in TAKEN_OVER)


def united(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    return {**one, **other, **{key: united(one[key], other[key]) for key in one.keys() & other.keys()}}
