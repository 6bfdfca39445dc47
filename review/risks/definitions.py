"""Definitions of custom resources: whoever deletes one deletes all its objects, whoever narrows one refuses them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from review.risks.rule import CRITICAL, HIGH, LOW, MEDIUM, Finding, Rule, kinds
from review.risks.shapes import Json, items, listed, mapping, maps, number, said, text, texts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from review.model.change import Change
    from review.risks.scene import Scene

_KIND = kinds("CustomResourceDefinition")
_DEEPEST = 40
_FREE = "x-kubernetes-preserve-unknown-fields"
_BOUNDS = (("maximum", -1), ("maxLength", -1), ("maxItems", -1), ("maxProperties", -1))
_FLOORS = (("minimum", 1), ("minLength", 1), ("minItems", 1), ("minProperties", 1))


def _versions(manifest: Any) -> dict[str, Json]:
    return {text(each, "name"): each for each in maps(manifest, "spec", "versions")}


def _pairs(change: Change) -> Iterator[tuple[str, Json, Json]]:
    """Versions that were there and will be."""
    after = _versions(change.after)
    for name, old in _versions(change.before).items():
        if name in after:
            yield name, old, after[name]


def _deleted(change: Change, scene: Scene) -> Iterator[Finding]:  # noqa: ARG001 - every rule is asked alike
    if change.goes:
        kind = text(change.before, "spec", "names", "kind") or "its kind"
        yield Finding(f"goes, and every {said(kind)} of the cluster with it")


def _version_gone(change: Change, scene: Scene) -> Iterator[Finding]:  # noqa: ARG001
    if not change.before or not change.after:
        return
    after = _versions(change.after)
    for name, old in _versions(change.before).items():
        stored = old.get("storage") is True
        if name not in after:
            was = "objects are stored as it" if stored else "clients that speak it get errors"
            yield Finding(f"version {said(name)} goes: {was}", CRITICAL if stored else HIGH)
        elif old.get("served") is True and after[name].get("served") is not True:
            yield Finding(f"version {said(name)} is no longer served: clients that speak it get errors")
        elif stored and after[name].get("storage") is not True:
            yield Finding(f"objects are no longer stored as {said(name)}: old ones stay so until written again", MEDIUM)


def _schema(version: Json) -> Json:
    return mapping(version, "schema", "openAPIV3Schema")


def _pruned(change: Change, scene: Scene) -> Iterator[Finding]:  # noqa: ARG001
    for name, old, new in _pairs(change):
        gone = list(_fields_gone(_schema(old), _schema(new), ""))
        if gone:
            yield Finding(f"{said(name)} forgets fields ({listed(gone)}): the server drops what stands in them")
    kept = mapping(change.before, "spec").get("preserveUnknownFields")
    if kept is True and change.after and mapping(change.after, "spec").get("preserveUnknownFields") is not True:
        yield Finding("unknown fields are no longer kept", None, "spec.preserveUnknownFields")


def _fields_gone(old: Json, new: Json, path: str, depth: int = 0) -> Iterator[str]:
    if depth > _DEEPEST or new.get(_FREE) is True:
        return
    if old.get(_FREE) is True:
        yield path or "unknown fields at the top"
    before, after = mapping(old, "properties"), mapping(new, "properties")
    for name, inner in before.items():
        if name not in after:
            if not mapping(new, "additionalProperties") and new.get("additionalProperties") is not True:
                yield f"{path}.{name}"
        elif isinstance(inner, dict) and isinstance(after[name], dict):
            yield from _fields_gone(inner, after[name], f"{path}.{name}", depth + 1)
    for inside in ("items", "additionalProperties"):
        if mapping(old, inside) and mapping(new, inside):
            yield from _fields_gone(mapping(old, inside), mapping(new, inside), f"{path}[]", depth + 1)


def _narrowed(change: Change, scene: Scene) -> Iterator[Finding]:  # noqa: ARG001
    for name, old, new in _pairs(change):
        narrower = list(_narrower(_schema(old), _schema(new), ""))
        if narrower:
            yield Finding(f"{said(name)} takes less ({listed(narrower)}): objects that are there may be refused")


def _narrower(old: Json, new: Json, path: str, depth: int = 0) -> Iterator[str]:
    if depth > _DEEPEST or not old:
        return
    where = path or "the top"
    yield from (f"{where}: {why}" for why in _tighter(old, new))
    before, after = mapping(old, "properties"), mapping(new, "properties")
    for name, inner in before.items():
        if isinstance(inner, dict) and isinstance(after.get(name), dict):
            yield from _narrower(inner, after[name], f"{path}.{name}", depth + 1)
    for inside in ("items", "additionalProperties"):
        if mapping(old, inside) and mapping(new, inside):
            yield from _narrower(mapping(old, inside), mapping(new, inside), f"{path}[]", depth + 1)


def _tighter(old: Json, new: Json) -> Iterator[str]:
    """What one place of a schema takes no longer."""
    wider = (old.get("type"), new.get("type")) == ("integer", "number")
    if new.get("type") != old.get("type") and new.get("type") is not None and not wider:
        yield f"type {said(old.get('type'))} → {said(new['type'])}"
    filled = {name for name, inner in mapping(new, "properties").items() if "default" in mapping(inner)}
    must = [name for name in texts(new, "required") if name not in items(old, "required") and name not in filled]
    if must:
        yield f"requires {listed(must)}"
    allowed, then = items(old, "enum"), items(new, "enum")
    if then and (not allowed or any(value not in then for value in allowed)):
        yield "fewer values"
    for key, sign in (*_BOUNDS, *_FLOORS):
        was, will = number(old, key), number(new, key)
        if will is not None and (was is None or (will - was) * sign > 0):
            yield f"{key} {said(old.get(key))} → {said(new[key])}"
    if new.get("pattern") not in {None, old.get("pattern")} if _plain(old, new) else False:
        yield "another pattern"
    said_before = [text(rule, "rule") for rule in maps(old, "x-kubernetes-validations")]
    if any(text(rule, "rule") not in said_before for rule in maps(new, "x-kubernetes-validations")):
        yield "another rule"
    if old.get("nullable") is True and new.get("nullable") is not True:
        yield "no null"


def _plain(*sides: Json) -> bool:
    return all(isinstance(side.get("pattern"), str | None) for side in sides)


def _converted(change: Change, scene: Scene) -> Iterator[Finding]:  # noqa: ARG001
    for edit in change.edited("spec", "conversion"):
        if change.before and change.after:
            yield Finding(
                "the conversion between versions changes: reading depends on it",
                LOW if edit.hidden else None,
                edit.text,
            )
            return


_BACK = "apply the old definition again; objects come back from a backup alone"

RULES = (
    Rule(
        "definition-deleted",
        "a CRD is deleted or made again",
        "all its objects are deleted",
        CRITICAL,
        _BACK,
        _deleted,
        kinds=_KIND,
    ),
    Rule(
        "definition-version-gone",
        "a version of a CRD goes or is not served",
        "stored objects cannot be read, clients break",
        HIGH,
        "serve the version again",
        _version_gone,
        kinds=_KIND,
    ),
    Rule(
        "definition-prunes",
        "fields leave a CRD",
        "their values are dropped at the next write",
        HIGH,
        _BACK,
        _pruned,
        kinds=_KIND,
    ),
    Rule(
        "definition-narrowed",
        "a CRD takes fewer values than before",
        "objects that are there cannot be written any more, their status too",
        HIGH,
        "apply the old definition again",
        _narrowed,
        kinds=_KIND,
    ),
    Rule(
        "definition-converted",
        "the conversion of a CRD changes",
        "objects may be read wrong or not at all",
        MEDIUM,
        "apply the old definition again",
        _converted,
        kinds=_KIND,
    ),
)
