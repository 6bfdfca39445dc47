"""A Gateway that the stack does not make itself: whether it is there, and lets the stack's routes in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from components.workloads.network import NAMESPACE_NAME
from kube.errors import ForbiddenError
from kube.kinds import GATEWAY, GRAY_RELEASE, NAMESPACE, Manifest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kube.cluster import Cluster

_PARENT = "environment.gateway.parent"


async def gateways_missing(
    cluster: Cluster, namespace: str, manifests: Sequence[Manifest], notes: list[str]
) -> list[str]:
    """Gateways that releases name as their parent and that are not there, or have no such listener.

    One that does not let routes of ``namespace`` in yet is told in ``notes``: it may be told of the namespace once that
    exists.
    """
    reasons = []
    for place, name, section in sorted(_parents(namespace, manifests)):
        try:
            live = await cluster.find(GATEWAY, name, place)
        except ForbiddenError:
            notes.append(f"Gateway {place}/{name} may not be read: whether it lets {namespace} in is not known")
            continue
        if live is None:
            fix = "apply the stack with that gateway first, or declare components.gateway here"
            reasons.append(f"no Gateway {place}/{name}, which {_PARENT} names: {fix}")
            continue
        listeners = (live.get("spec") or {}).get("listeners") or []
        meant = [each for each in listeners if section in {"", each.get("name")}]
        if not meant:
            there = ", ".join(sorted(str(each.get("name")) for each in listeners)) or "none"
            reasons.append(
                f"Gateway {place}/{name} has no listener {section}, which {_PARENT}.sectionName names: it has {there}"
            )
            continue
        labels = await _labels(cluster, namespace, manifests)
        if not any(_lets_in(each, place, namespace, labels) for each in meant):
            fix = f"add {namespace} to gateway.namespaces of its stack, and apply that"
            notes.append(f"Gateway {place}/{name} does not let routes of {namespace} in yet: {fix}")
    return reasons


def _parents(namespace: str, manifests: Sequence[Manifest]) -> set[tuple[str, str, str]]:
    """Namespace, name and listener of each Gateway that is named and not among the declared."""
    own = {item["metadata"]["name"] for item in manifests if item["kind"] == GATEWAY.kind}
    traffic = ((item["spec"].get("traffic") or {}) for item in manifests if item["kind"] == GRAY_RELEASE.kind)
    named = (parent for each in traffic for parent in each.get("parents") or ())
    found = {(each.get("namespace") or namespace, each["name"], each.get("sectionName") or "") for each in named}
    return {each for each in found if not (each[0] == namespace and each[1] in own)}


async def _labels(cluster: Cluster, namespace: str, manifests: Sequence[Manifest]) -> dict[str, str]:
    declared = [item for item in manifests if item["kind"] == NAMESPACE.kind and item["metadata"]["name"] == namespace]
    try:
        live = await cluster.find(NAMESPACE, namespace)
    except ForbiddenError:
        live = None
    found: dict[str, str] = {}
    for item in (live, *declared):
        found |= ((item or {}).get("metadata") or {}).get("labels") or {}
    return {**found, NAMESPACE_NAME: namespace}


def _lets_in(listener: Mapping[str, Any], own: str, namespace: str, labels: Mapping[str, str]) -> bool:
    rule = (listener.get("allowedRoutes") or {}).get("namespaces") or {}
    match rule.get("from", "Same"):
        case "All":
            return True
        case "Selector":
            return _fits(rule.get("selector") or {}, labels)
        case _:
            return own == namespace


def _fits(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """A label selector as Kubernetes has it."""
    exact = (selector.get("matchLabels") or {}).items()
    return all(labels.get(key) == value for key, value in exact) and all(
        _holds(each, labels) for each in selector.get("matchExpressions") or ()
    )


def _holds(expression: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    value, values = labels.get(str(expression.get("key"))), expression.get("values") or ()
    match expression.get("operator"):
        case "In":
            return value in values
        case "NotIn":
            return value not in values
        case "Exists":
            return value is not None
        case operator:  # one that nobody here knows lets nobody in
            return operator == "DoesNotExist" and value is None
