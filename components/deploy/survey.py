"""What an apply meets on the cluster, read before its first write: what goes, what others keep, what stands against.

``diff`` shows the same reasons that ``apply`` refuses for.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from components.deploy.collisions import GATEWAYS_API, stands_against, used_elsewhere
from components.deploy.inventory import (
    ID,
    Inventory,
    Key,
    KindKey,
    kinds_of,
)
from components.deploy.ownership import (
    GATEWAY_CLASS,
    SHARED,
    Claim,
    claim_on,
    serves,
    set_of,
)
from components.deploy.prune import held_by
from components.deploy.refusal import RefusedError, named
from components.deploy.taken_back import stays_out
from components.model.layers import identity, is_definition, kept
from components.workloads.network import DEFAULT_DENY
from kube.errors import ForbiddenError, NotFoundError
from kube.kinds import CONFIG_MAP, Manifest, label_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from kube.cluster import Cluster

PRECIOUS = {"GrayRelease", "StatefulSet", "PersistentVolumeClaim", "Namespace"}
FEW, MOST_SHARE = 3, 0.2
AT_ONCE = 24


@dataclass(slots=True)
class Survey:
    """The state of things before an apply.

    Attributes:
        live: members of this stack's set, as they are.
        pruned: whether what is no longer declared goes.
        found: what is there of the declared, in the set or not.
        written: the declared objects that the apply writes, as members.
        shared: declared objects that another owner keeps, and that serve as they are.
        gone: what pruning deletes.
        freed: cluster-wide objects that stay, without an owner from then on.
        remain: members that are no longer declared and kept.
        reasons: why nothing may be written.
        notes: what a person should know.
        parent: of the stack's set, as it was before everything else was read; None for a stack never applied.
        unseen: kinds of the set that the server does not have now.
        stays_out: why releases do not come in, by their names: they were taken back on evidence.
    """

    live: dict[Key, Manifest]
    pruned: bool = True
    found: dict[Key, Manifest] = field(default_factory=dict)
    written: list[Manifest] = field(default_factory=list)
    shared: list[Manifest] = field(default_factory=list)
    gone: list[Manifest] = field(default_factory=list)
    freed: list[Manifest] = field(default_factory=list)
    remain: list[Manifest] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    parent: Manifest | None = None
    unseen: set[KindKey] = field(default_factory=set)
    stays_out: dict[str, str] = field(default_factory=dict)

    def insist(self, what: str, *, allow_delete: bool) -> None:
        """Go no further where something stands against it.

        Raises:
            RefusedError: with every reason.
        """
        reasons = list(self.reasons)
        if not allow_delete and (why := self.needs_consent()):
            reasons.append(f"{why}; if that is meant, pass --allow-delete (or --no-prune to keep them)")
        if reasons:
            raise RefusedError(what, reasons)

    def needs_consent(self) -> str:
        """Why the deletions are more than an everyday change; empty where they are not."""
        precious = [label_of(item) for item in self.gone if item["kind"] in PRECIOUS]
        if precious:
            return f"it would delete {named(precious)}"
        if len(self.gone) > max(FEW, MOST_SHARE * len(self.live)):
            everything = named([label_of(item) for item in self.gone])
            return f"it would delete {len(self.gone)} of the {len(self.live)} objects it has applied: {everything}"
        return ""


async def take_survey(
    cluster: Cluster,
    inventory: Inventory,
    manifests: Sequence[Manifest],
    *,
    prune: bool = True,
    engine: str = "",
    records: Sequence[Path] = (),
) -> Survey:
    """Look at everything that the apply of ``manifests`` would meet.

    Args:
        cluster: to look at.
        inventory: of the stack.
        manifests: what is declared.
        prune: whether what is no longer declared goes.
        engine: the namespace whose engine serves this stack's releases, where the stack brings none.
        records: files of kept records, which keep out what they took back.
    """
    there = await inventory.look(cluster, kinds_of(manifests))
    made = Survey(there.members, prune, parent=there.parent, unseen=there.unseen)
    if strangers := there.strangers(manifests):
        made.notes.append(strangers)
    if there.parent is None and (places := await inventory.elsewhere(cluster)):
        made.notes.append(
            f"a stack {inventory.stack} stands in namespace {', '.join(places)} too: if that is this one, moved by an "
            f"edit of environment.namespace, it stays there; destroy it with the file as it was"
        )
    made.found = await find_all(cluster, manifests, made.live)
    others: dict[str, list[tuple[Manifest, Claim]]] = {}
    for manifest in manifests:
        live = made.found.get(identity(manifest))
        claim = claim_on(live, inventory) if live is not None else Claim("us")
        if manifest["kind"] in SHARED and claim.by in {"stack", "pulumi"}:
            await _share(cluster, made, manifest, live or {}, claim)
        elif claim.by == "us" or (manifest["kind"] in SHARED and claim.by == "nobody"):
            made.written.append(inventory.stamped(manifest))
        elif not (manifest["kind"] == "Namespace" and claim.by == "nobody" and not prune):
            others.setdefault(claim.by, []).append((live or {}, claim))
    made.reasons += _going(made.found[identity(item)] for item in made.written if identity(item) in made.found)
    made.reasons += await _foreign(cluster, inventory, others)
    made.reasons += await stands_against(cluster, inventory.namespace, manifests, made.found, engine, made.notes)
    out = await stays_out(cluster, manifests, made.found, records, made.notes)
    made.reasons, made.stays_out = [*made.reasons, *out.reasons], out.by_release
    if prune:
        await _what_goes(cluster, made, manifests)
    return made


async def find_all(cluster: Cluster, manifests: Sequence[Manifest], live: dict[Key, Manifest]) -> dict[Key, Manifest]:
    """What is there of the declared, in the set (``live``) or not."""
    slots = asyncio.Semaphore(AT_ONCE)

    async def one(manifest: Manifest) -> Manifest | None:
        """Look one up, with few at the same time."""
        async with slots:
            try:
                kind = await cluster.resolve(manifest)
                meta = manifest["metadata"]
                return await cluster.find(kind, meta["name"], meta.get("namespace"))
            except NotFoundError:  # its definition comes first
                return None

    missing = [item for item in manifests if identity(item) not in live]
    looked_up = await asyncio.gather(*(one(item) for item in missing))
    found = {
        identity(item): {"apiVersion": item["apiVersion"], "kind": item["kind"], **there}
        for item, there in zip(missing, looked_up, strict=True)
        if there is not None
    }
    return {**live, **found}


async def _share(cluster: Cluster, made: Survey, manifest: Manifest, live: Manifest, claim: Claim) -> None:
    label, owner = label_of(manifest), await owner_named(cluster, live, claim)
    if serves(live, manifest):
        made.shared.append(manifest)
        made.notes.append(f"{label} is kept by {owner} and shared as it is")
        return
    fix = (
        f"bring its owner to this version first, or set controller.installDefinitions: false{_left(claim)}"
        if is_definition(manifest)
        else "name another class in environment.gateway.class"
    )
    made.reasons.append(f"{label} is kept by {owner} and is not the one this stack needs: {fix}")


def _left(claim: Claim) -> str:
    """Pulumi leaves its marks when it goes: only a person can tell that there is no owner any more."""
    gone = "; if that stack is gone: grayling stack adopt STACK --only 'CustomResourceDefinition/*'"
    return gone if claim.by == "pulumi" else ""


async def owner_named(cluster: Cluster, live: Manifest, claim: Claim) -> str:
    """Who keeps an object, as a person may look for it."""
    if claim.by == "pulumi":
        return f"a Pulumi stack ({claim.who})" if claim.who else "a Pulumi stack"
    try:
        parents = (await cluster.list(CONFIG_MAP, None, labels=f"{ID}={set_of(live)}")).items
    except ForbiddenError:
        parents = []
    for parent in parents:
        meta = parent["metadata"]
        return f"stack {meta['name'].removeprefix('grayling-stack-')} of namespace {meta['namespace']}"
    return f"another stack ({claim.who})"


async def _foreign(
    cluster: Cluster, inventory: Inventory, others: dict[str, list[tuple[Manifest, Claim]]]
) -> list[str]:
    """A reason for each other keeper, with what of the declared it has and how to get out."""
    reasons = []
    for by, found in sorted(others.items()):
        labels = [label_of(live) for live, _ in found]
        if by == "pulumi":
            reasons.append(
                f"Pulumi keeps {named(labels)}: one engine keeps an environment. Go on with `pulumi up`, or take it "
                f"over with `grayling stack adopt {inventory.stack}` (docs/how-to/stacks.md, Two engines)"
            )
        elif by == "stack":
            for owner, own in (await _by_owner(cluster, found)).items():
                reasons.append(f"{owner} keeps {named(own)}: {_apart(inventory, own)}")
        else:
            reasons.append(
                f"{named(labels)} {'is' if len(labels) == 1 else 'are'} there already and of no stack: rename, or take "
                f"over with `grayling stack adopt {inventory.stack}`; a namespace of somebody else's: "
                "environment.createNamespace: false"
            )
    return reasons


def _going(found: Iterable[Manifest]) -> list[str]:
    """Objects that are being deleted take an apply, and go all the same when their last finalizer does."""
    return [
        f"{label_of(live)} is being deleted: {held_by(live)}; wait until it is gone, and run this again"
        for live in found
        if live["metadata"].get("deletionTimestamp")
    ]


def _apart(inventory: Inventory, labels: Sequence[str]) -> str:
    """The way out where two stacks declare the same objects."""
    place = inventory.namespace
    if {f"Namespace {place}", f"NetworkPolicy {place}/{DEFAULT_DENY}"} & set(labels):
        return (
            f"a namespace holds one stack: change environment.namespace of one of the two (here it is {place}), or put "
            "both into one stack file (docs/how-to/stacks.md, Several environments on one cluster)"
        )
    return "rename one of the two"


async def _by_owner(cluster: Cluster, found: Iterable[tuple[Manifest, Claim]]) -> dict[str, list[str]]:
    owners: dict[str, str] = {}
    grouped: dict[str, list[str]] = {}
    for live, claim in found:
        own = set_of(live)
        if own not in owners:
            owners[own] = await owner_named(cluster, live, claim)
        grouped.setdefault(owners[own], []).append(label_of(live))
    return grouped


async def _what_goes(cluster: Cluster, made: Survey, manifests: Sequence[Manifest]) -> None:
    wanted = {identity(manifest) for manifest in manifests}
    for key, item in made.live.items():
        if key in wanted:
            continue
        if is_definition(item) or await still_used(cluster, made.live, item):
            made.freed.append(item)
        else:
            (made.remain if kept(item) else made.gone).append(item)


async def still_used(cluster: Cluster, live: dict[Key, Manifest], item: Manifest) -> bool:
    """Whether a class has Gateways of others."""
    if item["kind"] != GATEWAY_CLASS:
        return False
    own = {(key[2], key[3]) for key in live if key[0] == GATEWAYS_API and key[1] == "Gateway"}
    return await used_elsewhere(cluster, item["metadata"]["name"], own)
