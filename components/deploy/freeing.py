"""Letting go of what stays on the cluster: without its owner's marks, the next environment may keep it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.deploy.inventory import MANAGER, PART_OF
from components.model.layers import OWNER_ANNOTATION
from kube.errors import NotFoundError

if TYPE_CHECKING:
    from kube.cluster import Cluster
    from kube.kinds import Manifest


async def free(cluster: Cluster, item: Manifest) -> None:
    """Take the owner's marks off an object."""
    meta = item["metadata"]
    unmarked = {"metadata": {"labels": {PART_OF: None}, "annotations": {OWNER_ANNOTATION: None}}}
    try:
        await cluster.merge_patch(
            await cluster.resolve(item), meta["name"], meta.get("namespace"), unmarked, manager=MANAGER
        )
    except NotFoundError:
        return  # it went meanwhile
