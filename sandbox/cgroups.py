"""The control group of one box: made before the kubelet, removed after it.

The kubelet wants its root group to exist in every controller. Machines have one
tree (version 2), one tree per controller (version 1), or both; here they are
all treated alike: a folder in each tree.
"""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

MOUNT = Path("/sys/fs/cgroup")
CPUSET_FILES = ("cpuset.cpus", "cpuset.mems")
NEEDED = ("cpu", "cpuset", "memory", "pids")
REMOVE_TIMEOUT_S = 5.0


def trees(mount: Path = MOUNT) -> list[Path]:
    """Return the root folder of every tree of control groups."""
    if (mount / "cgroup.controllers").exists():
        return [mount]
    folders = {path.resolve() for path in mount.iterdir() if path.is_dir()}
    return sorted(path for path in folders if (path / "cgroup.procs").exists())


def create(name: str, mount: Path = MOUNT) -> None:
    """Make the group ``name`` in every tree, with all processors and memory nodes in it."""
    for tree in trees(mount):
        group = tree / name
        group.mkdir(exist_ok=True)
        if (tree / "cgroup.subtree_control").exists():
            _delegate(tree)
            _delegate(group)
        for file in CPUSET_FILES:
            if (group / file).exists() and not (group / file).read_text().strip():
                (group / file).write_text((tree / file).read_text())


def remove(name: str, mount: Path = MOUNT) -> list[Path]:
    """Remove the group ``name`` with its children; return what the kernel still holds."""
    deadline = time.monotonic() + REMOVE_TIMEOUT_S
    while True:
        held = [tree / name for tree in trees(mount) if not _removed(tree / name)]
        if not held or time.monotonic() > deadline:
            return held
        time.sleep(0.05)


def _delegate(group: Path) -> None:
    """Let children of a version 2 group be limited, as far as the machine offers it."""
    offered = set((group / "cgroup.controllers").read_text().split())
    for controller in NEEDED:
        if controller in offered:
            with suppress(OSError):
                (group / "cgroup.subtree_control").write_text(f"+{controller}")


def _removed(group: Path) -> bool:
    if not group.exists():
        return True
    for child in [path for path in group.iterdir() if path.is_dir()]:
        _removed(child)
    try:
        group.rmdir()
    except OSError:
        return False
    return True
