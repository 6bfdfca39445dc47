"""What an Envoy Gateway may do: read where it carries routes, and make its proxies where it is itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from components.workloads.baseline import workload_name
from components.workloads.roles import granted

if TYPE_CHECKING:
    from collections.abc import Iterable

    from components.gateways.envoy_settings import EnvoyGatewaySettings
    from components.model.component import Component
    from kube.kinds import Manifest

RBAC = "rbac.authorization.k8s.io"
READ = ["get", "list", "watch"]
KEEP = [*READ, "create", "delete", "deletecollection", "patch"]
ROUTES = [
    "backendtlspolicies",
    "gateways",
    "grpcroutes",
    "httproutes",
    "listenersets",
    "tcproutes",
    "tlsroutes",
    "udproutes",
]
OWN_KINDS = [
    "backends", "backendtrafficpolicies", "clienttrafficpolicies", "envoyextensionpolicies", "envoypatchpolicies",
    "envoyproxies", "securitypolicies",
]  # fmt: skip
NETWORKING, OWN = "gateway.networking.k8s.io", "gateway.envoyproxy.io"


def rights(owner: Component[EnvoyGatewaySettings], part: str) -> Iterable[Manifest]:
    """A Role where it is, one in each namespace it carries routes of, and a ClusterRole for what lives in none."""
    own, name = owner.environment.namespace, workload_name(owner, part)
    yield from granted("Role", {"name": name}, own, name, [*_carrying(), *_making()])
    for guest in sorted(set(owner.settings.namespaces) - {own}):
        yield from granted("Role", {"name": f"{own}-{name}", "namespace": guest}, own, name, _carrying())
    yield from granted("ClusterRole", {"name": f"{own}-{name}"}, own, name, _cluster_wide())


def _carrying() -> list[dict[str, Any]]:
    """Secrets are read because a listener's certificate is one; it starts with no less."""
    return [
        _rule("", ["configmaps", "secrets", "services"], READ),
        _rule("apps", ["daemonsets", "deployments"], READ),
        _rule("discovery.k8s.io", ["endpointslices"], READ),
        _rule(NETWORKING, [*ROUTES, "referencegrants"], READ),
        _rule(NETWORKING, [f"{kind}/status" for kind in ROUTES], ["update"]),
        _rule(OWN, [*OWN_KINDS, "httproutefilters"], READ),
        _rule(OWN, [f"{kind}/status" for kind in OWN_KINDS], ["update"]),
    ]


def _making() -> list[dict[str, Any]]:
    return [
        _rule("", ["configmaps", "serviceaccounts", "services"], KEEP),
        _rule("apps", ["daemonsets", "deployments"], KEEP),
        _rule("autoscaling", ["horizontalpodautoscalers"], KEEP),
        _rule("policy", ["poddisruptionbudgets"], KEEP),
        _rule("coordination.k8s.io", ["leases"], ["create", "get", "update"]),
        _rule("", ["events"], ["create", "patch"]),
    ]


def _cluster_wide() -> list[dict[str, Any]]:
    return [
        _rule("", ["namespaces", "nodes"], READ),
        _rule(NETWORKING, ["gatewayclasses"], [*READ, "patch", "update"]),
        _rule(NETWORKING, ["gatewayclasses/status"], ["update"]),
        _rule("multicluster.x-k8s.io", ["serviceimports"], READ),
        _rule("certificates.k8s.io", ["clustertrustbundles"], READ),
    ]


def _rule(group: str, resources: list[str], verbs: list[str]) -> dict[str, Any]:
    return {"apiGroups": [group], "resources": resources, "verbs": verbs}
