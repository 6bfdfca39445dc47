"""How Pulumi's Kubernetes provider writes: a POST first, then server-side apply under a name for each object.

Before an apply it takes over what was updated under ``pulumi-kubernetes`` or before the first apply (its function
``fixCSAFieldManagers``); everything else that differs is a conflict. It never forces.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kube.cluster import Cluster

CREATES = "pulumi-kubernetes"
TAKEN_OVER = {(CREATES, "Update"), ("pulumi-resource-kubernetes", "Update"), ("before-first-apply", "Update")}


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
            if key not in self.state and not self.upsert:
                await self.cluster.create(deepcopy(manifest), manager=CREATES)
            else:
                await self._apply(manifest)
            self.state[key] = deepcopy(manifest)

    async def _apply(self, manifest: dict[str, Any]) -> None:
        kind, meta = await self.cluster.resolve(manifest), manifest["metadata"]
        own = f"{CREATES}-1a2b3c4d"
        live = await self.cluster.find(kind, meta["name"], meta.get("namespace"))
        entries = (live or {}).get("metadata", {}).get("managedFields") or []
        kept = [entry for entry in entries if (entry["manager"], entry["operation"]) not in TAKEN_OVER]
        taken = [entry for entry in entries if entry not in kept]
        if taken:
            fields: dict[str, Any] = {}
            for entry in [*taken, *(one for one in kept if one["manager"] == own)]:
                fields = united(fields, entry["fieldsV1"])
            made = {**taken[0], "manager": own, "operation": "Apply", "fieldsV1": fields}
            rest = [entry for entry in kept if entry["manager"] != own]
            ops = [{"op": "replace", "path": "/metadata/managedFields", "value": [*rest, made]}]
            await self.cluster.json_patch(kind, meta["name"], meta.get("namespace"), ops, manager="pulumi")
        await self.cluster.apply(manifest, manager=own)


def united(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    return {**one, **other, **{key: united(one[key], other[key]) for key in one.keys() & other.keys()}}
