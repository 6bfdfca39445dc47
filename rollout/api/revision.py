"""Revisions: immutable, named by the hash of what they run, each with a Deployment, a Service and its files of its own.

Bringing a version in never edits the running one. Objects of a revision carry the GrayRelease as owner, so that the
garbage collector removes them with it.
"""

from __future__ import annotations

import hashlib
import json
import math
from copy import deepcopy
from typing import TYPE_CHECKING

from rollout.api.pod_template import without_nulls
from rollout.api.spec import (
    API_VERSION,
    GROUP,
    KIND,
    Spec,
)
from rollout.api.workload import CONFIG_VOLUME

if TYPE_CHECKING:
    from kube.kinds import Manifest

RELEASE_LABEL = f"{GROUP}/release"
REVISION_LABEL = f"{GROUP}/revision"
IMAGE_ANNOTATION = f"{GROUP}/image"
IMAGES_ANNOTATION = f"{GROUP}/images"
REPLICAS_ANNOTATION = f"{GROUP}/replicas"
DECLARED_ANNOTATION = f"{GROUP}/declared-replicas"
SPARE_ANNOTATION = f"{GROUP}/spare-replicas"
KEEPS_LAST_ANNOTATION = f"{GROUP}/keeps-last-pod"
EPOCH_ANNOTATION = f"{GROUP}/epoch"
SPEC_ANNOTATION = f"{GROUP}/spec"
MANAGER = "grayling-engine"
MOST_DIGITS = 10
MOST_NOTED = 64 * 1024
"""Characters of a spec that is noted on a Deployment: all its annotations together may have 256 KiB."""


def revision_of(name: str, spec: Spec) -> str:
    """Name of the revision that ``spec`` describes: ``<release>-<8 hex>``.

    Covered: pod template, configuration files, their mount path and the ports. Not covered: scale, strategy, analysis
    and traffic, so that changing those starts no release.
    """
    work = spec.workload
    essence = {
        "template": without_nulls(work.template),
        "config": work.config,
        "mount": work.config_mount_path if work.config else "",
        "ports": [port.wire() for port in work.ports],
    }
    canonical = json.dumps(essence, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return f"{name}-{hashlib.sha256(canonical.encode()).hexdigest()[:8]}"


def image_of(spec: Spec) -> str:
    """The image of the first container, as people name the version; empty where the template has none."""
    images = images_of(spec.workload.template)
    return next(iter(images.values()), "")


def images_of(template: Manifest) -> dict[str, str]:
    """Image by container, the first container first."""
    containers = ((template.get("spec") or {}).get("containers")) or ()
    return {str(each.get("name", "")): str(each.get("image") or "") for each in containers}


def noted(spec: Spec) -> str:
    """The spec as it is noted on a revision: all but what the revision's own objects hold; empty where too long."""
    wire = spec.wire()
    wire["workload"] = {key: each for key, each in wire["workload"].items() if key not in {"template", "config"}}
    text = json.dumps(wire, sort_keys=True, separators=(",", ":"))
    return text if len(text) <= MOST_NOTED else ""


def policy_of(deployment: Manifest) -> Spec | None:
    """The newest valid spec under which a revision was the desired one; None where nobody noted it.

    Its pod template is a stand-in: what runs is written in the Deployment itself.
    """
    notes = deployment["metadata"].get("annotations") or {}
    try:
        wire = json.loads(notes.get(SPEC_ANNOTATION) or "null")
        image = notes.get(IMAGE_ANNOTATION) or "unknown"
        wanted = [port.get("targetPort") for port in wire["workload"].get("ports") or ()]
        ports = [{"name": name} for name in wanted if isinstance(name, str)]
        template = {"spec": {"containers": [{"name": "main", "image": image, "ports": ports}]}}
        return Spec.model_validate({**wire, "workload": {**wire["workload"], "template": template}})
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):  # nested a thousand times
        return None


def replicas_for(total: int, weight: int) -> int:
    """Pods that ``weight`` percent of the traffic needs out of ``total``: rounded up, from one to total."""
    return max(1, min(total, math.ceil(total * weight / 100)))


def labels_of(name: str, revision: str) -> dict[str, str]:
    """Labels that tell a revision's objects."""
    return {RELEASE_LABEL: name, REVISION_LABEL: revision, "app.kubernetes.io/managed-by": "grayling"}


def owner_of(name: str, uid: str) -> Manifest:
    """The owner reference that ties an object to its GrayRelease."""
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "name": name,
        "uid": uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }


