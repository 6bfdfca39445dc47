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
WATCHERS_OF_A_NODE = 24
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
    free_watchers: int = 10_000

    @classmethod
    def look(cls, disk: Path, system: str = "") -> Machine:
        """Look at this machine; ``disk`` is the folder that will grow."""
        name = system or platform.system()
        existing = next(path for path in (disk, *disk.parents) if path.exists())
        root = os.geteuid() == 0
        free = shutil.disk_usage(existing).free
        if name != "Linux" or not root:
            return cls(name, os.geteuid(), platform.machine(), free, existing)
        return cls(name, 0, platform.machine(), free, existing, _missing_features(), _free_watchers())


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
    if machine.free_watchers < WATCHERS_OF_A_NODE:
        found.append(
            f"{max(machine.free_watchers, 0)} file watchers are left to root and a node needs {WATCHERS_OF_A_NODE}. "
            "Take another sandbox down, allow more with `sysctl fs.inotify.max_user_instances=1024`, "
            f"or {INSTEAD}."
        )
    return found


def _free_watchers() -> int:
    """Return how many more inotify instances root may make; without one the kubelet starts and dies for ever."""
    allowed = int(Path("/proc/sys/fs/inotify/max_user_instances").read_text())
    return allowed - sum(_watchers(process) for process in Path("/proc").iterdir() if process.name.isdigit())


def _watchers(process: Path) -> int:
    """Return how many a process of root holds; a process may end while it is looked at."""
    try:
        if process.stat().st_uid != 0:
            return 0
        return sum(str(handle.readlink()) == "anon_inode:inotify" for handle in (process / "fd").iterdir())
    except OSError:
        return 0


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
