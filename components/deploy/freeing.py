"""Letting go of what stays on the cluster: without its owner's marks, the next environment may keep it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.deploy.inventory import MANAGER, PART_OF
from components.model.layers import OWNER_ANNOTATION
from kube.errors import InvalidError, NotFoundError

if TYPE_CHECKING:
    from kube.cluster import Cluster
    from kube.kinds import Manifest


async def free(cluster: Cluster, item: Manifest) -> None:
    """Take the owner's marks off an object, if they still are those that were read."""
    meta = item["metadata"]
    operations: list[Manifest] = []
    for field, key in (("labels", PART_OF), ("annotations", OWNER_ANNOTATION)):
        if key in (meta.get(field) or {}):
            at = f"/metadata/{field}/{key.replace('/', '~1')}"
            operations.append({"op": "test", "path": at, "value": meta[field][key]})
            operations.append({"op": "remove", "path": at})
    try:
        kind = await cluster.resolve(item)
        await cluster.json_patch(kind, meta["name"], meta.get("namespace"), operations, manager=MANAGER)
    except (NotFoundError, InvalidError):
        return  # it went meanwhile, or is somebody else's by now
