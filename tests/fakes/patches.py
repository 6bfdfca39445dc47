"""What a patch makes of an object, and which objects a selector means: as the API server does it."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

Object = dict[str, Any]


def matches(item: Object, selector: str) -> bool:
    labels = item["metadata"].get("labels") or {}
    for part in filter(None, selector.split(",")):
        name, _, value = part.partition("=")
        if name not in labels or (value and labels[name] != value):
            return False
    return True


def merge(base: Any, patch: Any) -> Any:
    if not isinstance(patch, dict) or not isinstance(base, dict):
        return deepcopy(patch)
    for key, value in patch.items():
        if value is None:
            base.pop(key, None)
        else:
            base[key] = merge(base.get(key, {}), value)
    return base


def json_patch(document: Any, operations: list[Object]) -> Any:
    for operation in operations:
        *parents, last = [part.replace("~1", "/").replace("~0", "~") for part in operation["path"].split("/")[1:]]
        target = document
        for part in parents:
            target = target[int(part)] if isinstance(target, list) else target[part]
        index: Any = (len(target) if last == "-" else int(last)) if isinstance(target, list) else last
        match operation["op"]:
            case "test":
                assert target[index] == operation["value"], operation
            case "add" if isinstance(target, list):
                target.insert(index, operation["value"])
            case "add" | "replace":
                if operation["op"] == "replace":
                    target[index]
                target[index] = operation["value"]
            case "remove":
                del target[index]
    return document


def is_ready(pod: Object) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)
