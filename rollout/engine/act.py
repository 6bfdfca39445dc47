"""Carrying out actions: each one may be done twice, and each failure is told and tried again by the next look.

Weights are the traffic driver's to move, and revisions the workload driver's; records and the end of a GrayRelease are
the engine's own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kube.errors import NotFoundError
from kube.kinds import CONFIG_MAP, GRAY_RELEASE, Manifest
from rollout.api import taken_back
from rollout.api.ownership import controller_of
from rollout.api.revision import MANAGER, owner_of
from rollout.api.spec import FINALIZER
from rollout.decide.actions import (
    Action,
    EnsureRevision,
    Finalize,
    Guard,
    KeepRecord,
    Remember,
    Retire,
    RetireRoute,
    Scale,
    Shift,
)
from rollout.drivers.own_objects import OWNED, OwnObjects, as_read
from rollout.drivers.workloads import workload_of
from rollout.records.record import (
    RECORD_LABEL,
    Record,
    config_map_of,
    record_of,
)
from rollout.records.record import config_map_name as record_name
from rollout.records.recorder import config_map_name as recording_name

if TYPE_CHECKING:
    from kube.cluster import Cluster
    from rollout.api.spec import Spec
    from rollout.drivers import TrafficDriver, WorkloadDriver

__all__ = ["OWNED", "Actor"]


class Actor(OwnObjects):
    """The hands of one release's worker."""

    def __init__(self, cluster: Cluster, driver: TrafficDriver, *, namespace: str, name: str, uid: str) -> None:
        super().__init__(cluster, namespace=namespace, name=name, uid=uid)
        self._driver = driver

    async def perform(self, action: Action, spec: Spec, *, epoch: int) -> bool:
        """Do one thing; whether there was anything to do.

        Raises:
            KubeError: the API server did not take it.
            StaleHolderError: what is to be changed carries a higher epoch than this holder's.
        """
        match action:
            case Shift(weights):
                return await self._driver.shift(weights, epoch=epoch)
            case RetireRoute():
                await self._driver.retire()
            case EnsureRevision(revision, replicas):
                return await self._pods(spec).prepare(spec, revision, replicas, epoch=epoch)
            case Scale(revision, replicas, spare):
                return await self._pods(spec).scale(spec, revision, replicas, spare=spare, epoch=epoch)
            case Guard(revision, keeps_last):
                return await self._pods(spec).guard(spec, revision, keeps_last=keeps_last, epoch=epoch)
            case Retire(revision):
                await self._pods(spec).retire(revision, epoch=epoch)
            case KeepRecord(release):
                await self._keep(spec, record_of(self._name, self._namespace, spec, release))
            case Remember(release):
                await self._remember(taken_back.entry_of(self._name, self._namespace, release))
            case Finalize(orphan):
                await self._finalize(orphan=orphan)
        return True

    def _pods(self, spec: Spec) -> WorkloadDriver:
        return workload_of(spec, self._cluster, namespace=self._namespace, name=self._name, uid=self._uid)

    async def note_spec(self, revision: str, spec: Spec, *, epoch: int) -> None:
        """Note the spec on the revision that it wants, so that it is found by whoever comes after a mistake.

        Raises:
            KubeError: the API server did not take it.
            StaleHolderError: the revision carries a higher epoch.
        """
        await self._pods(spec).note_spec(revision, spec, epoch=epoch)

    # ------------------------------------------------------------------ records

    async def _keep(self, spec: Spec, record: Record) -> None:
        manifest = config_map_of(record, owner_of(self._name, self._uid))
        await self._cluster.apply(manifest, manager=MANAGER, force=True)
        kept = await self._cluster.list(CONFIG_MAP, self._namespace, labels=f"{RECORD_LABEL}={self._name}")
        oldest_first = sorted(kept.items, key=lambda item: item["metadata"]["creationTimestamp"])
        ours = [item for item in oldest_first if (controller_of(item) or {}).get("uid") == self._uid]
        for item in ours[: -spec.history]:
            identity = item["metadata"]["name"].removeprefix(record_name(self._name, ""))
            recording = await self._find(CONFIG_MAP, recording_name(self._name, identity))
            if recording is not None:
                await self._delete(CONFIG_MAP, recording)
            await self._delete(CONFIG_MAP, item)

    async def _remember(self, entry: taken_back.TakenBack | None) -> None:
        """Write it once: what is there of the same release may hold a person's word by now."""
        if entry is None:
            return
        manifest = taken_back.config_map_of(entry)
        there = await self._find(CONFIG_MAP, manifest["metadata"]["name"])
        if there is not None and taken_back.memory_in([there]).knows(entry.release):
            return
        await self._cluster.apply(manifest, manager=MANAGER, force=True)
        kept = await self._cluster.list(CONFIG_MAP, self._namespace, labels=taken_back.LABEL)
        for item in taken_back.surplus(kept.items):
            await self._delete(CONFIG_MAP, item)

    # ------------------------------------------------------------------ the end of a GrayRelease

    async def add_finalizer(self, manifest: Manifest) -> None:
        """Make sure that deleting the GrayRelease waits for :class:`Finalize`."""
        present = manifest["metadata"].get("finalizers") or []
        if FINALIZER in present:
            return
        await self._patch_release({"metadata": as_read(manifest) | {"finalizers": [*present, FINALIZER]}})

    async def _finalize(self, *, orphan: bool) -> None:
        if orphan:
            await self.disown()
            await self._driver.disown()
        else:
            await self._driver.retire()
        try:
            found = await self._cluster.get(GRAY_RELEASE, self._name, self._namespace)
        except NotFoundError:
            return
        if found["metadata"].get("uid") != self._uid:
            return
        rest = [each for each in found["metadata"].get("finalizers") or [] if each != FINALIZER]
        await self._patch_release({"metadata": as_read(found) | {"finalizers": rest}})

    async def _patch_release(self, patch: Manifest) -> None:
        await self._cluster.merge_patch(GRAY_RELEASE, self._name, self._namespace, patch, manager=MANAGER)
