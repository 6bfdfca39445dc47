"""Says no before anything is changed, and what to do instead.

A node needs root, Linux and a few kernel features, and finding that out after
ten minutes of compiling would be unkind. What the machine has is looked up once
into plain data, so every refusal is tested without such a machine.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from sandbox.errors import INSTEAD, RefusedError

LEAST_FREE = 8 * 1024**3
MODULES = ("overlay", "br_netfilter", "veth", "nf_tables", "nf_conntrack")
NAMESPACES = ("mnt", "net", "pid")
PROCESSORS = ("x86_64", "aarch64")


@dataclass(frozen=True)
class Machine:
    """What a node's needs are compared with. ``missing_features`` are in words."""

    system: str
    uid: int
    processor: str
    free_bytes: int
    disk: Path
    missing_features: tuple[str, ...] = ()

    @classmethod
    def look(cls, disk: Path, system: str = "") -> Machine:
        """Look at this machine; ``disk`` is the folder that will grow."""
        name = system or platform.system()
        existing = next(path for path in (disk, *disk.parents) if path.exists())
        root = os.geteuid() == 0
        missing = _missing_features() if name == "Linux" and root else ()
        return cls(name, os.geteuid(), platform.machine(), shutil.disk_usage(existing).free, existing, missing)


def check(machine: Machine) -> None:
    """Raise ``RefusedError`` with the first thing that stands in the way."""
    for refusal in refusals(machine):
        raise RefusedError(refusal)


def refusals(machine: Machine) -> list[str]:
    """Return everything that stands in the way, most fundamental first."""
    found = []
    if machine.system != "Linux":
        found.append(
            f"the sandbox runs a node on the machine's own kernel, which must be Linux; this is {machine.system}. "
            f"Run it in a Linux virtual machine, or {INSTEAD}."
        )
        return found
    if machine.uid != 0:
        found.append(
            f"the sandbox needs root to make namespaces and mounts; this is user {machine.uid}. "
            f"Run it with sudo, or {INSTEAD}."
        )
    if machine.processor not in PROCESSORS:
        found.append(
            f"the sandbox has images for {' and '.join(PROCESSORS)}; this is {machine.processor}. Please {INSTEAD}."
        )
    if machine.missing_features:
        found.append(f"the kernel lacks what a node needs: {'; '.join(machine.missing_features)}. Please {INSTEAD}.")
    if machine.free_bytes < LEAST_FREE:
        found.append(
            f"{machine.free_bytes / 1024**3:.1f} GiB are free where {machine.disk} lies and a sandbox needs "
            f"{LEAST_FREE / 1024**3:.0f}. Free some, point XDG_CACHE_HOME and XDG_STATE_HOME elsewhere, or {INSTEAD}."
        )
    return found


def _missing_features() -> tuple[str, ...]:
    """Load what can be loaded and return what is still not there."""
    if shutil.which("modprobe"):
        subprocess.run(["modprobe", "--all", "--quiet", *MODULES], capture_output=True, check=False)
    filesystems = Path("/proc/filesystems").read_text().split()
    features = {
        "the overlay file system (module overlay)": "overlay" in filesystems,
        "packet filters on bridges (module br_netfilter)": Path("/proc/sys/net/bridge").exists(),
        "connection tracking (module nf_conntrack)": Path("/proc/sys/net/netfilter").exists(),
        "control groups mounted at /sys/fs/cgroup": any(Path("/sys/fs/cgroup").glob("cgroup.*")) or _has_trees(),
        **{f"{name} namespaces": Path("/proc/self/ns", name).exists() for name in NAMESPACES},
    }
    return tuple(name for name, there in features.items() if not there)


def _has_trees() -> bool:
    return Path("/sys/fs/cgroup/memory/cgroup.procs").exists()
