"""A rendered stack onto a cluster by server-side apply: layer after layer, each ready before the next one starts.

Applying what is there already changes nothing. Objects that the stack no longer declares are found by its inventory
and deleted. What belongs to another stack is never touched, and fields that somebody else manages are never taken
without ``force``.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from components.deploy.applied import record_in, renewed
from components.deploy.difference import declared_part
from components.deploy.fence import Rhythm, alone
from components.deploy.freeing import free
from components.deploy.inventory import (
    MANAGER,
    Inventory,
    kinds_of,
    namespaces_of,
)
from components.deploy.outcome import (
    ApplyError,
    NotReadyError,
    Outcome,
    Report,
)
from components.deploy.ownership import SHARED, claim_on
from components.deploy.prune import remove
from components.deploy.survey import take_survey
from components.deploy.waiting import Patience, wait_ready
from components.model.credentials import draw, filled, recipe_of
from components.model.layers import foundational, identity, waves
from components.stack.passphrase import values_hidden
from kube.errors import ConflictError, InvalidError, KubeError, NotFoundError
from kube.kinds import Manifest, label_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from components.deploy.survey import Survey
    from components.model.layers import Layer
    from kube.cluster import Cluster

AT_ONCE = 24


class TakenError(ConflictError):
    """An object that was not there is there now, and somebody else's."""