def manifests_of(name: str, namespace: str, uid: str, spec: Spec, *, replicas: int, epoch: int = 0) -> list[Manifest]:
    """Everything the revision of ``spec`` needs, in the order in which it is applied; the Deployment comes last."""
    revision = revision_of(name, spec)
    meta = _meta(name, namespace, uid, revision)
    made: list[Manifest] = []
    if spec.workload.config:
        made.append(
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": deepcopy(meta),
                "data": dict(spec.workload.config),
                "immutable": True,
            }
        )
    if spec.workload.ports:
        made.append(_service(meta, name, revision, spec))
    made.append(disruption_budget(name, namespace, uid, revision, spec))
    made.append(_deployment(meta, name, revision, spec, replicas, epoch))
    return made


def _meta(name: str, namespace: str, uid: str, revision: str) -> Manifest:
    return {
        "name": revision,
        "namespace": namespace,
        "labels": labels_of(name, revision),
        "ownerReferences": [owner_of(name, uid)],
    }


def _service(meta: Manifest, name: str, revision: str, spec: Spec) -> Manifest:
    ports = []
    for port in spec.workload.ports:
        entry = {"name": port.name, "port": port.port, "targetPort": port.target_port or port.port, "protocol": "TCP"}
        ports.append(entry | ({"appProtocol": port.app_protocol} if port.app_protocol else {}))
    selector = {RELEASE_LABEL: name, REVISION_LABEL: revision}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": deepcopy(meta),
        "spec": {"selector": selector, "ports": ports, "type": "ClusterIP"},
    }


def disruption_budget(
    name: str, namespace: str, uid: str, revision: str, spec: Spec, *, keeps_last: bool = False
) -> Manifest:
    """How many pods of a revision may be moved away at the same time; those that are not ready always may.

    Args:
        name: of the release.
        namespace: of both.
        uid: of the GrayRelease.
        revision: whose pods.
        spec: says how many.
        keeps_last: the last ready pod stays until there is another, however many the spec allows.
    """
    most = {"minAvailable": 1} if keeps_last else {"maxUnavailable": spec.workload.max_unavailable}
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": _meta(name, namespace, uid, revision),
        "spec": {
            **most,
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
            "selector": {"matchLabels": {RELEASE_LABEL: name, REVISION_LABEL: revision}},
        },
    }


def number_noted(deployment: Manifest, annotation: str) -> int | None:
    """A whole number that the engine noted on a Deployment; None where there is none."""
    text = str(((deployment.get("metadata") or {}).get("annotations") or {}).get(annotation, ""))
    return int(text) if text.isascii() and text.isdecimal() and len(text) < MOST_DIGITS else None


def annotations_of(spec: Spec, *, replicas: int, epoch: int) -> dict[str, str]:
    """What a Deployment says of itself: what it was made as, how many pods were asked for, and by which epoch."""
    return {
        IMAGE_ANNOTATION: image_of(spec),
        IMAGES_ANNOTATION: json.dumps(images_of(spec.workload.template), separators=(",", ":")),
        **scale_annotations(spec, replicas=replicas, epoch=epoch),
        KEEPS_LAST_ANNOTATION: "0",
        SPEC_ANNOTATION: noted(spec),
    }


def scale_annotations(spec: Spec, *, replicas: int, epoch: int, spare: int = 0) -> dict[str, str]:
    """The part of the annotations that changes with the number of pods."""
    return {
        REPLICAS_ANNOTATION: str(replicas),
        DECLARED_ANNOTATION: str(spec.workload.pods),
        SPARE_ANNOTATION: str(spare),
        EPOCH_ANNOTATION: str(epoch),
    }


def _deployment(meta: Manifest, name: str, revision: str, spec: Spec, replicas: int, epoch: int) -> Manifest:
    selector = {RELEASE_LABEL: name, REVISION_LABEL: revision}
    template = deepcopy(without_nulls(spec.workload.template))
    template.setdefault("metadata", {}).setdefault("labels", {}).update(labels_of(name, revision))
    if spec.workload.config:
        _mount_config(template["spec"], revision, spec.workload.config_mount_path)
    annotated = deepcopy(meta) | {"annotations": annotations_of(spec, replicas=replicas, epoch=epoch)}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": annotated,
        "spec": {
            "replicas": replicas,
            "revisionHistoryLimit": 0,
            "selector": {"matchLabels": selector},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
            "template": template,
        },
    }


def _mount_config(pod: Manifest, revision: str, path: str) -> None:
    pod.setdefault("volumes", []).append({"name": CONFIG_VOLUME, "configMap": {"name": revision}})
    for container in (*pod.get("initContainers", ()), *pod.get("containers", ())):
        container.setdefault("volumeMounts", []).append({"name": CONFIG_VOLUME, "mountPath": path, "readOnly": True})
