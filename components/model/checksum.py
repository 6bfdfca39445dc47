"""Pods start anew when something they read changes: the one way it reaches them, so no reloader is needed.

Files of ConfigMaps are known by their hash. Secrets of the stack file are known by one that is slow to make and salted
with where they are, and half as long as it could be: who reads it on a pod cannot try passwords against it.
"""

from __future__ import annotations

import hashlib
import json
from copy import deepcopy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kube.kinds import Manifest

CHECKSUM_ANNOTATION = "grayling.dev/config"
SECRETS_ANNOTATION = "grayling.dev/secrets"
ROUNDS = 50_000
_WORKLOADS = {"Deployment", "StatefulSet", "DaemonSet", "GrayRelease"}


@dataclass
class Fingerprints:
    """One for each Secret of a stack, made when first asked for."""

    where: str
    secrets: Mapping[str, Mapping[str, str]]
    made: dict[str, str] = field(default_factory=dict)

    def of(self, name: str) -> str:
        """Of a Secret; empty for one that the stack does not hold."""
        if name in self.secrets and name not in self.made:
            text = json.dumps(dict(self.secrets[name]), sort_keys=True).encode()
            salt = f"{self.where}/{name}".encode()
            self.made[name] = hashlib.pbkdf2_hmac("sha256", text, salt, ROUNDS, 8).hex()
        return self.made.get(name, "")


def restarted_by_files(manifests: list[Manifest], secrets: Fingerprints) -> list[Manifest]:
    """The manifests, with a checksum on every pod template that reads a ConfigMap among them, or a Secret."""
    files = {item["metadata"]["name"]: item["data"] for item in manifests if item["kind"] == "ConfigMap"}
    return [_stamped(item, files, secrets) if item["kind"] in _WORKLOADS else item for item in manifests]


def named_by_content(manifest: Manifest) -> Manifest:
    """A Job cannot be changed: what it runs is part of its name, so that another one is made."""
    if manifest["kind"] != "Job":
        return manifest
    meta = manifest["metadata"]
    return {**manifest, "metadata": {**meta, "name": f"{meta['name']}-{_digest(manifest)}"}}


def named_anew(manifest: Manifest, before: Manifest) -> Manifest:
    """A Job that was changed after it had been named by its content, which was ``before``."""
    meta, end = manifest["metadata"], f"-{_digest(before)}"
    if manifest["kind"] != "Job" or not meta["name"].endswith(end):
        return manifest
    return named_by_content({**manifest, "metadata": {**meta, "name": meta["name"].removesuffix(end)}})


def _digest(job: Manifest) -> str:
    return hashlib.sha256(json.dumps(job.get("spec"), sort_keys=True).encode()).hexdigest()[:8]


def _template(workload: Manifest) -> Manifest:
    spec = workload["spec"]
    found: Manifest = spec["workload"]["template"] if workload["kind"] == "GrayRelease" else spec["template"]
    return found


def _volumes(template: Manifest) -> Iterator[Mapping[str, Any]]:
    """What volumes are made of, alone or projected together with others."""
    for volume in template["spec"].get("volumes", ()):
        yield from (volume, *volume.get("projected", {}).get("sources", ()))


def _secrets(template: Manifest) -> set[str]:
    """Names of the Secrets that pods read, as files or as variables."""
    found = {
        each["secret"].get("secretName") or each["secret"].get("name")
        for each in _volumes(template)
        if "secret" in each
    }
    spec = template["spec"]
    for container in (*spec.get("initContainers", ()), *spec["containers"]):
        for entry in container.get("env", ()):
            found.add(entry.get("valueFrom", {}).get("secretKeyRef", {}).get("name"))
    return found - {None}


def _stamped(workload: Manifest, files: Mapping[str, Mapping[str, str]], secrets: Fingerprints) -> Manifest:
    template = _template(workload)
    notes = {}
    mounted = {each["configMap"]["name"] for each in _volumes(template) if "configMap" in each} & files.keys()
    if mounted:
        text = json.dumps({name: files[name] for name in sorted(mounted)}, sort_keys=True)
        notes[CHECKSUM_ANNOTATION] = hashlib.sha256(text.encode()).hexdigest()[:16]
    if read := [print_ for name in sorted(_secrets(template)) if (print_ := secrets.of(name))]:
        notes[SECRETS_ANNOTATION] = hashlib.sha256("".join(read).encode()).hexdigest()[:16]
    if not notes:
        return workload
    made = deepcopy(workload)
    _template(made)["metadata"].setdefault("annotations", {}).update(notes)
    return made