@dataclass(slots=True)
class Applier:
    """Brings one stack to one cluster.

    ``tell`` gets a line for everything a person would like to see; ``patience`` says how long objects may take.
    ``allow_delete`` is consent to deletions that are more than an everyday change; ``rhythm`` is that of the mark
    which keeps a second command away meanwhile.
    """

    cluster: Cluster
    inventory: Inventory
    tell: Callable[[str], None] = lambda _line: None
    patience: Patience = field(default_factory=Patience)
    force: bool = False
    allow_delete: bool = False
    rhythm: Rhythm = field(default_factory=Rhythm)
    _report: Report = field(default_factory=Report)
    _slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))

    async def apply(self, manifests: Sequence[Manifest], *, prune: bool = True) -> Report:
        """Make ``manifests`` true, and with ``prune`` nothing else of this stack.

        Raises:
            RefusedError: something on the cluster stands against it; nothing was written.
            ApplyError: an object was refused, or did not become ready; it says which, why, and what was done before.
        """
        return await self.carry_out(await take_survey(self.cluster, self.inventory, manifests, prune=prune))

    async def carry_out(self, survey: Survey) -> Report:
        """Do what was surveyed.

        Raises:
            RefusedError: something on the cluster stands against it; nothing was written.
            ApplyError: an object was refused, or did not become ready; it says which, why, and what was done before.
        """
        survey.insist(f"apply stack {self.inventory.stack}", allow_delete=self.allow_delete)
        self._report = Report()
        todo = deque(waves(survey.written))
        if survey.parent is None:
            while todo and all(item["kind"] == "Namespace" for item in todo[0][1]):
                await self._wave(*todo.popleft(), survey)
        async with AsyncExitStack() as stack:
            try:
                mark = alone(self.cluster, self.inventory, "apply", survey.parent, self.tell, self.rhythm)
                guarded = await stack.enter_async_context(mark)
            except NotFoundError as error:
                fix = "create it, or let the stack do so with environment.createNamespace: true"
                problem = f"namespace {self.inventory.namespace} does not exist: {fix}"
                raise ApplyError([problem], self._report, error) from error
            try:
                await replace(self, cluster=guarded)._go_on(todo, survey)  # noqa: SLF001 - its own
            except KubeError as error:
                raise ApplyError([str(error)], self._report, error) from error
        return self._report

    async def _go_on(self, todo: Iterable[tuple[Layer, list[Manifest]]], survey: Survey) -> None:
        before = record_in(survey.parent)
        await self._write_parent([*survey.written, *survey.live.values()], survey, before)
        for layer, wave in todo:
            await self._wave(layer, wave, survey)
        for item in survey.shared:
            self._note(Outcome("shared", label_of(item)), None)
        if survey.pruned:
            await self._prune(survey)
        remain = survey.remain if survey.pruned else survey.live.values()
        applied = renewed(before, survey.written, whole=survey.pruned)
        if survey.pruned and not applied:
            self.tell(
                f"{'':<10} note      what was applied is too long to keep: `review drift` cannot be held against it"
            )
        await self._write_parent([*survey.written, *remain], survey, applied)

    async def _write_parent(self, members: Sequence[Manifest], survey: Survey, applied: str) -> None:
        parent = self.inventory.parent(kinds_of(members) | survey.unseen, namespaces_of(members), applied)
        await self.cluster.apply(parent, manager=MANAGER, force=True)

    async def _wave(self, layer: Layer, wave: list[Manifest], survey: Survey) -> None:
        results = await asyncio.gather(
            *(self._one(layer, manifest, survey.found.get(identity(manifest))) for manifest in wave),
            return_exceptions=True,
        )
        failed = [(item, found) for item, found in zip(wave, results, strict=True) if isinstance(found, BaseException)]
        if failed:
            cause = failed[0][1]
            if not isinstance(cause, KubeError):
                raise cause
            problems = [f"{label_of(item)}: {_explained(item, error)}" for item, error in failed]
            raise ApplyError(problems, self._report, cause) from cause
        live = [found for found in results if not isinstance(found, BaseException)]
        problems = await wait_ready(self.cluster, live, self.patience, self.tell)
        if problems:
            raise NotReadyError(problems, self._report)

    async def _one(self, layer: Layer, manifest: Manifest, before: Manifest | None) -> Manifest:
        async with self._slots:
            if before is None:
                await self._still_free(manifest)
            if before is None and (recipe := recipe_of(manifest)):
                after = await self._create_once(filled(manifest, draw(recipe)))
            else:
                after = await self.cluster.apply(manifest, manager=MANAGER, force=self.force)
        same = before is not None and _same(before, after)
        self._note(
            Outcome("created" if before is None else "unchanged" if same else "changed", label_of(manifest)), layer
        )
        return {**after, "apiVersion": manifest["apiVersion"], "kind": manifest["kind"]}

    async def _still_free(self, manifest: Manifest) -> None:
        """Somebody else may have made it since the survey; both would be called ``grayling-stack`` where it is a stack.

        Raises:
            TakenError: somebody has.
        """
        try:
            kind, meta = await self.cluster.resolve(manifest), manifest["metadata"]
            live = await self.cluster.find(kind, meta["name"], meta.get("namespace"))
        except NotFoundError:
            return
        by = claim_on(live, self.inventory).by if live else "us"
        if by != "us" and not (by == "nobody" and manifest["kind"] in SHARED):
            raise TakenError(f"{label_of(manifest)}: somebody has made it since this command looked: run it again")

    async def _create_once(self, manifest: Manifest) -> Manifest:
        with suppress(ConflictError):  # somebody was faster, and theirs counts
            await self.cluster.create(manifest, manager=MANAGER)
        bare = {key: value for key, value in manifest.items() if key != "data"}
        return await self.cluster.apply(bare, manager=MANAGER, force=self.force)

    async def _prune(self, survey: Survey) -> None:
        for item in survey.remain:
            self._note(Outcome("kept", label_of(item)), None)
        for item in survey.freed:
            await free(self.cluster, item)
            self._note(Outcome("kept", label_of(item)), None)
        problems = await remove(
            self.cluster,
            survey.gone,
            self.patience,
            lambda label: self._note(Outcome("deleted", label), None),
            self.tell,
        )
        if problems:
            raise NotReadyError(problems, self._report)

    def _note(self, outcome: Outcome, layer: Layer | None) -> None:
        self._report.outcomes.append(outcome)
        if outcome.action != "unchanged":
            self.tell(f"{layer.value if layer else '':<10} {outcome.action:<9} {outcome.label}")


def _same(before: Manifest, after: Manifest) -> bool:
    """Whether an apply left an object alone; a status that somebody wrote meanwhile does not count."""
    if before["metadata"].get("resourceVersion") == after["metadata"].get("resourceVersion"):
        return True
    return declared_part(before) == declared_part(after)


def _explained(manifest: Manifest, error: BaseException) -> str:
    said = (
        values_hidden(str(error), manifest)
        .removeprefix(f"apply {label_of(manifest)}: ")
        .removeprefix(f"create {label_of(manifest)}: ")
        .removeprefix(f"{label_of(manifest)}: ")
    )
    if isinstance(error, ConflictError) and not isinstance(error, TakenError):
        return f"{said}\n  (another writer owns the field: remove it there, or pass --force-conflicts to take it)"
    if isinstance(error, InvalidError) and manifest["kind"] == "StatefulSet" and "Forbidden" in said:
        return f"{said}\n  (volumes of a StatefulSet cannot be changed in place: docs/reference/components.md, Volumes)"
    if isinstance(error, NotFoundError) and not foundational(manifest) and "CRD" in said:
        return f"{said}\n  (definitions that must be on the cluster first: docs/how-to/stacks.md, Prerequisites)"
    return said
