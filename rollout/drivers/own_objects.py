"""What is ours of a release's objects, by uid: found, taken over, deleted and let go.

What is deleted is deleted as it was read: a request that was on its way for long and lands after somebody else took
over changes nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import structlog

from kube.errors import ConflictError, StaleHolderError, UnsentError
from kube.kinds import CONFIG_MAP, DEPLOYMENT, SERVICE, Kind, Manifest
from rollout.api.ownership import Whose, owner_told, whose
from rollout.api.revision import (
    EPOCH_ANNOTATION,
    MANAGER,
    RELEASE_LABEL,
    number_noted,
    owner_of,
)

if TYPE_CHECKING:
    from kube.cluster import Cluster

log: Any = structlog.get_logger()
DISRUPTION_BUDGET = Kind("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets")
OWNED = (SERVICE, CONFIG_MAP, DISRUPTION_BUDGET, DEPLOYMENT)
"""The Deployment last: while it is there, a revision that was retired half way is known and retired again."""


class OwnObjects:
    """The objects of one GrayRelease.

    Args:
        cluster: where they are.
        namespace: of all of them.
        name: of the GrayRelease.
        uid: of the GrayRelease, which owns them.
    """

    def __init__(self, cluster: Cluster, *, namespace: str, name: str, uid: str) -> None:
        self._cluster = cluster
        self._namespace, self._name, self._uid = namespace, name, uid

    async def adopt(self) -> list[str]:
        """Take over what an earlier GrayRelease of this name left behind; what was taken over, a sentence each."""
        told = []
        for kind in OWNED:
            found = await self._cluster.list(kind, self._namespace, labels=f"{RELEASE_LABEL}={self._name}")
            for item in found.items:
                if whose(item, self._name, self._uid) is Whose.LEFT:
                    before = owner_told(item)
                    await self._adopt(kind, item)
                    told.append(f"{kind.kind} {item['metadata']['name']} was {before}'s and is taken over")
        return told

    async def disown(self) -> None:
        """Take the owner reference off everything, so that the garbage collector leaves it."""
        for kind in OWNED:
            found = await self._cluster.list(kind, self._namespace, labels=f"{RELEASE_LABEL}={self._name}")
            for item in found.items:
                if whose(item, self._name, self._uid) is Whose.OURS:
                    await self._disown(kind, item)

    async def _find(self, kind: Kind, name: str) -> Manifest | None:
        if not name:
            raise UnsentError(f"{kind.kind} in {self._namespace}: a revision without a name is none", status=400)
        return await self._cluster.find(kind, name, self._namespace)

    async def _ours(self, kind: Kind, name: str) -> Manifest | None:
        """The object of that name once it is ours, or None where there is none.

        Raises:
            ConflictError: it is somebody else's.
        """
        item = await self._find(kind, name)
        if item is None:
            return None
        match whose(item, self._name, self._uid):
            case Whose.OURS:
                return item
            case Whose.LEFT:
                return await self._adopt(kind, item)
            case Whose.OTHERS:
                raise ConflictError(
                    f"{kind.kind} {self._namespace}/{name} exists and belongs to {owner_told(item)}: "
                    "it is left as it is; rename or remove it"
                )

    async def _delete(self, kind: Kind, item: Manifest) -> None:
        meta = item["metadata"]
        await self._cluster.delete(
            kind, meta["name"], self._namespace, uid=meta["uid"], resource_version=meta["resourceVersion"]
        )

    async def _adopt(self, kind: Kind, item: Manifest) -> Manifest:
        rest = [owner for owner in item["metadata"].get("ownerReferences") or () if not owner.get("controller")]
        owners = {"ownerReferences": [*rest, owner_of(self._name, self._uid)]}
        name, patch = item["metadata"]["name"], {"metadata": as_read(item) | owners}
        log.info("taken over", kind=kind.kind, object=f"{self._namespace}/{name}")
        return await self._cluster.merge_patch(kind, name, self._namespace, patch, manager=MANAGER)

    async def _disown(self, kind: Kind, item: Manifest) -> None:
        rest = [owner for owner in item["metadata"].get("ownerReferences") or () if owner.get("uid") != self._uid]
        patch = {"metadata": as_read(item) | {"ownerReferences": rest or None}}
        await self._cluster.merge_patch(kind, item["metadata"]["name"], self._namespace, patch, manager=MANAGER)


def as_read(item: Manifest) -> Manifest:
    """What a patch carries so that it changes this object as it was read, and no other: the server compares both."""
    return {key: item["metadata"][key] for key in ("uid", "resourceVersion") if item["metadata"].get(key)}


def fence(deployment: Manifest | None, epoch: int) -> None:
    """Stop a holder whose time is over.

    Raises:
        StaleHolderError: a holder with a higher epoch has written the revision.
    """
    known = number_noted(deployment, EPOCH_ANNOTATION) if deployment is not None else None
    if deployment is not None and known is not None and known > epoch:
        name = deployment["metadata"]["name"]
        raise StaleHolderError(f"Deployment {name} carries epoch {known}, ours is {epoch}: another holder is at work")
