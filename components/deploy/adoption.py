"""Taking a stack's objects over from Pulumi or from nobody, and handing them back: marks change, and nothing else.

Marks are a label, annotations for Pulumi's provider, and who wrote what. No other value is written, so no password
changes and no pod restarts. What differs is for ``diff`` to show and ``apply`` to mend.
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
    SHARED,
    UNKNOWN_WRITER,
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

TRIES = 10
OF_PULUMI = "pulumi.com/"
"""How annotations begin that tell its provider something."""


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
    """Leave everything the stack keeps to whoever takes it next; returns how many objects there were.

    Nobody owns what is specified from then on. If somebody did, Pulumi would meet a conflict wherever the API server
    has filled in a list, as in ``volumeClaimTemplates``.

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
    """Set or take the marks of a set; an engine at work may write a release between our look and our word."""
    kind, meta = await cluster.resolve(live), live["metadata"]
    for left in reversed(range(TRIES)):
        now = await cluster.get(kind, meta["name"], meta.get("namespace"))
        operations = _marking(now, set_id)
        try:
            await cluster.json_patch(kind, meta["name"], meta.get("namespace"), operations, manager=MANAGER)
        except InvalidError:
            if not left:
                raise
        else:
            return


def _marking(now: Manifest, set_id: str) -> list[Manifest]:
    """What sets or takes the marks, and the writer with them, if the object still is what was read."""
    entries = now["metadata"].get("managedFields") or []
    if set_id:
        entries = passed_on(entries, _left_to_us, MANAGER, "Apply")
        entries = _without_data(entries) if recipe_of(now) else entries
    else:
        entries = passed_on(entries, lambda entry: entry.get("manager") == MANAGER, UNKNOWN_WRITER, "Update")
        entries = [_of_metadata(entry) if entry.get("manager") == UNKNOWN_WRITER else entry for entry in entries]
    at = f"/metadata/labels/{_escaped(PART_OF)}"
    operations = [{"op": "test", "path": "/metadata/resourceVersion", "value": now["metadata"]["resourceVersion"]}]
    if entries:
        operations.append({"op": "replace", "path": "/metadata/managedFields", "value": entries})
    if set_id and not now["metadata"].get("labels"):
        operations.append({"op": "add", "path": "/metadata/labels", "value": {}})
    if set_id:
        operations.append({"op": "add", "path": at, "value": set_id})
        notes = [note for note in now["metadata"].get("annotations") or {} if note.startswith(OF_PULUMI)]
        operations += [{"op": "remove", "path": f"/metadata/annotations/{_escaped(note)}"} for note in notes]
    elif PART_OF in (now["metadata"].get("labels") or {}):
        operations.append({"op": "remove", "path": at})
    return operations


def _left_to_us(entry: Manifest) -> bool:
    """Pulumi's, or as a hand-over leaves it; the API server itself notes whole objects under that name."""
    freed = entry.get("manager") == UNKNOWN_WRITER and set(entry.get("fieldsV1") or {}) <= {"f:metadata"}
    return is_pulumi(entry) or freed


def _of_metadata(entry: Manifest) -> Manifest:
    """With nothing at all, the API server would take everything for somebody's at the next apply."""
    fields = entry.get("fieldsV1") or {}
    return {**entry, "fieldsV1": {key: value for key, value in fields.items() if key == "f:metadata"}}


def _escaped(key: str) -> str:
    return key.replace("/", "~1")


def _without_data(entries: list[Manifest]) -> list[Manifest]:
    """An apply leaves out what was drawn once: it must not be ours, or the apply would take it away."""
    return [
        {**entry, "fieldsV1": {key: value for key, value in entry["fieldsV1"].items() if key != "f:data"}}
        if entry.get("manager") == MANAGER
        else entry
        for entry in entries
    ]
