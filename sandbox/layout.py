"""Where the sandbox keeps things: one state folder per box, one cache for all.

Everything a box writes lies below its state folder and everything that can be
made again lies below the cache, so that removing either is always safe. Nothing
here touches the disk: the paths are plain data and tests give their own roots.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


def _xdg(variable: str, fallback: str) -> Path:
    """Return the base folder named by an XDG variable, or its usual place."""
    value = os.environ.get(variable, "")
    return Path(value) if value.startswith("/") else Path.home() / fallback


def state_root() -> Path:
    """Return the folder that holds the state of every box of this user."""
    return _xdg("XDG_STATE_HOME", ".local/state") / "grayling" / "sandbox"


@dataclass(frozen=True)
class Cache:
    """What is shared by all boxes and can be made again: binaries, layers, images."""

    root: Path

    @classmethod
    def default(cls) -> Cache:
        """Return the cache of this user."""
        return cls(_xdg("XDG_CACHE_HOME", ".cache") / "grayling")

    @property
    def lock(self) -> Path:
        """Held while something is made, so that two boxes never make the same thing twice."""
        return self.root / ".lock"

    @property
    def binaries(self) -> Path:
        """Folder of compiled programs, one folder per program and toolchain hash."""
        return self.root / "bin"

    @property
    def blobs(self) -> Path:
        """Folder of image layers, each file named by the key of what made it."""
        return self.root / "layers"

    @property
    def golden(self) -> Path:
        """Folder of ready container stores that new boxes are linked from."""
        return self.root / "golden"

    @property
    def manifests(self) -> Path:
        """Folder of custom resource definitions taken from Go modules."""
        return self.root / "crds"

    @property
    def scratch(self) -> Path:
        """Folder for work in progress; whatever lies there belongs to whoever holds the lock."""
        return self.root / "scratch"

    @property
    def tools(self) -> Path:
        """Folder of build tools fetched from PyPI where the machine has none."""
        return self.root / "tools"


@dataclass(frozen=True)
class State:
    """Every path of one box. Removing ``root`` removes all of its data."""

    root: Path

    @classmethod
    def of(cls, name: str) -> State:
        """Return the state folder of the box called ``name``."""
        return cls(state_root() / name)

    @property
    def record(self) -> Path:
        """The box's own facts: address, process, versions."""
        return self.root / "box.json"

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig for use from the host."""
        return self.root / "kubeconfig"

    @property
    def pki(self) -> Path:
        """Certificates, keys and the daemons' own kubeconfigs."""
        return self.root / "pki"

    @property
    def etc(self) -> Path:
        """Rendered configuration of the daemons."""
        return self.root / "etc"

    @property
    def bin(self) -> Path:
        """Links by which one binary is started as several daemons."""
        return self.root / "bin"

    @property
    def logs(self) -> Path:
        """One log file per daemon; pods' logs below ``pods``."""
        return self.root / "log"

    @property
    def health(self) -> Path:
        """What the supervisor says about its daemons, written at every change."""
        return self.root / "daemons.json"

    @property
    def lock(self) -> Path:
        """Held by ``up`` and ``down`` while they work on this box."""
        return self.root / "lock"

    @property
    def volumes(self) -> Path:
        """Folders behind the persistent volumes of the box."""
        return self.root / "volumes"

    @property
    def containerd(self) -> Path:
        """Images and snapshots of the box's containerd."""
        return self.root / "containerd"

    @property
    def etcd(self) -> Path:
        """Data folder of etcd."""
        return self.root / "etcd"

    @property
    def kubelet(self) -> Path:
        """Root folder of the kubelet."""
        return self.root / "kubelet"
