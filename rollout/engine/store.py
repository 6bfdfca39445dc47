"""Keeping the status: the whole of it, under an optimistic lock, before anything it promises is done."""

from __future__ import annotations

from http import HTTPStatus
from itertools import count
from typing import TYPE_CHECKING

from kube.errors import ConflictError, GraylingError, KubeError, NotFoundError, StaleHolderError
from kube.kinds import GRAY_RELEASE, Manifest
from rollout.api.bounds import trimmed
from rollout.api.persisted import read_status
from rollout.api.revision import MANAGER
from rollout.api.status import Status

if TYPE_CHECKING:
    from kube.cluster import Cluster


SECONDS = 5.0
"""A request that takes longer is given up, and made anew by the next look."""

ATTEMPTS = 20


class ReleaseGoneError(GraylingError):
    """The GrayRelease does not exist any more."""


class StatusMovedError(KubeError):
    """The server has a status of ours that we did not know to be there."""


class StatusStore:
    """Reads and writes `status` of one GrayRelease for the holder of an epoch.

    Attributes:
        persisted: the status as the server has it.
        moved: it is not what was decided last, because the answer to a write was lost.
        unreadable: what of it could not be read, a sentence each.
        newest: the whole object as the server answered last; None before the first answer.
    """

    def __init__(self, cluster: Cluster, namespace: str, name: str) -> None:
        self._cluster, self._namespace, self._name = cluster, namespace, name
        self.newest: Manifest | None = None
        self.persisted = Status()
        self.moved = False
        self.unreadable: tuple[str, ...] = ()

    async def load(self) -> Manifest:
        """The GrayRelease as the server has it now; what its status says becomes `persisted`.

        Raises:
            ReleaseGoneError: it is gone.
        """
        try:
            newest = await self._cluster.get(GRAY_RELEASE, self._name, self._namespace, seconds=SECONDS)
        except NotFoundError as error:
            raise ReleaseGoneError(str(error)) from error
        known, self.newest = self.persisted.wire() if self.newest is not None else None, newest
        self.persisted, self.unreadable = read_status(newest.get("status"))
        self.moved = self.moved or (known is not None and self.persisted.wire() != known)
        return newest

    async def save(self, status: Status) -> Status:
        """Write the status; returns it as it was written, which is shorter where the server does not take all of it.

        A conflict with a writer of the spec or of metadata is retried at once with the newest object.

        Raises:
            StaleHolderError: another holder has written a status with a higher epoch.
            ReleaseGoneError: the GrayRelease is gone.
            StatusMovedError: an earlier write had come through, though it was not answered: decide again from that.
            KubeError: the server did not take it.
        """
        try:
            return await self._write(status)
        except KubeError as error:
            if not _is_too_large(error):
                raise
            return await self._write(trimmed(status))

    async def _write(self, status: Status) -> Status:
        for attempt in count(1):
            base = self.newest or await self.load()
            try:
                self.newest = await self._put({**base, "status": status.wire()})
            except ConflictError:
                await self.load()
                self._check(status)
                if attempt == ATTEMPTS:
                    raise
                continue
            break
        self.persisted = status
        return status

    def _check(self, status: Status) -> None:
        """What a conflict was about: the spec or the metadata, another holder, or a write of ours without an answer."""
        if self.persisted.epoch > status.epoch:
            raise StaleHolderError(f"epoch {self.persisted.epoch} is at work, this one is {status.epoch}") from None
        if self.moved:
            raise StatusMovedError("the status is further than was known: the answer to a write was lost") from None

    async def _put(self, manifest: Manifest) -> Manifest:
        try:
            return await self._cluster.replace(manifest, manager=MANAGER, subresource="status", seconds=SECONDS)
        except NotFoundError as error:
            raise ReleaseGoneError(str(error)) from error


def _is_too_large(error: KubeError) -> bool:
    return error.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE or "too large" in str(error)
