"""The production baseline: every workload of every component is made here, and nowhere else.

Restricted pod security, a read-only root, probes, a drain before the stop, spread over hosts and zones, requests and
limits, a service account of its own without a token, a disruption budget. ``components.rules`` checks the outcome.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from components.model.endpoints import (
    METRICS_PATH,
    METRICS_PATH_ANNOTATION,
    SCRAPERS,
    USERS,
)
from components.model.images import version
from components.model.values import MOST_IN_ONE_OBJECT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from components.model.component import Component
    from components.model.endpoints import Endpoint, Readers
    from components.model.pods import Pod
    from kube.kinds import Manifest

UID = 10001
VERSION = "app.kubernetes.io/version"


def account(owner: Component, part: str | None = None) -> Manifest:
    """The service account of one workload, without a token unless the pod asks for it."""
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": _annotated(
            {"name": workload_name(owner, part), "labels": owner.labels(part)}, owner.placement.account_annotations
        ),
        "automountServiceAccountToken": False,
    }


def _annotated(meta: Manifest, annotations: Mapping[str, str]) -> Manifest:
    return {**meta, "annotations": dict(annotations)} if annotations else meta


def workload_name(owner: Component, part: str | None) -> str:
    """``<component>`` or ``<component>-<part>``."""
    return f"{owner.name}-{part}" if part else owner.name


def pod_template(owner: Component, pod: Pod, part: str | None = None) -> Manifest:
    """A hardened PodTemplateSpec, whose containers have the ports of the component's endpoints."""
    selector = owner.selector(part)
    labels = {**owner.labels(part), VERSION: version(pod.containers[0].image)}
    metadata = _annotated({"labels": labels}, {**owner.placement.pod_annotations, **_metrics_path(owner, part)})
    spec: Manifest = {
        "serviceAccountName": workload_name(owner, part),
        "automountServiceAccountToken": pod.token,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": pod.grace_s,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": UID,
            "runAsGroup": UID,
            "fsGroup": UID,
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        **owner.placement.scheduling(),
        "affinity": _apart(selector),
        "topologySpreadConstraints": [_spread(owner, selector)],
        "initContainers": [container.wire() for container in pod.init],
        "containers": _listening(owner, pod, part),
        "volumes": [{"name": name, **source} for name, source in [*pod.volumes.items(), ("tmp", {"emptyDir": {}})]],
        "imagePullSecrets": [{"name": name} for name in owner.environment.pull_secrets],
    }
    kept = {key: value for key, value in spec.items() if value not in ([], None)}
    return {"metadata": metadata, "spec": kept}


def _metrics_path(owner: Component, part: str | None) -> dict[str, str]:
    """The annotation by which Prometheus finds metrics elsewhere than usual.

    Raises:
        ValueError: one pod cannot have two paths.
    """
    found = {each.path for each in owner.endpoints if each.part == part and each.open_to(SCRAPERS)}
    if len(found) > 1:
        raise ValueError(f"{owner.kind}: one pod has its metrics at {' and at '.join(sorted(found))}; give one path")
    path = next(iter(found), METRICS_PATH)
    return {METRICS_PATH_ANNOTATION: path} if path != METRICS_PATH else {}


def _listening(owner: Component, pod: Pod, part: str | None) -> list[Manifest]:
    """The containers with their ports.

    Raises:
        ValueError: an endpoint is of a container that the pod does not have.
    """
    ports: dict[str, dict[str, int]] = {container.name: {} for container in pod.containers}
    for each in owner.endpoints:
        if each.part == part and not each.last:
            container = each.container or pod.containers[0].name
            if container not in ports:
                raise ValueError(f"{owner.kind}: endpoint {each.name!r} is of {container!r}, the pod has {[*ports]}")
            ports[container][each.name] = each.port
    return [container.wire(ports[container.name]) for container in pod.containers]


def deployment(owner: Component, pod: Pod, *, replicas: int, part: str | None = None) -> list[Manifest]:
    """A Deployment that never has less than it promises, with its account and disruption budget."""
    spec = {
        "replicas": replicas,
        "revisionHistoryLimit": 5,
        "selector": {"matchLabels": owner.selector(part)},
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
        "template": pod_template(owner, pod, part),
    }
    return [account(owner, part), budget(owner, part), _workload("Deployment", owner, part, spec)]


def daemon_set(owner: Component, pod: Pod, part: str | None = None) -> list[Manifest]:
    """One pod on each node, with its account; a new version goes from node to node."""
    spec = {
        "revisionHistoryLimit": 5,
        "selector": {"matchLabels": owner.selector(part)},
        "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1}},
        "template": pod_template(owner, pod, part),
    }
    return [account(owner, part), _workload("DaemonSet", owner, part, spec)]


