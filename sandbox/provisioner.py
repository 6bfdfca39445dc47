"""Makes a folder for every claim of the sandbox's storage class, lets it grow, and removes it after.

A cluster without storage cannot run a broker. This is the smallest thing that
behaves like a real provisioner: it watches claims, makes volumes that are bound
to them, and cleans up when a claim is deleted. Folders are open to every user
because pods run under arbitrary ones.
"""

from __future__ import annotations

import shutil
import sys
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from sandbox.api import CONFLICT, NOT_FOUND, Api
from sandbox.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

STORAGE_CLASS = "sandbox-hostpath"
PROVISIONER = "grayling.dev/sandbox-hostpath"
PERIOD_S = 0.5
CACHED = "?resourceVersion=0"
VOLUMES = "/api/v1/persistentvolumes"
CLAIMS = "/api/v1/persistentvolumeclaims"
OPEN_TO_ALL = 0o777
MERGE = "application/merge-patch+json"


def wants_volume(claim: dict[str, Any]) -> bool:
    """Say whether a claim is ours, has no volume, and is not being deleted."""
    spec, metadata = claim["spec"], claim["metadata"]
    ours = spec.get("storageClassName") == STORAGE_CLASS
    return ours and not spec.get("volumeName") and "deletionTimestamp" not in metadata


def grows(claim: dict[str, Any]) -> bool:
    """Say whether a bound claim of ours asks for another size than it has."""
    spec, capacity = claim["spec"], (claim.get("status") or {}).get("capacity") or {}
    ours = spec.get("storageClassName") == STORAGE_CLASS and bool(spec.get("volumeName"))
    return ours and bool(capacity) and _asked(claim) != capacity.get("storage")


def is_released(volume: dict[str, Any]) -> bool:
    """Say whether a volume is ours and its claim is gone."""
    ours = volume["spec"].get("storageClassName") == STORAGE_CLASS
    return ours and volume.get("status", {}).get("phase") in {"Released", "Failed"}


def _asked(claim: dict[str, Any]) -> str:
    return str(claim["spec"]["resources"]["requests"]["storage"])


def volume_for(claim: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Return the persistent volume that ``folder`` is for ``claim``."""
    metadata, spec = claim["metadata"], claim["spec"]
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": folder.name, "annotations": {"pv.kubernetes.io/provisioned-by": PROVISIONER}},
        "spec": {
            "accessModes": spec["accessModes"],
            "capacity": {"storage": _asked(claim)},
            "claimRef": {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "name": metadata["name"],
                "namespace": metadata["namespace"],
                "uid": metadata["uid"],
            },
            "hostPath": {"path": str(folder), "type": "Directory"},
            "persistentVolumeReclaimPolicy": "Delete",
            "storageClassName": STORAGE_CLASS,
            "volumeMode": "Filesystem",
        },
    }


@dataclass
class Provisioner:
    """Looks at claims and volumes twice a second; ``folder`` holds the volumes' folders."""

    api: Api
    folder: Path

    def run(self) -> None:
        """Serve until the process ends. A failed look is repeated at the next one."""
        while True:
            _told("looking", self.look)
            time.sleep(PERIOD_S)

    def look(self) -> None:
        """Make what is wanted and remove what was released; one that fails keeps no other waiting."""
        for claim in self.api.get(CLAIMS + CACHED).get("items") or []:
            if wants_volume(claim):
                _told(_name(claim), partial(self._provide, claim))
            elif grows(claim):
                _told(_name(claim), partial(self._grow, claim))
        for volume in self.api.get(VOLUMES + CACHED).get("items") or []:
            if is_released(volume):
                _told(_name(volume), partial(self._remove, volume["metadata"]["name"]))

    def _provide(self, claim: dict[str, Any]) -> None:
        folder = self.folder / f"pvc-{claim['metadata']['uid']}"
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(OPEN_TO_ALL)
        _tolerate(CONFLICT, lambda: self.api.call("POST", VOLUMES, volume_for(claim, folder)))

    def _grow(self, claim: dict[str, Any]) -> None:
        """A folder has room as it is; the volume says so first, and then the claim."""
        capacity = {"capacity": {"storage": _asked(claim)}}
        where = f"/api/v1/namespaces/{claim['metadata']['namespace']}/persistentvolumeclaims"
        volume, status = f"{VOLUMES}/{claim['spec']['volumeName']}", f"{where}/{claim['metadata']['name']}/status"
        _tolerate(NOT_FOUND, lambda: self.api.call("PATCH", volume, {"spec": capacity}, MERGE))
        _tolerate(NOT_FOUND, lambda: self.api.call("PATCH", status, {"status": capacity}, MERGE))

    def _remove(self, name: str) -> None:
        _tolerate(NOT_FOUND, lambda: self.api.call("DELETE", f"{VOLUMES}/{name}"))
        shutil.rmtree(self.folder / name, ignore_errors=True)


def _name(item: dict[str, Any]) -> str:
    return "/".join(item["metadata"][key] for key in ("namespace", "name") if key in item["metadata"])


def _told(about: str, work: Callable[[], None]) -> None:
    """Do ``work``; whatever fails is told with its kind and tried again at the next look, for this never ends."""
    try:
        work()
    except Exception as error:  # noqa: BLE001 - a provisioner that ended would leave every later claim pending
        sys.stderr.write(f"provisioner: {about}: {type(error).__name__}: {error}; trying again\n")


def _tolerate(status: int, call: Any) -> None:
    """Make a call that a previous look may have made already."""
    try:
        call()
    except ApiError as error:
        if error.status != status:
            raise
