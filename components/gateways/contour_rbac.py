"""What Contour may do: watch namespaces it carries routes of, and two cluster-wide kinds, as all such controllers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from components.gateways.guests import ALL
from components.workloads.baseline import workload_name
from components.workloads.roles import granted

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from components.model.component import Component
    from kube.kinds import Manifest

RBAC = "rbac.authorization.k8s.io"
READ = ["get", "list", "watch"]
ROUTES = ["gateways", "grpcroutes", "httproutes", "referencegrants"]
OWN_KINDS = ["contourconfigurations", "extensionservices", "httpproxies", "tlscertificatedelegations"]


def rights(owner: Component, name: str, guests: Sequence[str] = ()) -> Iterable[Manifest]:
    """Roles and a ClusterRole with their bindings, for the part ``contour``: where it is, and where ``guests`` are."""
    own = owner.environment.namespace
    everywhere = namespaced() if ALL in guests else []
    account = workload_name(owner, "contour")
    yield from granted("Role", {"name": name}, own, account, [*namespaced(), *of_its_own()])
    for guest in [] if everywhere else sorted(set(guests) - {own}):
        yield from granted("Role", {"name": f"{own}-{name}", "namespace": guest}, own, account, namespaced())
    yield from granted("ClusterRole", {"name": f"{own}-{name}"}, own, account, [*cluster_wide(), *everywhere])


def namespaced() -> list[dict[str, Any]]:
    """Where it carries routes. Secrets are read because a listener's certificate is one; it starts with no less."""
    return [
        _rule("", ["configmaps", "secrets", "services"], READ),
        _rule("discovery.k8s.io", ["endpointslices"], READ),
        _rule("gateway.networking.k8s.io", ROUTES, READ),
        _rule("gateway.networking.k8s.io", [f"{kind}/status" for kind in ROUTES[:3]], ["update"]),
        _rule("networking.k8s.io", ["ingresses"], READ),
        _rule("projectcontour.io", OWN_KINDS, READ),
        _rule("projectcontour.io", [f"{kind}/status" for kind in OWN_KINDS[:3]], ["create", "get", "update"]),
    ]


def of_its_own() -> list[dict[str, Any]]:
    """In its own namespace alone: who leads, and what it has to say."""
    return [
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
