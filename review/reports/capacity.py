"""What a change asks of the cluster: CPU, memory and storage, before and after, and what they cost.

Only objects that change are in a preview, so these are differences, not the size of an environment.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from review.model.change import Op
from review.model.normal import at
from review.reports.amounts import Amount, Reader, total

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from review.model.change import Change, ChangeSet
    from review.model.prices import Prices

NOTHING = Amount()
GIBIBYTE, CORE = 2**30, 1000
WORKLOADS = frozenset(
    {"Deployment", "StatefulSet", "DaemonSet", "GrayRelease", "Job", "CronJob", "Pod", "PersistentVolumeClaim"}
)
OPAQUE = ("kubernetes:helm.sh/", "kubernetes:yaml", "kubernetes:kustomize")
"""Resources of Pulumi that make objects which the preview does not show."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What one object asks for on one side.

    Attributes:
        always: for as long as it is there, at its least number of pods.
        most: at the most pods that an autoscaler gives it; the same as ``always`` where there is none.
        node: on each node.
        passing: while a job runs.
        release: more than ``always`` while a version is brought in.
        pods: how many, in words.
    """

    always: Amount = NOTHING
    most: Amount = NOTHING
    node: Amount = NOTHING
    passing: Amount = NOTHING
    release: Amount = NOTHING
    pods: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One object, before and after."""

    object: str
    before: Usage
    after: Usage
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Capacity:
    """All rows, their sums, and what could not be counted."""

    rows: tuple[Row, ...] = ()
    notes: tuple[str, ...] = ()
    cost: float | None = None
    currency: str = ""

    def sums(self) -> tuple[Usage, Usage]:
        """Before and after, all rows together."""
        return _sum([row.before for row in self.rows]), _sum([row.after for row in self.rows])


def _sum(usages: list[Usage]) -> Usage:
    return Usage(
        always=total(each.always for each in usages),
        most=total(each.most for each in usages),
        node=total(each.node for each in usages),
        passing=total(each.passing for each in usages),
        release=total(each.release for each in usages),
    )


@dataclass(slots=True)
class _Side:
    """One object on one side, with the autoscaler that aims at it."""

    manifest: Mapping[str, Any]
    scaler: Mapping[str, Any] | None
    reader: Reader = field(default_factory=Reader)

    def spec(self, *path: str) -> Any:
        return at(self.manifest, ("spec", *path))


def capacity_of(changes: ChangeSet, prices: Prices | None = None) -> Capacity:
    """What a change set asks for; with money where there are prices."""
    scalers = changes.of_kind("HorizontalPodAutoscaler")
    before = {_target(each.before): each.before for each in scalers}
    after = {_target(each.after): each.after for each in scalers}
    rows = []
    for change in changes.changes:
        if change.ref.kind in WORKLOADS:
            key = (change.ref.namespace, change.ref.kind, change.ref.name)
            rows.append(_row(change, before.get(key), after.get(key)))
    rows = [row for row in rows if row.before != row.after or row.notes]
    capacity = Capacity(tuple(rows), tuple(_unseen(changes)))
    if prices is None:
        return capacity
    old, new = capacity.sums()
    return Capacity(capacity.rows, capacity.notes, _cost(new.always - old.always, prices), prices.currency)


def cost_of(capacity: Capacity) -> dict[str, Any]:
    """What is asked for more or less from then on, for a record; empty where nothing is."""
    old, new = capacity.sums()
    more = asdict(new.always - old.always)
    found = {key: value for key, value in more.items() if value}
    if capacity.cost:
        found |= {"money": capacity.cost, "currency": capacity.currency}
    return {**found, "notCounted": list(capacity.notes)} if capacity.notes else found


def _cost(amount: Amount, prices: Prices) -> float:
    cost = amount.cpu / CORE * prices.cpu + amount.memory / GIBIBYTE * prices.memory
    return round(cost + amount.storage / GIBIBYTE * prices.storage, 2)


def _target(scaler: Mapping[str, Any] | None) -> tuple[str, str, str] | None:
    aim = at(scaler or {}, ("spec", "scaleTargetRef"))
    if not isinstance(aim, dict):
        return None
    return str(at(scaler, ("metadata", "namespace")) or ""), str(aim.get("kind")), str(aim.get("name"))