@dataclass(frozen=True, slots=True)
class Volume:
    """A claim that every pod of a StatefulSet gets."""

    name: str
    size: str


def stateful_set(
    owner: Component, pod: Pod, *, replicas: int, governing: str, volume: Volume | None, part: str | None = None
) -> list[Manifest]:
    """A StatefulSet with its account and disruption budget; volumes outlive it where the tier retains data.

    Pods are managed in parallel: in order, a pod that can never become ready would block the very update that mends it.
    Updates go one pod at a time either way.
    """
    policy = owner.environment.profile.data
    spec: Manifest = {
        "replicas": replicas,
        "serviceName": governing,
        "podManagementPolicy": "Parallel",
        "revisionHistoryLimit": 5,
        "selector": {"matchLabels": owner.selector(part)},
        "updateStrategy": {"type": "RollingUpdate"},
        "persistentVolumeClaimRetentionPolicy": {"whenDeleted": policy, "whenScaled": "Retain"},
        "template": pod_template(owner, pod, part),
    }
    if volume:
        spec["volumeClaimTemplates"] = [_claim(owner, volume)]
    return [account(owner, part), budget(owner, part), _workload("StatefulSet", owner, part, spec)]


def budget(owner: Component, part: str | None = None) -> Manifest:
    """At most one pod of a workload is taken away at a time."""
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": workload_name(owner, part), "labels": owner.labels(part)},
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": owner.selector(part)}},
    }


def _served(port: Endpoint) -> Manifest:
    made = {"name": port.name, "port": port.served or port.port, "targetPort": port.name, "protocol": "TCP"}
    return made | ({"appProtocol": port.app_protocol} if port.app_protocol else {})


def service(
    owner: Component, readers: Readers = USERS, *, part: str | None = None, headless: bool = False, name: str = ""
) -> Manifest:
    """A Service of the ports that ``readers`` may reach.

    Headless ones publish pods before they are ready, so that members find each other.
    """
    found = [each for each in owner.endpoints if each.part == part and each.open_to(readers) and not each.last]
    spec: Manifest = {
        "selector": owner.selector(part),
        "ports": [_served(each) for each in found],
    }
    if headless:
        spec |= {"clusterIP": "None", "publishNotReadyAddresses": True}
    meta = {"name": name or workload_name(owner, part), "labels": owner.labels(part)}
    return {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": spec}


def config_map(owner: Component, name: str, files: Mapping[str, str]) -> Manifest:
    """Configuration files; never a secret."""
    meta = {"name": name, "labels": owner.labels()}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": dict(files)}


def in_parts(name: str, files: dict[str, str]) -> dict[str, dict[str, str]]:
    """Files in as many ConfigMaps as they need: ``name``, ``name-2`` and so on."""
    parts: list[dict[str, str]] = [{}]
    size = 0
    for key, content in files.items():
        more = len(json.dumps(content)) + len(key)
        if parts[-1] and size + more > MOST_IN_ONE_OBJECT:
            parts.append({})
            size = 0
        parts[-1][key] = content
        size += more
    return {name if index == 0 else f"{name}-{index + 1}": part for index, part in enumerate(parts)}


def _workload(kind: str, owner: Component, part: str | None, spec: Manifest) -> Manifest:
    image = spec["template"]["metadata"]["labels"][VERSION]
    meta = {"name": workload_name(owner, part), "labels": {**owner.labels(part), VERSION: image}}
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": meta, "spec": spec}


def _claim(owner: Component, volume: Volume) -> Manifest:
    spec: Manifest = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": volume.size}}}
    if owner.environment.storage_class:
        spec["storageClassName"] = owner.environment.storage_class
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": volume.name, "labels": owner.selector()},
        "spec": spec,
    }


def _apart(selector: Mapping[str, str]) -> Manifest:
    term = {"labelSelector": {"matchLabels": dict(selector)}, "topologyKey": "kubernetes.io/hostname"}
    return {
        "podAntiAffinity": {
            "preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 100, "podAffinityTerm": term}]
        }
    }


def _spread(owner: Component, selector: Mapping[str, str]) -> Manifest:
    return {
        "maxSkew": 1,
        "topologyKey": "topology.kubernetes.io/zone",
        "whenUnsatisfiable": owner.environment.profile.spread,
        "labelSelector": {"matchLabels": dict(selector)},
    }
