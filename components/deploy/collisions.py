"""What stands against an apply on a shared cluster: a taken node port, a class in use, no engine, fixed volumes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from components.deploy.attaching import gateways_missing
from components.model.component import NAME
from components.model.layers import DEFINITION, identity
from components.model.quantities import megabytes
from kube.errors import ForbiddenError, NotFoundError
from kube.kinds import DEPLOYMENT, GATEWAY, GRAY_RELEASE, NAMESPACE, SERVICE, Manifest, label_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from components.deploy.inventory import Key
    from kube.cluster import Cluster

GATEWAYS_API = GATEWAY.api_version
ENGINE = "controller"
GRAY_RELEASES = f"{GRAY_RELEASE.plural}.{GRAY_RELEASE.api_version.partition('/')[0]}"


async def stands_against(
    cluster: Cluster,
    namespace: str,
    manifests: Sequence[Manifest],
    found: Mapping[Key, Manifest],
    engine: str,
    notes: list[str],
) -> list[str]:
    """Every reason below, for a stack in ``namespace`` served by the engine in ``engine``; ``found`` is what is there.

    What could not be looked at is told in ``notes``.
    """
    edited = (storage_edited(item, found.get(identity(item))) for item in manifests)
    return [
        *filter(None, edited),
        *await definitions_missing(cluster, manifests),
        *await places_missing(cluster, namespace, manifests),
        *await colliding_ports(cluster, manifests, notes),
        *await engine_missing(cluster, namespace, manifests, engine, notes),
        *await gateways_missing(cluster, namespace, manifests, notes),
    ]


async def colliding_ports(cluster: Cluster, manifests: Sequence[Manifest], notes: list[str]) -> list[str]:
    """Node ports that another Service has; the API server would refuse them in the middle of an apply."""
    wanted = {port: item for item in manifests if item["kind"] == "Service" for port in _node_ports(item)}
    if not wanted:
        return []
    try:
        services = (await cluster.list(SERVICE)).items
    except ForbiddenError:
        notes.append("Services of other namespaces may not be read: whether node ports collide is not known")
        return []
    reasons = []
    for live in services:
        for port in set(_node_ports(live)) & set(wanted):
            if label_of(wanted[port]) != label_of({**live, "kind": "Service"}):
                meta = live["metadata"]
                reasons.append(
                    f"node port {port} of {label_of(wanted[port])} is taken by Service "
                    f"{meta['namespace']}/{meta['name']}: choose another one (gateway.exposure.httpNodePort)"
                )
    return reasons


def _node_ports(service: Manifest) -> list[int]:
    ports = (service.get("spec") or {}).get("ports") or ()
    return [int(port["nodePort"]) for port in ports if port.get("nodePort")]


async def engine_missing(
    cluster: Cluster, namespace: str, manifests: Sequence[Manifest], engine: str, notes: list[str]
) -> list[str]:
    """No engine where the stack says that another environment's serves it: its releases would stand still."""
    if not engine or not any(item["kind"] == GRAY_RELEASE.kind for item in manifests):
        return []
    try:
        found = (await cluster.list(DEPLOYMENT, engine, labels=f"{NAME}={ENGINE}")).items
    except ForbiddenError:
        notes.append(f"Deployments of {engine} may not be read: whether its engine serves {namespace} is not known")
        return []
    if not found:
        fix = "apply the stack with the controller first, or declare components.controller here"
        return [f"no engine in namespace {engine}, which environment.engine names: {fix}"]
    serving = [item for item in found if namespace in served_by(item)]
    if not serving:  # told and not refused: it may be told of the namespace once that exists
        fix = f"add {namespace} to controller.namespaces of its stack, and apply that"
        notes.append(f"{label_of(found[0])} does not serve {namespace} yet, and releases wait for that: {fix}")
    elif not any((item.get("status") or {}).get("availableReplicas") for item in serving):
        notes.append(f"{label_of(serving[0])} serves {namespace} and has no pod that is available now")
    return []


