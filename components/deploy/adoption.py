"""Taking a stack's objects over from Pulumi or from nobody, and handing them back: marks change, and nothing else.

No value is written, so no password changes and no pod restarts. What differs is for
``diff`` to show and ``apply`` to mend.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from components.deploy.fence import alone
from components.deploy.inventory import (
    MANAGER,
    PART_OF,
    kinds_of,
    namespaces_of,
)
from components.deploy.ownership import (
    PULUMI_MANAGERS,
    SHARED,
    claim_on,
    is_pulumi,
    passed_on,
)
from components.deploy.refusal import NothingThereError, RefusedError
from components.deploy.survey import find_all, owner_named
from components.model.credentials import recipe_of
from kube.errors import InvalidError
from kube.kinds import CONFIG_MAP, Manifest, label_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from components.deploy.inventory import Inventory
    from kube.cluster import Cluster


TRIES = 5


@dataclass(slots=True)
class Adoption:
    """What a stack may take over: objects as they are on the cluster."""

    parent: Manifest | None = None
    taken: list[Manifest] = field(default_factory=list)
    ours: list[Manifest] = field(default_factory=list)


async def plan_adoption(
    cluster: Cluster, inventory: Inventory, manifests: Sequence[Manifest], *, asked_for: bool = False
) -> Adoption:
    """Look at what is there of the declared.

    Args:
        cluster: to look at.
        inventory: of the stack.
        manifests: what is declared.
        asked_for: whether a person named just these: then definitions go that another environment of Pulumi's noted
            as its own, which it leaves behind when it ends.

    Raises:
        RefusedError: another stack keeps some of it.
    """
    made, reasons = Adoption(await inventory.find(cluster)), []
    found = await find_all(cluster, manifests, {})
    own = f"{inventory.namespace}/{inventory.stack}"
    for live in found.values():
        claim = claim_on(live, inventory)
        if claim.by == "us":
            made.ours.append(live)
        elif live["kind"] in SHARED and claim.who not in {"", own} and not (asked_for and claim.by == "pulumi"):
            continue
        elif claim.by != "stack":
            made.taken.append(live)
        else:
            reasons.append(f"{label_of(live)} is kept by {await owner_named(cluster, live, claim)}")
    if reasons:
        raise RefusedError(f"adopt into stack {inventory.stack}", reasons)
    return made


async def adopt(cluster: Cluster, inventory: Inventory, plan: Adoption, tell: Callable[[str], None]) -> None:
    """Mark the objects as members, and put ourselves in Pulumi's place as the writer of their fields.

    Raises:
        RefusedError: another command is at the stack, or was since the plan was made.
    """
    members = [*plan.ours, *plan.taken]
    known = (await inventory.look(cluster)).kinds
    parent = inventory.parent(known | kinds_of(members), namespaces_of(members))
    async with alone(cluster, inventory, "adopt", plan.parent, tell) as guarded:
        await guarded.apply(parent, manager=MANAGER, force=True)
        for live in plan.taken:
            await _marked(guarded, live, inventory.set_id)
            tell(f"{'':<10} adopted   {label_of(live)}")


async def hand_over(cluster: Cluster, inventory: Inventory, tell: Callable[[str], None]) -> int:
    """Put Pulumi in our place on everything the stack keeps; returns how many objects there were.

    Raises:
        NothingThereError: the stack keeps nothing there.
        RefusedError: another command is at the stack.
    """
    there = await inventory.look(cluster)
    if not there.members and there.parent is None:
        raise NothingThereError(await inventory.nothing_there(cluster))
    async with alone(cluster, inventory, "hand-over", there.parent, tell) as guarded:
        for live in there.members.values():
            await _marked(guarded, live, "")
            tell(f"{'':<10} freed     {label_of(live)}")
        await guarded.delete(CONFIG_MAP, inventory.name, inventory.namespace)
    return len(there.members)


async def _marked(cluster: Cluster, live: Manifest, set_id: str) -> None:
    """Set or take the label of a set, and the writer with it, if the object still is what was read."""
    for left in reversed(range(TRIES)):
        try:
            return await _marked_once(cluster, live, set_id)
        except InvalidError:  # written between the read and the patch
            if not left:
                raise
    return None


async def _marked_once(cluster: Cluster, live: Manifest, set_id: str) -> None:
    kind, meta = await cluster.resolve(live), live["metadata"]
    now = await cluster.get(kind, meta["name"], meta.get("namespace"))
    entries = now["metadata"].get("managedFields") or []
    if set_id:
        entries = passed_on(entries, is_pulumi, MANAGER, "Apply")
        entries = _without_data(entries) if recipe_of(live) else entries
    else:
        entries = passed_on(entries, lambda entry: entry.get("manager") == MANAGER, PULUMI_MANAGERS[0], "Update")
    at = f"/metadata/labels/{PART_OF.replace('/', '~1')}"
    operations = [{"op": "test", "path": "/metadata/resourceVersion", "value": now["metadata"]["resourceVersion"]}]
    if entries:
        operations.append({"op": "replace", "path": "/metadata/managedFields", "value": entries})
    if set_id and not now["metadata"].get("labels"):
        operations.append({"op": "add", "path": "/metadata/labels", "value": {}})
    if set_id:
        operations.append({"op": "add", "path": at, "value": set_id})
    elif PART_OF in (now["metadata"].get("labels") or {}):
        operations.append({"op": "remove", "path": at})
    await cluster.json_patch(kind, meta["name"], meta.get("namespace"), operations, manager=MANAGER)


def _without_data(entries: list[Manifest]) -> list[Manifest]:
    """An apply leaves out what was drawn once: it must not be ours, or the apply would take it away."""
    return [
        {**entry, "fieldsV1": {key: value for key, value in entry["fieldsV1"].items() if key != "f:data"}}
        if entry.get("manager") == MANAGER
        else entry
        for entry in entries
    ]
