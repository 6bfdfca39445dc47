"""The end of a stack: what goes is known before anything is deleted, and releases end while their engine lives.

A GrayRelease that is left in a namespace holds it: its finalizer is taken off by the engine alone, which would be gone
by then. So every release of a namespace that goes is ended first.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from components.deploy.collisions import ENGINE, served_by
from components.deploy.fence import alone
from components.deploy.freeing import free
from components.deploy.inventory import ID
from components.deploy.outcome import NotReadyError, Outcome, Report
from components.deploy.prune import remove
from components.deploy.refusal import NothingThereError, RefusedError, named
from components.deploy.survey import Survey, still_used
from components.deploy.waiting import Patience
from components.model.component import NAME
from components.model.layers import identity, is_definition, kept
from kube.errors import ConflictError, NotFoundError
from kube.kinds import CONFIG_MAP, DEPLOYMENT, GRAY_RELEASE, Manifest, label_of
from rollout.api.spec import FINALIZER

if TYPE_CHECKING:
    from collections.abc import Callable

    from components.deploy.fence import Rhythm
    from components.deploy.inventory import Inventory
    from kube.cluster import Cluster

RELEASES_SECONDS = 120.0
_HOLDERS = ("StatefulSet", "PersistentVolumeClaim", "Namespace")


@dataclass(slots=True)
class Teardown:
    """What destroying a stack means.

    Attributes:
        releases: the stack's own, and all others of namespaces that go.
        gone: everything else that is deleted.
        freed: cluster-wide objects that stay for the other environments, without an owner from then on.
        remain: what the tier keeps; it still belongs to the stack.
        orphans: releases of other environments, which this stack's engine serves.
        parent: of the stack's set, as it was before everything else was read.
        strangers: what is said of objects that bear the stack's label, and are not its own.
    """

    releases: list[Manifest] = field(default_factory=list)
    gone: list[Manifest] = field(default_factory=list)
    freed: list[Manifest] = field(default_factory=list)
    remain: list[Manifest] = field(default_factory=list)
    orphans: list[str] = field(default_factory=list)
    parent: Manifest | None = None
    strangers: str = ""

    def survey(self) -> Survey:
        """The same as what an apply would meet that declares nothing more."""
        going = [*self.releases, *self.gone]
        there = {identity(item): item for item in (*going, *self.freed, *self.remain)}
        return Survey(there, found=there, gone=going, freed=self.freed, remain=self.remain, parent=self.parent)

    def told(self) -> list[str]:
        """Lines for a person who is asked."""
        lines = [f"{len(self.gone) + len(self.releases)} objects go"]
        if self.releases:
            lines.append(f"releases with everything they serve: {named([label_of(item) for item in self.releases])}")
        if heavy := [label_of(item) for item in self.gone if item["kind"] in _HOLDERS]:
            lines.append(f"among them {named(heavy)}")
        if self.orphans:
            lines.append(f"without an engine from then on: {named(self.orphans)}")
        if stays := [*self.freed, *self.remain]:
            lines.append(f"kept: {named([label_of(item) for item in stays])}")
        if self.strangers:
            lines.append(self.strangers)
        return lines


async def plan_teardown(cluster: Cluster, inventory: Inventory) -> Teardown:
    """Look at what is there.

    Raises:
        NothingThereError: nothing of the stack is.
        RefusedError: another stack stands in a namespace that would go.
    """
    there = await inventory.look(cluster)
    live = there.members
    if not live and there.parent is None:
        raise NothingThereError(f"{await inventory.nothing_there(cluster)} (--missing-ok where that is fine)")
    made = Teardown(parent=there.parent, strangers=there.strangers())
    for item in live.values():
        if is_definition(item) or await still_used(cluster, live, item):
            made.freed.append(item)
        elif kept(item):
            made.remain.append(item)
        elif item["kind"] == GRAY_RELEASE.kind:
            made.releases.append(item)
        else:
            made.gone.append(item)
    going = [item["metadata"]["name"] for item in made.gone if item["kind"] == "Namespace"]
    reasons = [reason for namespace in going for reason in await _lodgers(cluster, inventory, namespace)]
    if reasons:
        raise RefusedError(f"destroy stack {inventory.stack}", reasons)
    for namespace in going:
        made.releases += [item for item in await _releases(cluster, namespace) if not _in(item, made.releases)]
    made.orphans = await _orphans(cluster, made)
    return made


async def _orphans(cluster: Cluster, made: Teardown) -> list[str]:
    found: list[str] = []
    for item in made.gone:
        if (item["metadata"].get("labels") or {}).get(NAME) == ENGINE and item["kind"] == DEPLOYMENT.kind:
            for namespace in served_by(item):
                served = await _releases(cluster, namespace)
                found += [label_of(other) for other in served if not _in(other, made.releases)]
    return found


async def _lodgers(cluster: Cluster, inventory: Inventory, namespace: str) -> list[str]:
    """Other stacks of a namespace that goes: they would go with it."""
    parents = (await cluster.list(CONFIG_MAP, namespace, labels=ID)).items
    others = [item["metadata"]["name"] for item in parents if item["metadata"]["labels"].get(ID) != inventory.set_id]
    return [
        f"Namespace {namespace} holds {name} too, which would go with it: destroy that stack first, or move the "
        "namespace out of this one (environment.createNamespace: false, then apply)"
        for name in others
    ]


async def _releases(cluster: Cluster, namespace: str) -> list[Manifest]:
    try:
        return (await cluster.list(GRAY_RELEASE, namespace)).items
    except NotFoundError:
        return []  # no definition, no release


def _in(item: Manifest, others: list[Manifest]) -> bool:
    return any(label_of(item) == label_of(other) for other in others)


async def tear_down(
    cluster: Cluster,
    inventory: Inventory,
    plan: Teardown,
    patience: Patience,
    tell: Callable[[str], None],
    *,
    without_engine: bool = False,
    rhythm: Rhythm | None = None,
) -> Report:
    """Carry a plan out: releases first, then everything else, then the owner's marks on what stays.

    Raises:
        RefusedError: another command is at the stack, or was since the plan was made.
        NotReadyError: an object would not go in time.
    """
    report = Report()

    def note(label: str) -> None:
        """Keep count, and say it."""
        report.outcomes.append(Outcome("deleted", label))
        tell(f"{'':<10} deleted   {label}")

    async with AsyncExitStack() as stack:
        try:
            guarded = await stack.enter_async_context(alone(cluster, inventory, "destroy", plan.parent, tell, rhythm))
        except NotFoundError:
            guarded = cluster  # the namespace is gone, and with it all that two could meet in
        if without_engine:
            for item in plan.releases:
                await _let_go(guarded, item)
        bounded = Patience(min(patience.seconds, RELEASES_SECONDS), patience.every_s)
        problems = await remove(guarded, plan.releases, bounded, note, tell)
        if problems:
            held = any(FINALIZER in problem for problem in problems)
            raise NotReadyError([*problems, *([await _why_held(cluster, inventory)] if held else [])], report)
        if problems := await remove(guarded, plan.gone, patience, note, tell):
            raise NotReadyError(problems, report)
        for item in plan.freed:
            await free(guarded, item)
        report.outcomes += [Outcome("kept", label_of(item)) for item in (*plan.freed, *plan.remain)]
        if not plan.remain:
            await guarded.delete(CONFIG_MAP, inventory.name, inventory.namespace)
    return report


async def _let_go(cluster: Cluster, item: Manifest) -> None:
    """Do for a release what its engine would: its finalizer goes, and what it serves goes with it."""
    meta = item["metadata"]
    try:
        await cluster.delete(GRAY_RELEASE, meta["name"], meta["namespace"], uid=str(meta.get("uid") or ""))
        live = await cluster.get(GRAY_RELEASE, meta["name"], meta["namespace"])
        rest = [each for each in live["metadata"].get("finalizers") or [] if each != FINALIZER]
        patch = {"metadata": {"finalizers": rest, "resourceVersion": live["metadata"]["resourceVersion"]}}
        await cluster.merge_patch(GRAY_RELEASE, meta["name"], meta["namespace"], patch, manager="grayling-stack")
    except (NotFoundError, ConflictError):
        return  # gone, or somebody is at it: the wait that follows tells


async def _why_held(cluster: Cluster, inventory: Inventory) -> str:
    labels = f"{NAME}={ENGINE}"
    engines = (await cluster.list(DEPLOYMENT, inventory.namespace, labels=labels)).items
    running = [item for item in engines if (item.get("status") or {}).get("availableReplicas")]
    if running:
        return f"the engine {label_of(running[0])} runs; its log says what it waits for"
    return (
        "the engine that would let them go does not run: mend it and run this again, or go on without it with "
        "--without-engine (traffic is not moved first)"
    )
