"""Kills a container's program as the kernel does when memory is short: at once, and without a word."""

from __future__ import annotations

import os
import signal
from pathlib import Path


def kill_program(pod, name):
    """``kill -9`` of the processes of ``pod`` (an object) that are called ``name``; how many there were."""
    uid = pod["metadata"]["uid"]
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            ours = uid in (folder / "cgroup").read_text().replace("_", "-")
            if ours and Path((folder / "cmdline").read_text().split("\0")[0]).name == name:
                found.append(int(folder.name))
        except (OSError, UnicodeDecodeError):
            continue
    for pid in found:
        os.kill(pid, signal.SIGKILL)
    return len(found)
