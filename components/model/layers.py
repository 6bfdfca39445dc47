"""In which order objects come to a cluster: layers, and within a layer what carries nothing before what runs."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias

from kube.kinds import Manifest
from rollout.api import approval_policy

if TYPE_CHECKING:
    from collections.abc import Iterable

LAYER_ANNOTATION = "grayling.dev/layer"
OWNER_ANNOTATION = "grayling.dev/owner"
"""On objects without a namespace: ``<namespace>/<stack>`` of the one environment that keeps them."""
ON_DESTROY_ANNOTATION = "grayling.dev/on-destroy"
KEEP = "keep"
CLUSTER_SCOPED = {
    "Namespace", "CustomResourceDefinition", "ClusterRole", "ClusterRoleBinding", "GatewayClass",
    "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding",
}  # fmt: skip


class Layer(StrEnum):
    """Each layer is ready before the next one starts."""

    CRDS = "crds"
    OPERATORS = "operators"
    INSTANCES = "instances"
    ROUTES = "routes"
    MONITORS = "monitors"


ORDER = tuple(Layer)
DEFINITION = "CustomResourceDefinition"
_FOUNDATION = {DEFINITION, approval_policy.POLICY, approval_policy.BINDING, "Namespace"}
_CARRIERS = {
    "ServiceAccount", "Secret", "ConfigMap", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding",
    "NetworkPolicy", "PodDisruptionBudget", "Service", "GatewayClass", "PersistentVolumeClaim",
}  # fmt: skip
Wave: TypeAlias = list[Manifest]


def is_definition(manifest: Manifest) -> bool:
    """Whether it is what objects of a kind are by: their definition, or the policy that makes ours true."""
    return manifest["kind"] == DEFINITION or approval_policy.is_ours(manifest)


def foundational(manifest: Manifest) -> bool:
    """Whether the object belongs in the first layer whatever component it comes from."""
    return manifest["kind"] in _FOUNDATION


def layer_of(manifest: Manifest) -> Layer:
    """The layer written on the object; ``instances`` for one that bears none."""
    noted = (manifest["metadata"].get("annotations") or {}).get(LAYER_ANNOTATION)
    return Layer(noted) if noted in ORDER else Layer.INSTANCES


def kept(manifest: Manifest) -> bool:
    """Whether ``destroy`` and pruning leave the object in place. Definitions always: all their objects would go."""
    if is_definition(manifest):
        return True
    return (manifest["metadata"].get("annotations") or {}).get(ON_DESTROY_ANNOTATION) == KEEP


def identity(manifest: Manifest) -> tuple[str, str, str, str]:
    """``(apiVersion, kind, namespace, name)``: what tells two objects of a stack apart."""
    meta = manifest["metadata"]
    return manifest["apiVersion"], manifest["kind"], meta.get("namespace", ""), meta["name"]


def rank(manifest: Manifest) -> tuple[int, int]:
    """Position of the wave an object belongs to: ``(layer, wave in the layer)``."""
    kind = manifest["kind"]
    wave = 0 if kind == "Namespace" else 1 if kind in _CARRIERS else 2
    return ORDER.index(layer_of(manifest)), wave


def ordered(manifests: Iterable[Manifest]) -> list[Manifest]:
    """The one order in which a render is written: by wave, then by kind, namespace and name."""
    return sorted(manifests, key=lambda item: (rank(item), identity(item)[1:], item["apiVersion"]))


def waves(manifests: Iterable[Manifest]) -> list[tuple[Layer, Wave]]:
    """Groups of objects that may be written at the same time, in the order in which they may."""
    grouped: dict[tuple[int, int], Wave] = {}
    for manifest in ordered(manifests):
        grouped.setdefault(rank(manifest), []).append(manifest)
    return [(ORDER[layer], wave) for (layer, _), wave in sorted(grouped.items(), key=lambda entry: entry[0])]
