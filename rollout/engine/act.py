"""Carrying out actions: each one may be done twice, and each failure is told and tried again by the next look.

What is changed or deleted is ours by uid, and what is deleted is deleted as it was read: a request that was on its way
for long and lands after somebody else took over changes nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import structlog

from kube.errors import ConflictError, NotFoundError, StaleHolderError, UnsentError
from kube.kinds import CONFIG_MAP, DEPLOYMENT, GRAY_RELEASE, SERVICE, Kind, Manifest
from rollout.api.own_signals import corrected
from rollout.api.ownership import (
    Whose,
    controller_of,
    owner_told,
    whose,
)
from rollout.api.revision import (
    EPOCH_ANNOTATION,
    KEEPS_LAST_ANNOTATION,
    MANAGER,
    RELEASE_LABEL,
    SPEC_ANNOTATION,
    disruption_budget,
    manifests_of,
    noted,
    number_noted,
    owner_of,
    policy_of,
    revision_of,
    scale_annotations,
)
from rollout.api.spec import FINALIZER, Spec
from rollout.decide.actions import (
    Action,
    EnsureRevision,
    Finalize,
    Guard,
    KeepRecord,
    Retire,
    RetireRoute,
    Scale,
    Shift,
)
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
    from rollout.drivers import Driver

log: Any = structlog.get_logger()
DISRUPTION_BUDGET = Kind("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets")
OWNED = (SERVICE, CONFIG_MAP, DISRUPTION_BUDGET, DEPLOYMENT)
"""The Deployment last: while it is there, a revision that was retired half way is known and retired again."""


class Actor:
    """The hands of one release's worker."""

    def __init__(self, cluster: Cluster, driver: Driver, *, namespace: str, name: str, uid: str) -> None:
        self._cluster, self._driver = cluster, driver
        self._namespace, self._name, self._uid = namespace, name, uid

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
                return await self._ensure(spec, revision, replicas, epoch)
            case Scale():
                return await self._scale(spec, action, epoch)
            case Guard(revision, keeps_last):
                return await self._guard(spec, revision, epoch, keeps_last=keeps_last)
            case Retire(revision):
                await self._retire(revision, epoch)
            case KeepRecord(release):
                await self._keep(spec, record_of(self._name, self._namespace, spec, release))
            case Finalize(orphan):
                await self._finalize(orphan=orphan)
        return True

    # ------------------------------------------------------------------ revisions

    async def _ensure(self, spec: Spec, revision: str, replicas: int, epoch: int) -> bool:
        """Bring the revision in, unless the spec asks for another one by now."""
        if revision_of(self._name, spec) != revision:
            return False
        known = await self._ours(DEPLOYMENT, revision)
        _fence(known, epoch)
        made = manifests_of(self._name, self._namespace, self._uid, spec, replicas=replicas, epoch=epoch)
        for manifest in made:
            kind = await self._cluster.resolve(manifest)
            if kind != DEPLOYMENT:
                await self._ours(kind, revision)
            await self._cluster.apply(manifest, manager=MANAGER, force=True)
        return True

    async def _scale(self, spec: Spec, wanted: Scale, epoch: int) -> bool:
        known = await self._ours(DEPLOYMENT, wanted.revision)
        if known is None:
            return False
        _fence(known, epoch)
        notes = scale_annotations(spec, replicas=wanted.replicas, epoch=epoch, spare=wanted.spare)
        patch = {"metadata": _as_read(known) | {"annotations": notes}, "spec": {"replicas": wanted.replicas}}
        await self._cluster.merge_patch(DEPLOYMENT, wanted.revision, self._namespace, patch, manager=MANAGER)
        return True

    async def _guard(self, spec: Spec, revision: str, epoch: int, *, keeps_last: bool) -> bool:
        """The budget first: one that is not noted is written again."""
        known = await self._ours(DEPLOYMENT, revision)
        if known is None:
            return False
        _fence(known, epoch)
        await self._ours(DISRUPTION_BUDGET, revision)
        budget = disruption_budget(self._name, self._namespace, self._uid, revision, spec, keeps_last=keeps_last)
        await self._cluster.apply(budget, manager=MANAGER, force=True)
        notes = {KEEPS_LAST_ANNOTATION: str(int(keeps_last)), EPOCH_ANNOTATION: str(epoch)}
        patch = {"metadata": _as_read(known) | {"annotations": notes}}
        await self._cluster.merge_patch(DEPLOYMENT, revision, self._namespace, patch, manager=MANAGER)
        return True

    async def note_spec(self, revision: str, spec: Spec, *, epoch: int) -> None:
        """Note the spec on the revision that it wants, so that it is found by whoever comes after a mistake.

        Raises:
            KubeError: the API server did not take it.
            StaleHolderError: the revision carries a higher epoch.
        """
        known, text = await self._ours(DEPLOYMENT, revision), noted(spec)
        if known is None or (known["metadata"].get("annotations") or {}).get(SPEC_ANNOTATION) == text:
            return
        _fence(known, epoch)
        if (before := policy_of(known)) is not None:
            await self._correct_others(revision, before, spec, epoch)
        await self._note(known, text)

    async def _correct_others(self, revision: str, before: Spec, after: Spec, epoch: int) -> None:
        """What was corrected of the desired revision's signals is corrected of the others too: before it is noted."""
        found = await self._cluster.list(DEPLOYMENT, self._namespace, labels=f"{RELEASE_LABEL}={self._name}")
        for item in found.items:
            ours = whose(item, self._name, self._uid) is Whose.OURS and item["metadata"]["name"] != revision
            known = policy_of(item) if ours else None
            mended = corrected(known, before, after) if known is not None else None
            if mended is not None:
                _fence(item, epoch)
                await self._note(item, noted(mended))

    async def _note(self, deployment: Manifest, text: str) -> None:
        patch = {"metadata": _as_read(deployment) | {"annotations": {SPEC_ANNOTATION: text}}}
        name = deployment["metadata"]["name"]
        await self._cluster.merge_patch(DEPLOYMENT, name, self._namespace, patch, manager=MANAGER)

    async def _retire(self, revision: str, epoch: int) -> None:
        """Remove what is ours of a revision; what carries its name and is somebody else's stays."""
        _fence(await self._find(DEPLOYMENT, revision), epoch)
        for kind in OWNED:
            item = await self._find(kind, revision)
            if item is not None and whose(item, self._name, self._uid) is not Whose.OTHERS:
                _fence(item if kind == DEPLOYMENT else await self._find(DEPLOYMENT, revision), epoch)
                await self._delete(kind, item)

    async def _delete(self, kind: Kind, item: Manifest) -> None:
        meta = item["metadata"]
        await self._cluster.delete(
            kind, meta["name"], self._namespace, uid=meta["uid"], resource_version=meta["resourceVersion"]
        )

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

    # ------------------------------------------------------------------ what an earlier GrayRelease left

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

    async def _adopt(self, kind: Kind, item: Manifest) -> Manifest:
        rest = [owner for owner in item["metadata"].get("ownerReferences") or () if not owner.get("controller")]
        owners = {"ownerReferences": [*rest, owner_of(self._name, self._uid)]}
        name, patch = item["metadata"]["name"], {"metadata": _as_read(item) | owners}
        log.info("taken over", kind=kind.kind, object=f"{self._namespace}/{name}")
        return await self._cluster.merge_patch(kind, name, self._namespace, patch, manager=MANAGER)

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

    # ------------------------------------------------------------------ the end of a GrayRelease

    async def add_finalizer(self, manifest: Manifest) -> None:
        """Make sure that deleting the GrayRelease waits for :class:`Finalize`."""
        present = manifest["metadata"].get("finalizers") or []
        if FINALIZER in present:
            return
        await self._patch_release({"metadata": _as_read(manifest) | {"finalizers": [*present, FINALIZER]}})

    async def _finalize(self, *, orphan: bool) -> None:
        if orphan:
            await self._let_go()
        else:
            await self._driver.retire()
        try:
            found = await self._cluster.get(GRAY_RELEASE, self._name, self._namespace)
        except NotFoundError:
            return
        if found["metadata"].get("uid") != self._uid:
            return
        rest = [each for each in found["metadata"].get("finalizers") or [] if each != FINALIZER]
        await self._patch_release({"metadata": _as_read(found) | {"finalizers": rest}})

    async def _let_go(self) -> None:
        for kind in OWNED:
            found = await self._cluster.list(kind, self._namespace, labels=f"{RELEASE_LABEL}={self._name}")
            for item in found.items:
                if whose(item, self._name, self._uid) is Whose.OURS:
                    await self._disown(kind, item)
        await self._driver.disown()

    async def _disown(self, kind: Kind, item: Manifest) -> None:
        rest = [owner for owner in item["metadata"].get("ownerReferences") or () if owner.get("uid") != self._uid]
        patch = {"metadata": _as_read(item) | {"ownerReferences": rest or None}}
        await self._cluster.merge_patch(kind, item["metadata"]["name"], self._namespace, patch, manager=MANAGER)

    async def _patch_release(self, patch: Manifest) -> None:
        await self._cluster.merge_patch(GRAY_RELEASE, self._name, self._namespace, patch, manager=MANAGER)


def _as_read(item: Manifest) -> Manifest:
    """What a patch carries so that it changes this object as it was read, and no other: the server compares both."""
    return {key: item["metadata"][key] for key in ("uid", "resourceVersion") if item["metadata"].get(key)}


def _fence(deployment: Manifest | None, epoch: int) -> None:
    """Stop a holder whose time is over.

    Raises:
        StaleHolderError: a holder with a higher epoch has written the revision.
    """
    known = number_noted(deployment, EPOCH_ANNOTATION) if deployment is not None else None
    if deployment is not None and known is not None and known > epoch:
        name = deployment["metadata"]["name"]
        raise StaleHolderError(f"Deployment {name} carries epoch {known}, ours is {epoch}: another holder is at work")
