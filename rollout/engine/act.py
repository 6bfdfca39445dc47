"""Carrying out actions: each one may be done twice, and each failure is told and tried again by the next look."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kube.errors import NotFoundError
from kube.kinds import CONFIG_MAP, DEPLOYMENT, GRAY_RELEASE, SERVICE, Kind, Manifest
from rollout.actions import Action, EnsureRevision, Finalize, KeepRecord, Retire, RetireRoute, Scale, Shift
from rollout.record import RECORD_LABEL, Record, config_map_of, record_of
from rollout.record import config_map_name as record_name
from rollout.recordings import config_map_name as recording_name
from rollout.revision import MANAGER, RELEASE_LABEL, manifests_of, owner_of, revision_of
from rollout.spec import FINALIZER, Spec

if TYPE_CHECKING:
    from kube.cluster import Cluster
    from rollout.drivers import Driver

DISRUPTION_BUDGET = Kind("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets")
OWNED = (DEPLOYMENT, SERVICE, CONFIG_MAP, DISRUPTION_BUDGET)


class Actor:
    """The hands of one release's worker."""

    def __init__(self, cluster: Cluster, driver: Driver, *, namespace: str, name: str, uid: str) -> None:
        self._cluster, self._driver = cluster, driver
        self._namespace, self._name, self._uid = namespace, name, uid

    async def perform(self, action: Action, spec: Spec, *, epoch: int) -> bool:
        """Do one thing; whether there was anything to do.

        Raises:
            KubeError: the API server did not take it.
            StaleHolderError: the route carries a higher epoch than this holder's.
        """
        match action:
            case Shift(weights):
                return await self._driver.shift(weights, epoch=epoch)
            case RetireRoute():
                await self._driver.retire()
            case EnsureRevision(revision, replicas):
                await self._ensure(spec, revision, replicas)
            case Scale(revision, replicas):
                await self._scale(revision, replicas)
            case Retire(revision):
                await self._retire(revision)
            case KeepRecord(release):
                await self._keep(spec, record_of(self._name, self._namespace, spec, release))
            case Finalize(orphan):
                await self._finalize(orphan=orphan)
        return True

    async def _ensure(self, spec: Spec, revision: str, replicas: int) -> None:
        if revision_of(self._name, spec) != revision:
            return
        for manifest in manifests_of(self._name, self._namespace, self._uid, spec, replicas=replicas):
            await self._cluster.apply(manifest, manager=MANAGER, force=True)

    async def _scale(self, revision: str, replicas: int) -> None:
        patch = {"spec": {"replicas": replicas}}
        await self._cluster.merge_patch(DEPLOYMENT, revision, self._namespace, patch, manager=MANAGER)

    async def _retire(self, revision: str) -> None:
        for kind in OWNED:
            await self._cluster.delete(kind, revision, self._namespace)

    async def _keep(self, spec: Spec, record: Record) -> None:
        manifest = config_map_of(record, owner_of(self._name, self._uid))
        await self._cluster.apply(manifest, manager=MANAGER, force=True)
        kept = await self._cluster.list(CONFIG_MAP, self._namespace, labels=f"{RECORD_LABEL}={self._name}")
        oldest_first = sorted(kept.items, key=lambda item: item["metadata"]["creationTimestamp"])
        for item in oldest_first[: -spec.history]:
            kept_as = item["metadata"]["name"]
            identity = kept_as.removeprefix(record_name(self._name, ""))
            await self._cluster.delete(CONFIG_MAP, recording_name(self._name, identity), self._namespace)
            await self._cluster.delete(CONFIG_MAP, kept_as, self._namespace)

    # ------------------------------------------------------------------ the end of a GrayRelease

    async def add_finalizer(self, manifest: Manifest) -> None:
        """Make sure that deleting the GrayRelease waits for :class:`Finalize`."""
        present = manifest["metadata"].get("finalizers") or []
        if FINALIZER in present:
            return
        meta = {"resourceVersion": manifest["metadata"]["resourceVersion"], "finalizers": [*present, FINALIZER]}
        await self._patch_release({"metadata": meta})

    async def _finalize(self, *, orphan: bool) -> None:
        if orphan:
            await self._let_go()
        else:
            await self._driver.retire()
        try:
            found = await self._cluster.get(GRAY_RELEASE, self._name, self._namespace)
        except NotFoundError:
            return
        rest = [each for each in found["metadata"].get("finalizers") or [] if each != FINALIZER]
        meta = {"resourceVersion": found["metadata"]["resourceVersion"], "finalizers": rest}
        await self._patch_release({"metadata": meta})

    async def _let_go(self) -> None:
        for kind in OWNED:
            found = await self._cluster.list(kind, self._namespace, labels=f"{RELEASE_LABEL}={self._name}")
            for item in found.items:
                await self._disown(kind, item["metadata"]["name"])
        await self._driver.disown()

    async def _disown(self, kind: Kind, name: str) -> None:
        patch = {"metadata": {"ownerReferences": None}}
        await self._cluster.merge_patch(kind, name, self._namespace, patch, manager=MANAGER)

    async def _patch_release(self, patch: Manifest) -> None:
        await self._cluster.merge_patch(GRAY_RELEASE, self._name, self._namespace, patch, manager=MANAGER)
