"""Fields that the API server does not change in place, and what else stands in the way of a change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from review.model.change import Op
from review.model.masking import HIDDEN
from review.model.normal import at, same
from review.reading.plan import UNTOLD
from review.risks.rule import HIGH, LOW, MEDIUM, Finding, Rule, on
from review.risks.shapes import listed, said
from review.risks.stores import loss_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from review.model.change import Change, Edit, Path
    from review.risks.scene import Scene

IMMUTABLE: dict[str, tuple[Path, ...]] = {
    "Deployment": (("spec", "selector"),),
    "ReplicaSet": (("spec", "selector"),),
    "DaemonSet": (("spec", "selector"),),
    "StatefulSet": (("spec",),),
    "Job": (("spec", "template"), ("spec", "selector"), ("spec", "completionMode"), ("spec", "podFailurePolicy")),
    "PersistentVolumeClaim": (("spec",),),
    "PersistentVolume": (
        ("spec", "csi"),
        ("spec", "nfs"),
        ("spec", "hostPath"),
        ("spec", "local"),
        ("spec", "volumeMode"),
    ),
    "StorageClass": (("provisioner",), ("parameters",), ("reclaimPolicy",), ("volumeBindingMode",)),
    "RoleBinding": (("roleRef",),),
    "ClusterRoleBinding": (("roleRef",),),
    "Secret": (("type",),),
    "PriorityClass": (("value",), ("preemptionPolicy",)),
    "CustomResourceDefinition": (("spec", "group"), ("spec", "scope"), ("spec", "names", "plural")),
    "IngressClass": (("spec", "controller"),),
    "GatewayClass": (("spec", "controllerName"),),
    "RuntimeClass": (("handler",),),
}
"""Where the API server refuses a change in place."""

MUTABLE: dict[str, frozenset[str]] = {
    "StatefulSet": frozenset(
        {
            "replicas",
            "ordinals",
            "template",
            "updateStrategy",
            "revisionHistoryLimit",
            "persistentVolumeClaimRetentionPolicy",
            "minReadySeconds",
        }
    ),
    "PersistentVolumeClaim": frozenset({"resources", "volumeAttributesClassName"}),
}
"""And what may change below it all the same."""

_OUTAGE = frozenset(
    {"Deployment", "StatefulSet", "DaemonSet", "GrayRelease", "Gateway", "Service", "Ingress", "HTTPRoute", "GRPCRoute"}
)


def _refused(change: Change, scene: Scene) -> Iterator[Finding]:  # noqa: ARG001 - every rule is asked alike
    if change.goes or Op.UPDATE not in change.ops:
        return
    for edit in change.edits:
        if edit.before == UNTOLD or edit.hidden:
            continue
        if _is_fixed(change, edit) or _is_frozen(change, edit) or _is_address(change, edit):
            yield on(edit, f"cannot change in place ({said(edit.before)} → {said(edit.after)}): the server refuses it")


def _is_fixed(change: Change, edit: Edit) -> bool:
    kind = change.ref.kind
    below = MUTABLE.get(kind, frozenset())
    return any(
        edit.path[: len(path)] == path and not (below and len(edit.path) > 1 and edit.path[1] in below)
        for path in IMMUTABLE.get(kind, ())
    )


def _is_frozen(change: Change, edit: Edit) -> bool:
    frozen = change.ref.kind in {"ConfigMap", "Secret"} and at(change.before, ("immutable",)) is True
    return frozen and edit.path[:1] in {("data",), ("binaryData",), ("stringData",), ("immutable",)}


def _is_address(change: Change, edit: Edit) -> bool:
    fixed = edit.path in {("spec", "clusterIP"), ("spec", "clusterIPs")}
    return change.ref.kind == "Service" and fixed and edit.before is not None and edit.after is not None


def _replaced(change: Change, scene: Scene) -> Iterator[Finding]:
    """A replacement of what holds no data: down while it is made again, and not the same object."""
    kind = change.ref.kind
    if Op.REPLACE not in change.ops or loss_of(change, scene.changes) or kind == "CustomResourceDefinition":
        return
    forced = [edit.text for edit in change.edits if edit.replaces] or list(change.forced_by)
    by = f" because of {listed(forced, 3)}" if forced else ""
    yield Finding(f"is deleted and made again{by}", HIGH if kind in _OUTAGE else MEDIUM, forced[0] if forced else "")


def _protected(change: Change, scene: Scene) -> Iterator[Finding]:  # noqa: ARG001
    if change.protected and change.goes:
        yield Finding("is protected, and this change would delete it: Pulumi refuses the whole update")


def _problem(change: Change, scene: Scene) -> Iterator[Finding]:  # noqa: ARG001
    if change.problem:
        yield Finding(f"cannot be carried out as it stands: {said(change.problem)}")


def _taken(change: Change, scene: Scene) -> Iterator[Finding]:  # noqa: ARG001
    if change.others:
        fields = listed(f"{path} ({manager})" for path, manager in change.others.items())
        yield Finding(f"takes fields that somebody else wrote: {fields}")


def _reverts(change: Change, scene: Scene) -> Iterator[Finding]:  # noqa: ARG001
    """Declared as before, and different all the same: what is undone was done by hand or by a controller."""
    if change.ops != (Op.UPDATE,) or change.before is None or change.after is None:
        return
    for edit in change.edits:
        secret = edit.hidden or HIDDEN in str(edit.before)
        if not secret and same(at(change.before, edit.path), at(change.after, edit.path)):
            yield on(edit, f"live it is {said(edit.before)}, and this takes it back to {said(edit.after)}")


def _imported(change: Change, scene: Scene) -> Iterator[Finding]:  # noqa: ARG001
    if Op.IMPORT in change.ops:
        yield Finding("is there already, and this stack takes it over", MEDIUM if change.edits or change.goes else LOW)


_IN_PLACE = "declare the old value again"

RULES = (
    Rule(
        "will-be-refused",
        "a field that the API server does not change in place",
        "the update stops half way",
        HIGH,
        _IN_PLACE,
        _refused,
    ),
    Rule(
        "object-replaced",
        "an object is deleted and made again",
        "it is away meanwhile, and a new one comes",
        HIGH,
        _IN_PLACE,
        _replaced,
    ),
    Rule(
        "protected-in-the-way",
        "a protected object would be deleted",
        "the update is refused, or somebody takes the protection away",
        HIGH,
        "keep the object in the program",
        _protected,
    ),
    Rule(
        "cannot-be-applied",
        "a change that is known to fail",
        "the update stops half way",
        HIGH,
        "none is needed: repair it first",
        _problem,
    ),
    Rule(
        "takes-over-fields",
        "fields that another manager wrote",
        "two writers fight, or a controller loses its values",
        MEDIUM,
        "leave the fields out of the program",
        _taken,
    ),
    Rule(
        "reverts-live-change",
        "a live value that is other than the last declared one",
        "what somebody did by hand, maybe in need, is taken back",
        MEDIUM,
        "declare the live value",
        _reverts,
    ),
    Rule(
        "taken-over",
        "an object that is there is imported",
        "it had another owner",
        MEDIUM,
        "let the stack forget it",
        _imported,
    ),
)
