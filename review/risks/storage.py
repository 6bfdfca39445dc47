"""Volumes: their size, their class, when they go, and for how long data is kept on them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from review.model.change import Op, path_text
from review.risks.rule import HIGH, LOW, MEDIUM, Finding, Rule, kinds, on
from review.risks.shapes import Json, amount, mapping, maps, said, seconds, text, texts
from review.risks.templates import containers, in_container, pods

if TYPE_CHECKING:
    from collections.abc import Iterator

    from review.model.change import Change
    from review.risks.scene import Scene

_RETENTION = re.compile(r"(?i)(retention|maxage|max[._-]age|keep[._-]?(days|hours|for)|(?<![a-z])ttl)")
_ARGUMENT = re.compile(r"(?P<name>-{1,2}[\w.-]*retention[\w.-]*)=(?P<value>\S+)")


def _sizes(change: Change) -> Iterator[tuple[str, float | None, float | None, str]]:
    """Requested storage by path: before, after, and as written."""
    if change.ref.kind == "PersistentVolumeClaim":
        pairs = [("spec.resources.requests.storage", mapping(change.before, "spec"), mapping(change.after, "spec"))]
    else:
        old, new = (
            {text(each, "metadata", "name"): (place, mapping(each, "spec")) for place, each in enumerate(_claims(side))}
            for side in (change.before, change.after)
        )
        pairs = [
            (f"spec.volumeClaimTemplates[{place}].spec.resources.requests.storage", spec, new[name][1])
            for name, (place, spec) in old.items()
            if name in new
        ]
    for path, before, after in pairs:
        was, will = (side.get("resources") for side in (before, after))
        yield (
            path,
            amount(was, "requests", "storage"),
            amount(will, "requests", "storage"),
            f"{said(mapping(was, 'requests').get('storage'))} → {said(mapping(will, 'requests').get('storage'))}",
        )


def _claims(manifest: Any) -> list[Json]:
    return maps(manifest, "spec", "volumeClaimTemplates")


def _shrunk(change: Change, scene: Scene) -> Iterator[Finding]:  # noqa: ARG001 - every rule is asked alike
    for path, before, after, shown in _sizes(change):
        if before is not None and after is not None and after < before:
            yield Finding(f"storage shrinks ({shown}): no volume can, it is refused or made anew", None, path)


def _grown(change: Change, scene: Scene) -> Iterator[Finding]:  # noqa: ARG001
    for path, before, after, shown in _sizes(change):
        if before is not None and after is not None and after > before:
            yield Finding(f"storage grows ({shown}): it cannot shrink again", None, path)


def _class_changed(change: Change, scene: Scene) -> Iterator[Finding]:  # noqa: ARG001
    for edit in change.edits:
        if edit.path[-1:] == ("storageClassName",) and edit.before is not None:
            yield on(edit, f"storage class {said(edit.before)} → {said(edit.after)}: the data does not move by itself")


def _goes_with(change: Change, scene: Scene) -> Iterator[Finding]:  # noqa: ARG001
    policy = ("spec", "persistentVolumeClaimRetentionPolicy")
    if not change.before or not change.after or not maps(change.after, "spec", "volumeClaimTemplates"):
        return
    for key in ("whenDeleted", "whenScaled"):
        if text(change.after, *policy, key) == "Delete" != text(change.before, *policy, key):
            yield Finding(
                f"{key} becomes Delete: claims go with the pods from then on", None, path_text((*policy, key))
            )


def _reclaimed(change: Change, scene: Scene) -> Iterator[Finding]:  # noqa: ARG001
    key = ("reclaimPolicy",) if change.ref.kind == "StorageClass" else ("spec", "persistentVolumeReclaimPolicy")
    before, after = text(change.before, *key) or "Delete", text(change.after, *key) or "Delete"
    if change.after is None or after != "Delete":
        return
    if not change.before:
        yield Finding("a deleted claim takes its volume along (reclaim policy Delete)", LOW, path_text(key))
    elif before != "Delete":
        yield Finding(
            f"reclaim policy {said(before)} → Delete: a deleted claim takes its volume along", None, path_text(key)
        )


def _span(value: object) -> float | None:
    found = seconds(value)
    return amount(value) if found is None else found


def _kept_shorter(change: Change, scene: Scene) -> Iterator[Finding]:  # noqa: ARG001
    if Op.UPDATE not in change.ops:
        return
    for edit in change.edits:
        if any(isinstance(key, str) and _RETENTION.search(key) for key in edit.path[-2:]):
            before, after = _span(edit.before), _span(edit.after)
            if before is not None and after is not None and 0 <= after < before:
                yield on(edit, f"is kept for less ({said(edit.before)} → {said(edit.after)}): what is beyond it goes")
    yield from _arguments_kept(change)


def _arguments_kept(change: Change) -> Iterator[Finding]:
    before, after = pods(change)
    new = containers(after)
    for name, container in containers(before).items():
        old, then = (_retentions(each) for each in (container, new.get(name, {})))
        for key, value in old.items():
            was, will = _span(value), _span(then.get(key))
            if was is not None and will is not None and will < was:
                text = f"{name}: {key} {said(value)} → {said(then[key])}: what is beyond it is deleted"
                yield Finding(text, None, in_container(change, name, "args"))


def _retentions(container: dict[str, object]) -> dict[str, str]:
    words = [*texts(container, "command"), *texts(container, "args")]
    return {found["name"]: found["value"] for word in words for found in _ARGUMENT.finditer(word[:4096])}


def _volume_dropped(change: Change, scene: Scene) -> Iterator[Finding]:  # noqa: ARG001
    before, after = pods(change)
    stays = {text(each, "name"): text(each, "persistentVolumeClaim", "claimName") for each in maps(after, "volumes")}
    if not after:
        return
    for volume in maps(before, "volumes"):
        name, claim = text(volume, "name"), text(volume, "persistentVolumeClaim", "claimName")
        if claim and stays.get(name) != claim:
            text_ = f"volume {said(name)} leaves claim {said(claim)}: the pods no longer see the data on it"
            yield Finding(text_)


_AGAIN = "restore from a backup; deleting is not taken back"
_CLAIMS = kinds("PersistentVolumeClaim", "StatefulSet")
_SETS = kinds("StatefulSet")

RULES = (
    Rule(
        "storage-shrunk",
        "a volume shall be smaller",
        "it is refused, or data is lost",
        HIGH,
        _AGAIN,
        _shrunk,
        kinds=_CLAIMS,
    ),
    Rule(
        "storage-grown",
        "a volume grows",
        "it can never shrink",
        MEDIUM,
        "none: copy to a smaller volume",
        _grown,
        kinds=_CLAIMS,
    ),
    Rule(
        "storage-class-changed",
        "a volume shall be of another class",
        "data stays on the old volume, or is lost",
        HIGH,
        "declare the old class again",
        _class_changed,
        kinds=_CLAIMS,
    ),
    Rule(
        "claims-go-too",
        "claims are deleted with their StatefulSet, or when it shrinks",
        "the next deletion loses data",
        HIGH,
        "set the policy to Retain again",
        _goes_with,
        kinds=_SETS,
    ),
    Rule(
        "volumes-reclaimed",
        "volumes are deleted with their claims",
        "the next deletion loses data",
        HIGH,
        "set the policy to Retain again",
        _reclaimed,
        kinds=kinds("StorageClass", "PersistentVolume"),
    ),
    Rule("retention-lowered", "data is kept for a shorter time", "older data is deleted", HIGH, _AGAIN, _kept_shorter),
    Rule(
        "volume-dropped",
        "pods no longer mount a claim",
        "they start without their data",
        HIGH,
        "mount the claim again; it is still there",
        _volume_dropped,
    ),
)