def _unseen(changes: ChangeSet) -> Iterator[str]:
    shown = {(each.ref.namespace, each.ref.kind, each.ref.name) for each in changes.changes}
    for each in changes.of_kind("HorizontalPodAutoscaler"):
        aim = _target(each.after or each.before)
        if aim not in shown:
            yield f"{each.ref}: {_range_words(each)}; what one pod of it asks for is not in this preview"
    for each in changes.changes:
        if each.ref.kind.startswith(OPAQUE):
            yield f"{each.ref}: what it makes is not in this preview, and not counted"


def _range_words(change: Change) -> str:
    sides = [side for side in (change.before, change.after) if side is not None]
    ranges = [f"{at(side, ('spec', 'minReplicas')) or 1} to {at(side, ('spec', 'maxReplicas'))}" for side in sides]
    return " pods, then ".join(dict.fromkeys(ranges)) + " pods"


def _row(change: Change, before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> Row:
    old = None if change.before is None else _Side(change.before, before)
    new = None if change.after is None else _Side(change.after, after)
    kind = change.ref.kind
    was = Usage() if old is None else _usage(kind, old, fresh=True)
    will = Usage() if new is None else _usage(kind, new, fresh=Op.CREATE in change.ops or not _starts_release(change))
    notes = list(dict.fromkeys([*(new.reader.unread if new else ()), *(old.reader.unread if old and not new else ())]))
    kept = _kept(old, was) if old is not None and Op.DELETE in change.ops else Amount()
    if Op.RETAIN in change.ops:
        will, notes = was, [*notes, "stays on the cluster, and nothing manages it any more"]
    elif kept.storage:
        will, notes = Usage(kept, kept), [*notes, "its volumes stay, and are paid for"]
    return Row(str(change.ref), was, will, tuple(notes))


def _starts_release(change: Change) -> bool:
    return any(change.edited("spec", "workload", key) for key in ("template", "config", "configMountPath", "ports"))


def _kept(side: _Side, usage: Usage) -> Amount:
    """Volumes of a StatefulSet outlive it, unless it says otherwise."""
    if side.manifest.get("kind") != "StatefulSet":
        return Amount()
    policy = side.spec("persistentVolumeClaimRetentionPolicy", "whenDeleted")
    return Amount() if policy == "Delete" else Amount(storage=usage.always.storage)


def _usage(kind: str, side: _Side, *, fresh: bool) -> Usage:
    if kind == "PersistentVolumeClaim":
        claimed = side.reader.claim(side.manifest)
        return Usage(claimed, claimed)
    if kind == "Pod":
        pod = side.reader.pod(side.manifest)
        return Usage(pod, pod, pods="1 pod")
    if kind == "DaemonSet":
        return Usage(node=side.reader.pod(side.spec("template")), pods="on each node")
    if kind in {"Job", "CronJob"}:
        path = ("jobTemplate", "spec") if kind == "CronJob" else ()
        count = side.reader.number(side.spec(*path, "parallelism"), 1, "parallelism")
        return Usage(
            passing=side.reader.pod(side.spec(*path, "template")) * count, pods=f"{_pods(count)} while it runs"
        )
    return _scaled(kind, side, fresh=fresh)


def _scaled(kind: str, side: _Side, *, fresh: bool) -> Usage:
    work = () if kind != "GrayRelease" else ("workload",)
    pod = side.reader.pod(side.spec(*work, "template"))
    declared = side.reader.number(side.spec(*work, "replicas"), 1, "replicas")
    least = max(declared, side.reader.number(side.spec(*work, "minReplicas"), 0, "minReplicas")) if work else declared
    most = least
    if side.scaler is not None:
        least = side.reader.number(at(side.scaler, ("spec", "minReplicas")), 1, "minReplicas")
        most = max(least, side.reader.number(at(side.scaler, ("spec", "maxReplicas")), least, "maxReplicas"))
    if kind == "StatefulSet":
        claims = side.spec("volumeClaimTemplates")
        pod += total(side.reader.claim(each) for each in claims) if isinstance(claims, list) else Amount()
    extra = Amount() if fresh or not work else pod * most
    words = _pods(least) if least == most else f"{least} to {_pods(most)}"
    return Usage(pod * least, pod * most, release=extra, pods=words)


def _pods(count: int) -> str:
    return f"{count} pod" if count == 1 else f"{count} pods"
