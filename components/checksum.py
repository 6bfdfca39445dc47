"""Pods start anew when a file they mount changes: the one way configuration reaches them, so no reloader is needed."""

from __future__ import annotations

import hashlib
import json
from copy import deepcopy
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kube.kinds import Manifest

CHECKSUM_ANNOTATION = "grayling.dev/config"
_WORKLOADS = {"Deployment", "StatefulSet", "DaemonSet"}


def restarted_by_files(manifests: list[Manifest]) -> list[Manifest]:
    """The manifests, with a checksum on every pod template that mounts a ConfigMap among them."""
    files = {item["metadata"]["name"]: item["data"] for item in manifests if item["kind"] == "ConfigMap"}
    return [_stamped(item, files) if item["kind"] in _WORKLOADS else item for item in manifests]


def _mounted(volume: Mapping[str, Any]) -> list[str]:
    """Names of the ConfigMaps in a volume, alone or projected together with others."""
    sources = [volume, *volume.get("projected", {}).get("sources", ())]
    return [source["configMap"]["name"] for source in sources if "configMap" in source]


def _stamped(workload: Manifest, files: Mapping[str, Mapping[str, str]]) -> Manifest:
    volumes = workload["spec"]["template"]["spec"].get("volumes", ())
    mounted = {name: files[name] for volume in volumes for name in _mounted(volume) if name in files}
    if not mounted:
        return workload
    made = deepcopy(workload)
    text = json.dumps(mounted, sort_keys=True)
    annotations = made["spec"]["template"]["metadata"].setdefault("annotations", {})
    annotations[CHECKSUM_ANNOTATION] = hashlib.sha256(text.encode()).hexdigest()[:16]
    return made
