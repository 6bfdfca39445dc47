"""What Contour may do: watch its own namespace, and the two cluster-wide kinds that every Gateway controller must."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from components.workloads.baseline import workload_name

if TYPE_CHECKING:
    from collections.abc import Iterable

    from components.model.component import Component
    from kube.kinds import Manifest

RBAC = "rbac.authorization.k8s.io"
READ = ["get", "list", "watch"]
ROUTES = ["gateways", "grpcroutes", "httproutes", "referencegrants"]
OWN_KINDS = ["contourconfigurations", "extensionservices", "httpproxies", "tlscertificatedelegations"]


def rights(owner: Component, name: str) -> Iterable[Manifest]:
    """Role and ClusterRole with their bindings, for the service account of the part ``contour``."""
    namespace = owner.environment.namespace
    subject = {"kind": "ServiceAccount", "name": workload_name(owner, "contour"), "namespace": namespace}
    for scope, rules in (("Role", namespaced()), ("ClusterRole", cluster_wide())):
        called = name if scope == "Role" else f"{namespace}-{name}"
        yield {"apiVersion": f"{RBAC}/v1", "kind": scope, "metadata": {"name": called}, "rules": rules}
        yield {
            "apiVersion": f"{RBAC}/v1",
            "kind": f"{scope}Binding",
            "metadata": {"name": called},
            "roleRef": {"apiGroup": RBAC, "kind": scope, "name": called},
            "subjects": [dict(subject)],
        }


def namespaced() -> list[dict[str, Any]]:
    """In its namespace. Secrets are read because a listener's certificate is one."""
    return [
        _rule("", ["configmaps", "secrets", "services"], READ),
        _rule("discovery.k8s.io", ["endpointslices"], READ),
        _rule("gateway.networking.k8s.io", ROUTES, READ),
        _rule("gateway.networking.k8s.io", [f"{kind}/status" for kind in ROUTES[:3]], ["update"]),
        _rule("networking.k8s.io", ["ingresses"], READ),
        _rule("projectcontour.io", OWN_KINDS, READ),
        _rule("projectcontour.io", [f"{kind}/status" for kind in OWN_KINDS[:3]], ["create", "get", "update"]),
        _rule("", ["events"], ["create", "get", "update", "patch"]),
        _rule("coordination.k8s.io", ["leases"], ["create", "get", "update"]),
    ]


def cluster_wide() -> list[dict[str, Any]]:
    """Kinds that live in no namespace."""
    return [
        _rule("", ["namespaces"], READ),
        _rule("gateway.networking.k8s.io", ["gatewayclasses"], READ),
        _rule("gateway.networking.k8s.io", ["gatewayclasses/status"], ["update"]),
    ]


def _rule(group: str, resources: list[str], verbs: list[str]) -> dict[str, Any]:
    return {"apiGroups": [group], "resources": resources, "verbs": verbs}
