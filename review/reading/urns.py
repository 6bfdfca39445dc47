"""Pulumi's names of resources, and the paths by which it names fields."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from review.model.change import ObjectRef

if TYPE_CHECKING:
    from collections.abc import Mapping

    from review.model.change import Path

ROOT = "pulumi:pulumi:Stack"
_PREFIX = "urn:pulumi:"
_KUBERNETES = re.compile(r"kubernetes:(?:core/)?(?P<version>(?!helm\.sh/|yaml|kustomize|index)[^:]+):(?P<kind>[^:]+)")
_PATH = re.compile(r'\["((?:[^"\\]|\\.)*)"\]|\[(\d+)\]|([^.\[\]]+)')


class Urn(NamedTuple):
    """``urn:pulumi:STACK::PROJECT::PARENTS$TYPE::NAME`` in its parts; ``type`` is without the parents."""

    stack: str
    project: str
    type: str
    name: str


def urn_of(text: str) -> Urn | None:
    """The parts of a URN; None where it is none."""
    parts = text.removeprefix(_PREFIX).split("::", 3)
    if not text.startswith(_PREFIX) or len(parts) != 4:  # noqa: PLR2004 - its four parts
        return None
    stack, project, types, name = parts
    return Urn(stack, project, types.rpartition("$")[2], name)


def ref_of(urn: str, inputs: Mapping[str, Any]) -> ObjectRef:
    """The object behind a resource: by its own words where it is of Kubernetes, else by Pulumi's."""
    parts = urn_of(urn) or Urn("", "", "resource", urn)
    meta = inputs.get("metadata")
    meta = meta if isinstance(meta, dict) else {}
    kubernetes = inputs.get("apiVersion") or parts.type.startswith("kubernetes:")
    if not isinstance(inputs.get("kind"), str) or not kubernetes:  # clouds have a `kind` of their own
        return ObjectRef("", parts.type, "", parts.name)
    name = meta.get("name") or parts.name.rpartition("/")[2]
    return ObjectRef(str(inputs.get("apiVersion", "")), inputs["kind"], str(meta.get("namespace") or ""), str(name))


def whole(urn: str, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
    """An object with its kind, which its type tells where it does not say so itself."""
    parts = urn_of(urn)
    found = _KUBERNETES.fullmatch(parts.type) if parts else None
    if found is None or (isinstance(inputs.get("kind"), str) and inputs.get("apiVersion")):
        return inputs
    return {"apiVersion": found["version"], "kind": found["kind"]} | {
        key: value for key, value in inputs.items() if value is not None
    }


def places(path: str) -> Path:
    """A property path of Pulumi in its parts: ``spec.ports[0]["a.b"]`` is ``("spec", "ports", 0, "a.b")``."""
    made: list[str | int] = []
    for quoted, index, plain in _PATH.findall(path):
        made.append(int(index) if index else plain or quoted.replace('\\"', '"'))
    return tuple(made)
