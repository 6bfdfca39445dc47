"""Capacity: fewer pods, less room for each, a smaller share of the cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

from review.model.change import Op
from review.risks.rule import HIGH, LOW, MEDIUM, Finding, Rule, kinds, on
from review.risks.shapes import Json, amount, listed, mapping, maps, number, said, text
from review.risks.templates import POD_MAKERS, both, changed, in_container

if TYPE_CHECKING:
    from collections.abc import Iterator

    from review.model.change import Change
    from review.risks.scene import Scene

_REPLICAS = {"GrayRelease": ("spec", "workload", "replicas")}
_SCALED = kinds("Deployment", "StatefulSet", "ReplicaSet", "GrayRelease", "Rollout")
_HPA = kinds("HorizontalPodAutoscaler")
_QUORUM = 3


def _resources(container: Json) -> dict[str, object]:
    return {
        f"{group}.{name}": value
        for group in ("requests", "limits")
        for name, value in mapping(container, "resources", group).items()
    }


def _cut(change: Change, scene: Scene) -> Iterator[Finding]:  # noqa: ARG001 - every rule is asked alike
    for name, old, new in changed(change):
        before, after = _resources(old), _resources(new)
        for key, value in before.items():
            was, will = amount(value), amount(after.get(key))
            path = in_container(change, name, f"resources.{key}")
            if was is not None and will is not None and will < was:
                yield Finding(f"{said(name)}: {key} {said(value)} → {said(after[key])}", None, path)
            elif key not in after and not _frees(key):
                yield Finding(f"{said(name)}: {key} {said(value)} goes", None, path)


def _frees(key: str) -> bool:
    """Whether a pod has more without it."""
    return key == "limits.cpu"


def _unlimited(change: Change, scene: Scene) -> Iterator[Finding]:  # noqa: ARG001
    for name, old, new in both(change):
        limit, request = amount(new, "resources", "limits", "memory"), amount(new, "resources", "requests", "memory")
        if (
            limit is not None
            and request is not None
            and limit < request
            and mapping(new, "resources") != mapping(old, "resources")
        ):
            yield Finding(
                f"{said(name)}: asks for more memory than its limit lets it have: it is refused",
                None,
                in_container(change, name, "resources"),
            )


def _pods(change: Change) -> tuple[float, float] | None:
    """Pods before and after; None where one is not said, since a controller may write it."""
    path = _REPLICAS.get(change.ref.kind, ("spec", "replicas"))
    edit = next((each for each in change.edits if each.path == path), None)
    before = number(edit.before) if edit is not None else number(change.before, *path)
    after = number(edit.after) if edit is not None else number(change.after, *path)
    gone = change.after is None or before is None
    return None if gone or after is None or before is None or after >= before else (before, after)


def _where(change: Change) -> str:
    return ".".join(_REPLICAS.get(change.ref.kind, ("spec", "replicas")))


def _to_zero(change: Change, scene: Scene) -> Iterator[Finding]:  # noqa: ARG001
    found = _pods(change)
    if found and found[1] <= 0:
        yield Finding(f"{found[0]:g} pods → 0: nobody answers", None, _where(change))


def _quorum(change: Change, scene: Scene) -> Iterator[Finding]:  # noqa: ARG001
    found = _pods(change)
    if found and found[1] > 0 and found[0] >= _QUORUM and (found[1] < _QUORUM or found[1] <= found[0] // 2):
        how = (
            "the rest may be no majority of those before"
            if found[1] <= found[0] // 2
            else "one more lost, and there is no majority"
        )
        yield Finding(f"{found[0]:g} members → {found[1]:g}: {how}", None, _where(change))


def _fewer(change: Change, scene: Scene) -> Iterator[Finding]:  # noqa: ARG001
    found = _pods(change)
    if not found or found[1] <= 0 or (change.ref.kind == "StatefulSet" and found[0] >= _QUORUM and found[1] < _QUORUM):
        return
    severe = found[1] == 1 or found[1] <= found[0] / 2
    yield Finding(f"{found[0]:g} pods → {found[1]:g}", MEDIUM if severe else LOW, _where(change))


def _floor(change: Change, scene: Scene) -> Iterator[Finding]:  # noqa: ARG001
    for edit in change.edits:
        was, will = number(edit.before), number(edit.after)
        if edit.path == ("spec", "workload", "minReplicas") and was is not None and (1 if will is None else will) < was:
            yield on(edit, f"at least {was:g} pods → {said(edit.after or 1)}")
        elif edit.path == ("spec", "workload", "maxUnavailable") and will is not None and will > (was or 1):
            yield on(edit, f"{will:g} pods may be moved away at once instead of {was or 1:g}")


def _scaler(change: Change, scene: Scene) -> Iterator[Finding]:  # noqa: ARG001
    for edit in change.edits:
        was, will = number(edit.before), number(edit.after)
        if edit.path in {("spec", "maxReplicas"), ("spec", "minReplicas")} and was is not None and (will or 1) < was:
            yield on(edit, f"{edit.path[-1]} {said(edit.before)} → {said(edit.after)}")
    if change.goes:
        yield Finding("goes: nothing adds pods under load")


def _quota(change: Change, scene: Scene) -> Iterator[Finding]:  # noqa: ARG001
    before, after = (mapping(side, "spec", "hard") for side in (change.before, change.after))
    if not change.before:
        return
    for key, value in before.items():
        was, will = amount(value), amount(after.get(key))
        if change.after and was is not None and will is not None and will < was:
            yield Finding(
                f"{said(key)} {said(value)} → {said(after[key])}: pods over it are refused", None, f"spec.hard[{key}]"
            )


def _new_quota(change: Change, scene: Scene) -> Iterator[Finding]:
    """A quota in a namespace that is there already may be too small for what runs."""
    fresh = any(
        each.ops == (Op.CREATE,) and each.ref.name == change.ref.namespace
        for each in scene.changes.of_kind("Namespace")
    )
    if change.ops == (Op.CREATE,) and not fresh:
        yield Finding(f"limits what may run in the namespace ({listed(mapping(change.after, 'spec', 'hard'))})")


def _priority(change: Change, scene: Scene) -> Iterator[Finding]:  # noqa: ARG001
    if change.ref.kind == "PriorityClass":
        if change.before and (change.goes or change.edited("value")):
            yield Finding("pods of this class go earlier, or are not made at all")
        if (
            change.after
            and change.after.get("globalDefault") is True
            and (change.before or {}).get("globalDefault") is not True
        ):
            yield Finding("becomes the class of every pod that names none", None, "globalDefault")
        return
    for edit in change.edits:
        if edit.path[-1:] == ("priorityClassName",) and edit.before is not None:
            yield on(edit, f"priority class {said(edit.before)} → {said(edit.after)}")


def _shares(change: Change, scene: Scene) -> Iterator[Finding]:  # noqa: ARG001
    if change.before and change.after and maps(change.before, "spec", "limits") != maps(change.after, "spec", "limits"):
        kinds_ = listed({text(each, "type") for each in maps(change.after, "spec", "limits")})
        yield Finding(f"what pods may ask for changes ({kinds_}): new ones may be refused", None, "spec.limits")


_BACK = "declare the old amounts again; the pods start anew"

RULES = (
    Rule(
        "resources-cut",
        "a container may use less",
        "it is slowed down, or killed for want of memory",
        MEDIUM,
        _BACK,
        _cut,
        kinds=POD_MAKERS,
    ),
    Rule(
        "limit-below-request",
        "a memory limit is below the request",
        "no pod can be made",
        HIGH,
        _BACK,
        _unlimited,
        kinds=POD_MAKERS,
    ),
    Rule(
        "scaled-to-zero",
        "a workload has no pods",
        "nobody answers",
        HIGH,
        "declare the old number again",
        _to_zero,
        kinds=_SCALED,
    ),
    Rule(
        "below-quorum",
        "a StatefulSet has too few members for a majority",
        "brokers and databases stop, or lose what only the removed members had",
        HIGH,
        "declare the old number again; the volumes must still be there",
        _quorum,
        kinds=kinds("StatefulSet"),
    ),
    Rule(
        "fewer-pods",
        "a workload has fewer pods",
        "the rest may not carry the load",
        MEDIUM,
        "declare the old number again",
        _fewer,
        kinds=_SCALED,
    ),
    Rule(
        "release-floor-lowered",
        "a service may have fewer pods, or lose more at once",
        "the rest may not carry the load",
        MEDIUM,
        "declare the old number again",
        _floor,
        kinds=kinds("GrayRelease"),
    ),
    Rule(
        "scaler-lowered",
        "an autoscaler may make fewer pods, or goes",
        "the rest may not carry the load",
        MEDIUM,
        _BACK,
        _scaler,
        kinds=_HPA,
    ),
    Rule(
        "quota-lowered",
        "a quota is lowered",
        "new pods are refused",
        MEDIUM,
        _BACK,
        _quota,
        kinds=kinds("ResourceQuota"),
    ),
    Rule(
        "quota-added",
        "a namespace that is in use gets a quota",
        "new pods may be refused",
        MEDIUM,
        "delete it",
        _new_quota,
        kinds=kinds("ResourceQuota"),
    ),
    Rule(
        "limits-changed",
        "a LimitRange changes",
        "new pods may be refused, or get less",
        MEDIUM,
        _BACK,
        _shares,
        kinds=kinds("LimitRange"),
    ),
    Rule(
        "priority-lowered",
        "pods get another priority",
        "they are the first to go",
        MEDIUM,
        _BACK,
        _priority,
        kinds=POD_MAKERS | {"PriorityClass"},
    ),
)
