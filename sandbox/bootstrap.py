"""Turns a fresh API server into the cluster the rest of Grayling expects.

Definitions of the Gateway API and Contour, a storage class, a name server: all
by server-side apply, so that doing it again changes nothing. Afterwards it waits
for what people mean by "the cluster is up": a Ready node and working names.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sandbox.errors import ApiError, StartError, UnreachableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sandbox.api import Api

POLL_S = 0.1
TIMEOUT_S = 120.0
NAMESPACED = "/apis/{group}/namespaces/{namespace}/{plural}/{name}"
CLUSTER_WIDE = "/apis/{group}/{plural}/{name}"
DNS_PODS = "/api/v1/namespaces/kube-system/pods?labelSelector=k8s-app%3Dkube-dns"
DNS = "/apis/apps/v1/namespaces/kube-system/deployments/coredns"
ACCOUNT = "/api/v1/namespaces/default/serviceaccounts/default"
PLURALS = {
    "ServiceAccount": "serviceaccounts",
    "ClusterRole": "clusterroles",
    "ClusterRoleBinding": "clusterrolebindings",
    "ConfigMap": "configmaps",
    "Deployment": "deployments",
    "Service": "services",
    "StorageClass": "storageclasses",
    "CustomResourceDefinition": "customresourcedefinitions",
}


def path_of(manifest: dict[str, Any]) -> str:
    """Return the API path of an object of one of the few kinds used here."""
    metadata = manifest["metadata"]
    pattern = NAMESPACED if "namespace" in metadata else CLUSTER_WIDE
    path = pattern.format(
        group=manifest["apiVersion"],
        namespace=metadata.get("namespace", ""),
        plural=PLURALS[manifest["kind"]],
        name=metadata["name"],
    )
    return path.replace("/apis/v1/", "/api/v1/")


def is_node_ready(node: dict[str, Any], since: str = "") -> bool:
    """Say whether a Node has called itself Ready at or after ``since``, not in a former life of the box."""
    return any(one.get("lastHeartbeatTime", "") >= since for one in _conditions(node, "Ready"))


def has_served(pod: dict[str, Any], since: str = "") -> bool:
    """Say whether a Pod is Ready with containers started at or after ``since``."""
    statuses = pod.get("status", {}).get("containerStatuses") or []
    starts = [(one.get("state", {}).get("running") or {}).get("startedAt", "") for one in statuses]
    return bool(_conditions(pod, "Ready")) and bool(starts) and all(start and start >= since for start in starts)


def is_available(deployment: dict[str, Any]) -> bool:
    """Say whether a Deployment serves with the revision it was last given."""
    status = deployment.get("status", {})
    seen = status.get("observedGeneration") == deployment["metadata"]["generation"]
    return seen and bool(_conditions(deployment, "Available"))


@dataclass(frozen=True)
class Bootstrap:
    """Works on one API server; ``node`` is the name of its only node, ``since`` when its box was started.

    etcd remembers a former life of the box, in which everything was ready: only what was said since counts.

    ``failing`` says which daemon keeps dying and how, or nothing: then waiting is of no use.
    """

    api: Api
    node: str
    since: str = ""
    timeout_s: float = TIMEOUT_S
    failing: Callable[[], str] = lambda: ""

    def wait_for_api(self) -> None:
        """Wait until the API server calls itself ready."""
        self._wait("the API server", "kube-apiserver", self.api.healthy)

    def apply(self, manifests: Iterable[dict[str, Any]]) -> None:
        """Apply ``manifests`` in their order; a lost connection is tried again."""
        for manifest in manifests:
            self._wait(f"{manifest['kind']} {manifest['metadata']['name']}", "kube-apiserver", self._applied(manifest))

    def wait_for_node(self) -> None:
        """Wait until the node is Ready."""
        self._wait("the node", "kubelet", self._node_ready)

    def wait_for_names(self) -> None:
        """Wait until the name server serves and pods can be made in ``default``."""
        self._wait("the name server", "kubelet", self._names_served)
        self._wait("the default service account", "kube-controller-manager", lambda: bool(self.api.get(ACCOUNT)))

    def is_up(self) -> bool:
        """Say whether node and names are ready now; False when nothing answers."""
        try:
            return self._node_ready() and self._names_served()
        except (ApiError, UnreachableError):
            return False

    def _node_ready(self) -> bool:
        return is_node_ready(self.api.get(f"/api/v1/nodes/{self.node}"), self.since)

    def _names_served(self) -> bool:
        pods = self.api.get(DNS_PODS).get("items") or []
        return is_available(self.api.get(DNS)) and any(has_served(pod, self.since) for pod in pods)

    def _applied(self, manifest: dict[str, Any]) -> Callable[[], bool]:
        return lambda: bool(self.api.apply(path_of(manifest), manifest))

    def _wait(self, what: str, daemon: str, ready: Callable[[], bool]) -> None:
        deadline, last, dying = time.monotonic() + self.timeout_s, "", ""
        while time.monotonic() < deadline and not dying:
            try:
                if ready():
                    return
            except (ApiError, UnreachableError) as error:
                last = f": {error}"
            dying = self.failing()
            time.sleep(POLL_S)
        if dying:
            raise StartError(f"{what} cannot get ready: {dying}")
        raise StartError(
            f"{what} was not ready within {self.timeout_s:.0f} s{last}. See `grayling sandbox logs {daemon}`, "
            "then run `grayling sandbox up` again: it goes on where it stopped."
        )


def _conditions(thing: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    """Return the conditions called ``kind`` that are true."""
    conditions = thing.get("status", {}).get("conditions") or []
    return [one for one in conditions if one["type"] == kind and one["status"] == "True"]
