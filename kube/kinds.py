"""Which URL an object lives at: the kinds Grayling itself writes are known, the rest are asked of the server once."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, TypeAlias
from urllib.parse import quote

from kube.errors import UnsentError

Manifest: TypeAlias = dict[str, Any]


_SEGMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9:._-]{0,252}")
"""A name as Kubernetes' kinds have it; those of RBAC have colons."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of object as the API server addresses it."""

    api_version: str
    kind: str
    plural: str
    namespaced: bool = True

    @property
    def base(self) -> str:
        """The root of its group and version: ``/api/v1`` or ``/apis/<group>/<version>``."""
        return f"/api/{self.api_version}" if "/" not in self.api_version else f"/apis/{self.api_version}"

    def path(self, namespace: str | None = None, name: str | None = None, subresource: str | None = None) -> str:
        """The URL path of the collection (where ``name`` is None), of one object, or of a subresource of it.

        Raises:
            InvalidError: a name is empty, or is none that Kubernetes gives: it would lead elsewhere; or an object
                of a namespace is asked for without one.
        """
        parts = [self.base]
        if name is not None:
            self._need(namespace)
        if self.namespaced and namespace is not None:
            parts.append(f"namespaces/{self._checked(namespace, 'namespace')}")
        parts.append(self.plural)
        if name is not None:
            parts.append(self._checked(name, "name"))
        return "/".join([*parts, subresource] if subresource else parts)

    def collection(self, namespace: str | None) -> str:
        """The URL path that a new object is sent to.

        Raises:
            InvalidError: the kind needs a namespace, and there is none.
        """
        self._need(namespace)
        return self.path(namespace)

    def _need(self, namespace: str | None) -> None:
        if self.namespaced and namespace is None:
            raise UnsentError(
                f"{self.kind}: an object of this kind has a namespace: give metadata.namespace", status=400
            )

    def _checked(self, part: object, what: str) -> str:
        if not isinstance(part, str):
            raise UnsentError(f"{self.kind}: {what} {str(part)[:100]} is no text", status=400)
        if not _SEGMENT.fullmatch(part) or part in {".", ".."}:
            raise UnsentError(f"{self.kind}: {what} {part[:100]!r} is none: give the name of one object", status=400)
        return quote(part, safe="")


@dataclass(frozen=True, slots=True)
class ObjectList:
    """A list and the resource version from which a watch goes on."""

    items: list[Manifest]
    resource_version: str


POD = Kind("v1", "Pod", "pods")
SERVICE = Kind("v1", "Service", "services")
CONFIG_MAP = Kind("v1", "ConfigMap", "configmaps")
SECRET = Kind("v1", "Secret", "secrets")
NAMESPACE = Kind("v1", "Namespace", "namespaces", namespaced=False)
NODE = Kind("v1", "Node", "nodes", namespaced=False)
EVENT = Kind("v1", "Event", "events")
DEPLOYMENT = Kind("apps/v1", "Deployment", "deployments")
LEASE = Kind("coordination.k8s.io/v1", "Lease", "leases")
HTTP_ROUTE = Kind("gateway.networking.k8s.io/v1", "HTTPRoute", "httproutes")
GATEWAY = Kind("gateway.networking.k8s.io/v1", "Gateway", "gateways")
GRAY_RELEASE = Kind("grayling.dev/v1alpha1", "GrayRelease", "grayreleases")
APPROVAL = Kind("grayling.dev/v1alpha1", "Approval", "approvals")
TOPOLOGY = Kind("grayling.dev/v1alpha1", "Topology", "topologies")
_ADMISSION = "admissionregistration.k8s.io/v1"
POLICY = Kind(_ADMISSION, "ValidatingAdmissionPolicy", "validatingadmissionpolicies", namespaced=False)
POLICY_BINDING = Kind(
    _ADMISSION, "ValidatingAdmissionPolicyBinding", "validatingadmissionpolicybindings", namespaced=False
)

KNOWN: dict[tuple[str, str], Kind] = {
    (kind.api_version, kind.kind): kind
    for kind in (
        POD,
        SERVICE,
        CONFIG_MAP,
        SECRET,
        NAMESPACE,
        NODE,
        EVENT,
        DEPLOYMENT,
        LEASE,
        HTTP_ROUTE,
        GATEWAY,
        GRAY_RELEASE,
        APPROVAL,
        TOPOLOGY,
        POLICY,
        POLICY_BINDING,
        Kind("v1", "ServiceAccount", "serviceaccounts"),
        Kind("v1", "PersistentVolumeClaim", "persistentvolumeclaims"),
        Kind("apps/v1", "StatefulSet", "statefulsets"),
        Kind("apps/v1", "DaemonSet", "daemonsets"),
        Kind("batch/v1", "Job", "jobs"),
        Kind("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets"),
        Kind("autoscaling/v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers"),
        Kind("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies"),
        Kind("rbac.authorization.k8s.io/v1", "Role", "roles"),
        Kind("rbac.authorization.k8s.io/v1", "RoleBinding", "rolebindings"),
        Kind("rbac.authorization.k8s.io/v1", "ClusterRole", "clusterroles", namespaced=False),
        Kind("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", "clusterrolebindings", namespaced=False),
        Kind("apiextensions.k8s.io/v1", "CustomResourceDefinition", "customresourcedefinitions", namespaced=False),
        Kind("gateway.networking.k8s.io/v1", "GatewayClass", "gatewayclasses", namespaced=False),
    )
}


def kind_of(manifest: Manifest) -> tuple[str, str]:
    """``(apiVersion, kind)`` of a manifest.

    Raises:
        KeyError: one of the two is missing.
    """
    return str(manifest["apiVersion"]), str(manifest["kind"])


def label_of(manifest: Manifest) -> str:
    """How messages name an object: ``Deployment shop/checkout``."""
    found = manifest.get("metadata")
    meta = found if isinstance(found, dict) else {}
    name = meta.get("name", "?")
    return (
        f"{manifest.get('kind', '?')} {meta['namespace']}/{name}"
        if meta.get("namespace")
        else f"{manifest.get('kind', '?')} {name}"
    )
