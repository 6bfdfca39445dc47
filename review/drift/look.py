"""Reading what drift is found in: what the inventory says was applied, and what is there."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from components.deploy.applied import record_in, unpacked
from components.deploy.inventory import HELD
from components.deploy.survey import find_all
from components.model.layers import identity, kept
from review.drift.drift import Drift, drift_of
from review.model.change import Doubt

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from components.deploy.inventory import Inventory, Kept
    from kube.cluster import Cluster
    from kube.kinds import Manifest
    from review.drift.drift import Key


@dataclass(frozen=True, slots=True)
class Seen:
    """What a look found.

    Attributes:
        drift: every object that is not as applied.
        unchanged: number of objects that are.
        doubts: what could not be known.
    """

    drift: list[Drift]
    unchanged: int
    doubts: list[Doubt] = field(default_factory=list)


async def look(
    cluster: Cluster,
    inventory: Inventory,
    declared: Sequence[Manifest],
    *,
    against: str = "",
    ignored: Iterable[str] = (),
) -> Seen:
    """Hold what is live against what was applied last; nothing is written.

    Args:
        cluster: to read.
        inventory: of the stack.
        declared: what the stack file says, at the commit that ``against`` names or as it stands.
        against: the commit to hold it against; empty for the record of the last apply, where there is one.
        ignored: managers whose fields are not told.

    Raises:
        UnreadableError: the record of the last apply cannot be read.
        KubeError: the cluster cannot be read.
    """
    there = await inventory.look(cluster)
    record = "" if against else record_in(there.parent)
    applied: dict[Key, Manifest] = unpacked(record) if record else {identity(item): item for item in declared}
    live = await find_all(cluster, list(applied.values()), there.members)
    told = {key: item for key, item in live.items() if key in applied or not kept(item)}
    served = {key: item for key, item in applied.items() if (key[0], key[1]) not in there.unseen}
    found = drift_of(served, told, ignored)
    touched = sum(each.change.ops[0].value != "delete" for each in found)
    return Seen(found, len(served) - touched, list(_doubts(there, record, against)))


def _doubts(there: Kept, record: str, against: str) -> Iterable[Doubt]:
    for api_version, kind in sorted(there.unseen):
        yield Doubt("unseen-kind", f"the cluster does not serve {kind} ({api_version}) now: its objects were not seen")
    if not record and not against:
        text = (
            "no apply of this version of Grayling is recorded on the cluster: held against the stack file as it stands "
            "here, so that what was never applied shows as drift too; name a commit with --against"
        )
        yield Doubt("no-record", text, fatal=False)
    if ((there.parent or {}).get("metadata", {}).get("annotations") or {}).get(HELD):
        text = "a command is at the stack now, or was killed: what it has not done yet shows as drift"
        yield Doubt("command-at-work", text, fatal=False)
