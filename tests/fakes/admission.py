"""What an API server says no to, and in which words: schemas, fields that cannot change, preconditions, sizes."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from aiohttp import web
from pydantic import ValidationError

from rollout.api.crd import definition
from rollout.api.spec import Spec
from rollout.api.typos import mistakes_in

if TYPE_CHECKING:
    from tests.fakes.patches import Object

MOST_BYTES = 1_572_864
FIELDS = {
    "Deployment": {
        "minReadySeconds",
        "paused",
        "progressDeadlineSeconds",
        "replicas",
        "revisionHistoryLimit",
        "selector",
        "strategy",
        "template",
    }
}
"""What a spec may have, of the kinds whose applied objects are held against their schema."""


def status(code: int, message: str, reason: str = "") -> web.Response:
    return web.json_response({"kind": "Status", "code": code, "message": message, "reason": reason}, status=code)


def untyped(item: Object) -> web.Response | None:
    """The answer to an applied object with a field that its schema does not have."""
    kind, spec = item["kind"], item.get("spec") or {}
    unknown = [f".spec.{each}" for each in sorted(set(spec) - FIELDS.get(kind, set(spec)))]
    if kind == "Deployment":
        found = (each for each in mistakes_in(spec.get("template") or {}) if "no such field" in each)
        unknown += [each.partition(":")[0].removeprefix("spec.workload") for each in found]
    if kind == "GrayRelease":
        pruned(spec, _release_schema(), ".spec", unknown)
    if unknown:
        return status(500, f"failed to create typed patch object: {unknown[0]}: field not declared in schema")
    return None


def as_stored(item: Object) -> Object:
    """The object without the fields that its definition does not know, and with what the server fills in."""
    if item["kind"] == "StatefulSet":
        return _with_claims_filled_in(item)
    if item["kind"] != "GrayRelease" or not isinstance(item.get("spec"), dict):
        return item
    return {**item, "spec": pruned(item["spec"], _release_schema(), ".spec", [])}


def _with_claims_filled_in(item: Object) -> Object:
    """The whole list is one field, and no longer what its writer wrote: another writer's apply conflicts."""
    spec = item.get("spec") or {}
    claims = [{**claim, "status": {"phase": "Pending"}} for claim in spec.get("volumeClaimTemplates") or ()]
    return {**item, "spec": {**spec, "volumeClaimTemplates": claims}} if claims else item


@cache
def _release_schema() -> Object:
    root: Object = definition()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    return root


def pruned(value: Any, schema: Object, place: str, dropped: list[str]) -> Any:
    """A value without what a structural schema does not have; where something was dropped is noted."""
    if isinstance(value, list):
        items = schema.get("items") or {}
        return [pruned(each, items, f"{place}[{index}]", dropped) for index, each in enumerate(value)]
    if not isinstance(value, dict):
        return value
    known, others = schema.get("properties") or {}, schema.get("additionalProperties")
    kept = {}
    for key, each in value.items():
        if key in known:
            kept[key] = pruned(each, known[key], f"{place}.{key}", dropped)
        elif isinstance(others, dict):
            kept[key] = pruned(each, others, f"{place}.{key}", dropped)
        elif schema.get("x-kubernetes-preserve-unknown-fields") or others is True:
            kept[key] = each
        else:
            dropped.append(f"{place}.{key}")
    return kept


def mistaken(method: str, known: Object, body: Any) -> web.Response | None:
    """The answer to a change that was meant for another object, or for another state of it."""
    meta = body.get("metadata", {}) if isinstance(body, dict) else {}
    version, uid = known["metadata"]["resourceVersion"], known["metadata"]["uid"]
    if meta.get("resourceVersion", version) != version:
        return status(409, "the object has been modified", "Conflict")
    if meta.get("uid", uid) == uid:
        return None
    if method == "PUT":
        return status(409, f"Precondition failed: UID in precondition: {meta['uid']}", "Conflict")
    return status(422, f"metadata.uid: Invalid value: {meta['uid']!r}: field is immutable", "Invalid")


def refused(known: Object, changed: Object) -> web.Response | None:
    """The answer to an object that its schema refuses, or to a change of what cannot be changed."""
    if changed["kind"] == "GrayRelease" and known.get("spec") != changed.get("spec"):
        try:
            Spec.model_validate(changed.get("spec"))
        except ValidationError as error:
            return status(422, f"GrayRelease is invalid: {error.errors()[0]['msg']}", "Invalid")
    for field_name in ("data", "binaryData"):
        if known.get("immutable") and known.get(field_name) != changed.get(field_name):
            return status(422, f"{field_name}: Forbidden: field is immutable when `immutable` is set", "Invalid")
    selectors = [(each.get("spec") or {}).get("selector") for each in (known, changed)]
    if known and changed["kind"] == "Deployment" and selectors[0] != selectors[1]:
        return status(422, f"spec.selector: Invalid value: {selectors[1]}: field is immutable", "Invalid")
    return None
