"""Whose an object on the cluster is: this stack's, another stack's, Pulumi's, or nobody's that we know of.

What belongs to somebody else is neither changed nor deleted. Definitions and gateway classes are for the whole
cluster: they have one owner, and the other environments share them as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from components.deploy.inventory import PART_OF, Inventory
from components.model.layers import DEFINITION, OWNER_ANNOTATION
from rollout.api.approval_policy import BINDING, POLICY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from kube.kinds import Manifest

GATEWAY_CLASS = "GatewayClass"
SHARED = {DEFINITION, GATEWAY_CLASS, POLICY, BINDING}
PULUMI_MANAGERS = ("pulumi-kubernetes", "pulumi-resource-kubernetes")
UNKNOWN_WRITER = "before-first-apply"
"""Whom the API server notes where it does not know; Pulumi's provider takes over what is his."""


@dataclass(frozen=True, slots=True)
class Claim:
    """Who keeps an object.

    Attributes:
        by: this stack, another set of ``stack apply``, Pulumi, or nobody who left a sign.
        who: the owner noted on it (``<namespace>/<stack>``), else the identifier of its set.
    """

    by: Literal["us", "stack", "pulumi", "nobody"]
    who: str = ""


def claim_on(live: Manifest, inventory: Inventory) -> Claim:
    """What the object's own marks say."""
    meta = live["metadata"]
    label = (meta.get("labels") or {}).get(PART_OF, "")
    owner = str((meta.get("annotations") or {}).get(OWNER_ANNOTATION, ""))
    if label:
        return Claim("us") if label == inventory.set_id else Claim("stack", owner or label)
    return Claim("pulumi", owner) if pulumi_writes(live) else Claim("nobody")


def set_of(live: Manifest) -> str:
    """The identifier of the set that the object is a member of; empty for none."""
    return str((live["metadata"].get("labels") or {}).get(PART_OF, ""))


def pulumi_writes(live: Manifest) -> bool:
    """Whether Pulumi manages fields of the object."""
    return any(is_pulumi(entry) for entry in live["metadata"].get("managedFields") or ())


def is_pulumi(entry: Manifest) -> bool:
    """Whether an entry of ``managedFields`` is one of Pulumi's."""
    return str(entry.get("manager", "")).startswith(PULUMI_MANAGERS)


def passed_on(
    entries: Iterable[Manifest], taken: Callable[[Manifest], bool], manager: str, operation: str
) -> list[Manifest]:
    """``managedFields`` with what the ``taken`` writers own given to ``manager``; no value changes."""
    rest: list[Manifest] = []
    made: dict[str, Manifest] = {}
    for entry in entries:
        own = entry.get("manager") == manager and entry.get("operation") == operation
        if entry.get("subresource") or not (taken(entry) or own):
            rest.append(entry)
            continue
        version = str(entry.get("apiVersion", ""))
        before = made.get(version) or {}
        fields = _united(before.get("fieldsV1") or {}, entry.get("fieldsV1") or {})
        made[version] = {**entry, "manager": manager, "operation": operation, "fieldsV1": fields}
    return [*rest, *made.values()]


def _united(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    shared = {key: _united(one[key], other[key]) for key in one.keys() & other.keys()}
    return {**one, **other, **shared}


def serves(live: Manifest, declared: Manifest) -> bool:
    """Whether what is on the cluster has all that is declared, and may so be shared as it is."""
    return _within(declared.get("spec"), live.get("spec"))


def _within(wanted: Any, found: Any) -> bool:
    if isinstance(wanted, dict):
        known = found if isinstance(found, dict) else {}
        return all(
            (key == "description" and isinstance(value, str)) or _within(value, known.get(key))
            for key, value in wanted.items()
        )
    if isinstance(wanted, list):
        same = isinstance(found, list) and len(found) == len(wanted)
        return same and all(_within(*pair) for pair in zip(wanted, found, strict=True))
    return bool(wanted == found)