async def definitions_missing(cluster: Cluster, manifests: Sequence[Manifest]) -> list[str]:
    """No definition of releases where the stack has some and brings none: it would fail at its last layer."""
    brought = any(item["metadata"]["name"] == GRAY_RELEASES for item in manifests if item["kind"] == DEFINITION)
    if brought or not any(item["kind"] == GRAY_RELEASE.kind for item in manifests):
        return []
    kind = await cluster.resolve({"apiVersion": "apiextensions.k8s.io/v1", "kind": DEFINITION})
    try:
        if await cluster.find(kind, GRAY_RELEASES) is not None:
            return []
    except ForbiddenError:
        return []  # the API server will tell
    fix = "apply the environment that brings it first, or leave controller.installDefinitions on"
    return [f"{DEFINITION} {GRAY_RELEASES} is not on the cluster: {fix}"]


async def places_missing(cluster: Cluster, namespace: str, manifests: Sequence[Manifest]) -> list[str]:
    """Namespaces that the stack writes into, and that neither it nor anybody else has made."""
    made = {item["metadata"]["name"] for item in manifests if item["kind"] == NAMESPACE.kind}
    reasons = []
    for place in sorted(
        {namespace, *(str(item["metadata"].get("namespace") or namespace) for item in manifests)} - made
    ):
        try:
            if await cluster.find(NAMESPACE, place) is not None:
                continue
        except ForbiddenError:
            continue  # it is not for us to look at, and may well be there
        fix = (
            "create it, or let the stack do so with environment.createNamespace: true"
            if place == namespace
            else "apply the environment that makes it first"
        )
        reasons.append(f"namespace {place} does not exist: {fix}")
    return reasons


def served_by(deployment: Manifest) -> list[str]:
    """Namespaces that an engine serves."""
    mark = "--namespace="
    return [each.removeprefix(mark) for each in _arguments(deployment) if each.startswith(mark)]


def _arguments(deployment: Manifest) -> list[str]:
    containers: list[dict[str, Any]] = deployment["spec"]["template"]["spec"].get("containers") or []
    return [argument for container in containers for argument in container.get("args") or ()]


def storage_edited(declared: Manifest, live: Manifest | None) -> str:
    """Why the volumes of a StatefulSet cannot become as declared; Pulumi would replace it, and its data with it."""
    if live is None or declared["kind"] != "StatefulSet":
        return ""
    wanted, there = _claims(declared), _claims(live)
    changed = sorted(name for name in {*wanted, *there} if _size(wanted.get(name)) != _size(there.get(name)))
    if not changed:
        return ""
    told = ", ".join(f"{name} {there.get(name, 'none')} → {wanted.get(name, 'none')}" for name in changed)
    return (
        f"{label_of(declared)}: its volumes cannot be changed in place ({told}): "
        "docs/reference/components.md, Volumes, has the way to grow them without losing data"
    )


def _size(quantity: str | None) -> float | str | None:
    """Comparable: the server may write a size in another unit."""
    try:
        return None if quantity is None else megabytes(quantity)
    except ValueError:
        return quantity


def _claims(item: Manifest) -> dict[str, str]:
    claims = (item.get("spec") or {}).get("volumeClaimTemplates") or ()
    return {claim["metadata"]["name"]: str(claim["spec"]["resources"]["requests"]["storage"]) for claim in claims}


async def used_elsewhere(cluster: Cluster, gateway_class: str, own: set[tuple[str, str]]) -> bool:
    """Whether Gateways other than ``own`` are of that class; where that cannot be known, they may be."""
    try:
        gateways = (await cluster.list(GATEWAY)).items
    except NotFoundError:
        return False
    except ForbiddenError:
        return True
    return any(
        (item.get("spec") or {}).get("gatewayClassName") == gateway_class
        and (item["metadata"].get("namespace", ""), item["metadata"]["name"]) not in own
        for item in gateways
    )
