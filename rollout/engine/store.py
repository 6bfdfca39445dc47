"""Keeping the status: the whole of it, under an optimistic lock, before anything it promises is done."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kube.errors import ConflictError
from kube.kinds import GRAY_RELEASE, Manifest
from rollout.revision import MANAGER
from rollout.status import Status

if TYPE_CHECKING:
    from kube.cluster import Cluster


class OvertakenError(Exception):
    """The status in the cluster carries a higher epoch: another holder is at work."""


class StatusStore:
    """Reads and writes `status` of one GrayRelease for the holder of an epoch."""

    def __init__(self, cluster: Cluster, namespace: str, name: str) -> None:
        self._cluster, self._namespace, self._name = cluster, namespace, name
        self._newest: Manifest | None = None
        self.persisted = Status()

    async def load(self) -> Manifest:
        """The GrayRelease as the server has it now; what its status says becomes `persisted`.

        Raises:
            NotFoundError: it is gone.
        """
        self._newest = await self._cluster.get(GRAY_RELEASE, self._name, self._namespace)
        self.persisted = Status.model_validate(self._newest.get("status") or {})
        return self._newest

    async def save(self, status: Status) -> Manifest:
        """Write the status; returns the object as the server keeps it.

        A conflict with a writer of the spec or of metadata is retried at once with the newest object.

        Raises:
            OvertakenError: another holder has written a status with a higher epoch.
            NotFoundError: the GrayRelease is gone.
        """
        while True:
            base = self._newest or await self.load()
            try:
                changed = {**base, "status": status.wire()}
                self._newest = await self._cluster.replace(changed, manager=MANAGER, subresource="status")
            except ConflictError:
                await self.load()
                if self.persisted.epoch > status.epoch:
                    raise OvertakenError(
                        f"epoch {self.persisted.epoch} is at work, this one is {status.epoch}"
                    ) from None
                continue
            self.persisted = status
            return self._newest
