"""A rendered stack onto a cluster by server-side apply: layer after layer, each ready before the next one starts.

Applying what is there already changes nothing. Objects that the stack no longer declares are found by its inventory
and deleted. Fields that somebody else manages are never taken without ``force``.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from components.credentials import draw, filled, recipe_of
from components.difference import declared_part
from components.inventory import MANAGER, Inventory, Key, kinds_of, namespaces_of
from components.layers import foundational, identity, kept, waves
from components.outcome import ApplyError, NotReadyError, Outcome, Report
from components.removal import remove
from components.waiting import Patience, wait_ready
from kube.errors import ConflictError, InvalidError, KubeError, NotFoundError
from kube.kinds import Manifest, label_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from components.layers import Layer
    from kube.cluster import Cluster

AT_ONCE = 24


@dataclass(slots=True)
class Applier:
    """Brings one stack to one cluster.

    ``tell`` gets a line for everything a person would like to see; ``patience`` says how long objects may take.
    """

    cluster: Cluster
    inventory: Inventory
    tell: Callable[[str], None] = lambda _line: None
    patience: Patience = field(default_factory=Patience)
    force: bool = False
    _report: Report = field(default_factory=Report)
    _live: dict[Key, Manifest] = field(default_factory=dict)
    _slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))

    async def apply(self, manifests: Sequence[Manifest], *, prune: bool = True) -> Report:
        """Make ``manifests`` true, and with ``prune`` nothing else of this stack.

        Raises:
            ApplyError: an object was refused, or did not become ready; it says which, why, and what was done before.
        """
        self._report = Report()
        known = await self.inventory.known_kinds(self.cluster) | kinds_of(manifests)
        self._live = await self.inventory.members(self.cluster, known)
        stamped = [self.inventory.stamped(manifest) for manifest in manifests]
        parent_written = False
        for layer, wave in waves(stamped):
            if not parent_written and not all(item["kind"] == "Namespace" for item in wave):
                await self._write_parent(self.inventory.parent(known, namespaces_of(manifests)))
                parent_written = True
            await self._wave(layer, wave)
        if prune:
            await self._prune(stamped)
        return self._report

    async def _write_parent(self, parent: Manifest) -> None:
        try:
            await self.cluster.apply(parent, manager=MANAGER, force=True)
        except NotFoundError as error:
            fix = "create it, or let the stack do so with environment.createNamespace: true"
            raise ApplyError(
                [f"namespace {self.inventory.namespace} does not exist: {fix}"], self._report, error
            ) from error
        except KubeError as error:
            raise ApplyError([str(error)], self._report, error) from error

    async def _wave(self, layer: Layer, wave: list[Manifest]) -> None:
        results = await asyncio.gather(*(self._one(layer, manifest) for manifest in wave), return_exceptions=True)
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

    async def _one(self, layer: Layer, manifest: Manifest) -> Manifest:
        async with self._slots:
            before = self._live.get(identity(manifest)) or await self._find(manifest)
            if before is None and (recipe := recipe_of(manifest)):
                after = await self._create_once(filled(manifest, draw(recipe)))
            else:
                after = await self.cluster.apply(manifest, manager=MANAGER, force=self.force)
        same = before is not None and _same(before, after)
        self._note(
            Outcome("created" if before is None else "unchanged" if same else "changed", label_of(manifest)), layer
        )
        return {**after, "apiVersion": manifest["apiVersion"], "kind": manifest["kind"]}

    async def _find(self, manifest: Manifest) -> Manifest | None:
        """An object of that name outside of the set, so that ``created`` and ``changed`` are told apart."""
        kind = await self.cluster.resolve(manifest)
        return await self.cluster.find(kind, manifest["metadata"]["name"], manifest["metadata"].get("namespace"))

    async def _create_once(self, manifest: Manifest) -> Manifest:
        with suppress(ConflictError):  # somebody was faster, and theirs counts
            await self.cluster.create(manifest)
        bare = {key: value for key, value in manifest.items() if key != "data"}
        return await self.cluster.apply(bare, manager=MANAGER, force=self.force)

    async def _prune(self, manifests: Sequence[Manifest]) -> None:
        wanted = {identity(manifest) for manifest in manifests}
        gone = [item for key, item in self._live.items() if key not in wanted and not kept(item)]
        remain = [item for key, item in self._live.items() if key not in wanted and kept(item)]
        for item in remain:
            self._note(Outcome("kept", label_of(item)), None)
        problems = await remove(
            self.cluster, gone, self.patience, lambda label: self._note(Outcome("deleted", label), None)
        )
        if problems:
            raise NotReadyError(problems, self._report)
        everything = [*manifests, *remain]
        await self._write_parent(self.inventory.parent(kinds_of(everything), namespaces_of(everything)))

    def _note(self, outcome: Outcome, layer: Layer | None) -> None:
        self._report.outcomes.append(outcome)
        if outcome.action != "unchanged":
            self.tell(f"{layer.value if layer else '':<10} {outcome.action:<9} {outcome.label}")


async def apply_one(cluster: Cluster, inventory: Inventory, manifests: Sequence[Manifest]) -> Report:
    """Apply a few objects of a stack and nothing else: no pruning, no waiting.

    Raises:
        ApplyError: one was refused.
    """
    return await Applier(cluster, inventory, patience=Patience(seconds=0)).apply(manifests, prune=False)


def _same(before: Manifest, after: Manifest) -> bool:
    """Whether an apply left an object alone; a status that somebody wrote meanwhile does not count."""
    if before["metadata"].get("resourceVersion") == after["metadata"].get("resourceVersion"):
        return True
    return declared_part(before) == declared_part(after)


def _explained(manifest: Manifest, error: BaseException) -> str:
    said = str(error).removeprefix(f"apply {label_of(manifest)}: ").removeprefix(f"create {label_of(manifest)}: ")
    if isinstance(error, ConflictError):
        return f"{said}\n  (another writer owns the field: remove it there, or pass --force-conflicts to take it)"
    if isinstance(error, InvalidError) and manifest["kind"] == "StatefulSet" and "Forbidden" in said:
        return f"{said}\n  (volumes of a StatefulSet cannot be changed in place: see docs/components.md, Volumes)"
    if isinstance(error, NotFoundError) and not foundational(manifest) and "CRD" in said:
        return f"{said}\n  (definitions that must be on the cluster first: docs/stacks.md, Prerequisites)"
    return said
