"""Each revision as a Deployment of its own, with its Service, ConfigMap and disruption budget.

What is changed is ours by uid and fenced by the epoch, so a holder whose time is over changes nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from kube.kinds import DEPLOYMENT, Manifest
from rollout.api.own_signals import corrected
from rollout.api.ownership import Whose, whose
from rollout.api.revision import (
    EPOCH_ANNOTATION,
    KEEPS_LAST_ANNOTATION,
    MANAGER,
    RELEASE_LABEL,
    SPEC_ANNOTATION,
    disruption_budget,
    manifests_of,
    noted,
    policy_of,
    revision_of,
    scale_annotations,
)
from rollout.decide.capabilities import DEPLOYMENT as KIND
from rollout.drivers.own_objects import DISRUPTION_BUDGET, OWNED, OwnObjects, as_read, fence

if TYPE_CHECKING:
    from rollout.api.spec import Spec
    from rollout.decide.capabilities import Kind


class DeploymentDriver(OwnObjects):
    """The revisions of one GrayRelease."""

    kind: ClassVar[Kind] = KIND

    async def prepare(self, spec: Spec, revision: str, replicas: int, *, epoch: int) -> bool:
        """Bring the revision in, unless the spec asks for another one by now."""
        if revision_of(self._name, spec) != revision:
            return False
        known = await self._ours(DEPLOYMENT, revision)
        fence(known, epoch)
        made = manifests_of(self._name, self._namespace, self._uid, spec, replicas=replicas, epoch=epoch)
        for manifest in made:
            kind = await self._cluster.resolve(manifest)
            if kind != DEPLOYMENT:
                await self._ours(kind, revision)
            await self._cluster.apply(manifest, manager=MANAGER, force=True)
        return True

    async def scale(self, spec: Spec, revision: str, replicas: int, *, spare: int, epoch: int) -> bool:
        """Give the Deployment so many pods, and note who asked for them and what the spec said then."""
        known = await self._ours(DEPLOYMENT, revision)
        if known is None:
            return False
        fence(known, epoch)
        notes = scale_annotations(spec, replicas=replicas, epoch=epoch, spare=spare)
        patch = {"metadata": as_read(known) | {"annotations": notes}, "spec": {"replicas": replicas}}
        await self._cluster.merge_patch(DEPLOYMENT, revision, self._namespace, patch, manager=MANAGER)
        return True

    async def guard(self, spec: Spec, revision: str, *, keeps_last: bool, epoch: int) -> bool:
        """The budget first: one that is not noted is written again."""
        known = await self._ours(DEPLOYMENT, revision)
        if known is None:
            return False
        fence(known, epoch)
        await self._ours(DISRUPTION_BUDGET, revision)
        budget = disruption_budget(self._name, self._namespace, self._uid, revision, spec, keeps_last=keeps_last)
        await self._cluster.apply(budget, manager=MANAGER, force=True)
        notes = {KEEPS_LAST_ANNOTATION: str(int(keeps_last)), EPOCH_ANNOTATION: str(epoch)}
        patch = {"metadata": as_read(known) | {"annotations": notes}}
        await self._cluster.merge_patch(DEPLOYMENT, revision, self._namespace, patch, manager=MANAGER)
        return True

    async def retire(self, revision: str, *, epoch: int) -> None:
        """Remove what is ours of a revision; what carries its name and is somebody else's stays."""
        fence(await self._find(DEPLOYMENT, revision), epoch)
        for kind in OWNED:
            item = await self._find(kind, revision)
            if item is not None and whose(item, self._name, self._uid) is not Whose.OTHERS:
                fence(item if kind == DEPLOYMENT else await self._find(DEPLOYMENT, revision), epoch)
                await self._delete(kind, item)

    async def note_spec(self, revision: str, spec: Spec, *, epoch: int) -> None:
        """Note the spec on the revision that it wants, so that it is found by whoever comes after a mistake.

        Raises:
            KubeError: the API server did not take it.
            StaleHolderError: the revision carries a higher epoch.
        """
        known, text = await self._ours(DEPLOYMENT, revision), noted(spec)
        if known is None or (known["metadata"].get("annotations") or {}).get(SPEC_ANNOTATION) == text:
            return
        fence(known, epoch)
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
                fence(item, epoch)
                await self._note(item, noted(mended))

    async def _note(self, deployment: Manifest, text: str) -> None:
        patch = {"metadata": as_read(deployment) | {"annotations": {SPEC_ANNOTATION: text}}}
        name = deployment["metadata"]["name"]
        await self._cluster.merge_patch(DEPLOYMENT, name, self._namespace, patch, manager=MANAGER)
