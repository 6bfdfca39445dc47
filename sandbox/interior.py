"""Prepares the inside of a box before any daemon runs: mounts, kernel files, address.

A namespace starts as a copy of the machine's. What follows makes it the node's
own: its network devices in /sys, an empty /run for sockets, its own writes to /var/lib
and /var/log, and files that look like kernel settings the kubelet would otherwise change for
the whole machine. All of it ends with the box's first process.
"""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

from sandbox.errors import StartError

if TYPE_CHECKING:
    from sandbox.address import Link
    from sandbox.layout import State

NODE_INTERFACE = "eth0"
LINK_POLL_S = 0.02
LINK_TIMEOUT_S = 30.0

# What the kubelet insists on. It writes them when they differ, and these are not
# per namespace: the files of the box say what it wants to read instead.
KUBELET_EXPECTS = {
    "vm/overcommit_memory": "1",
    "vm/panic_on_oom": "0",
    "kernel/panic": "10",
    "kernel/panic_on_oops": "1",
    "kernel/keys/root_maxkeys": "1000000",
    "kernel/keys/root_maxbytes": "25000000",
}

# Per network namespace: the first routes between pods and the way out, the others
# show packets that cross the bridge to the rules of the Services.
FORWARDING = ("net/ipv4/ip_forward", "net/bridge/bridge-nf-call-iptables", "net/bridge/bridge-nf-call-ip6tables")


def prepare_mounts(state: State) -> None:
    """Give the box its own /run, /var/log, /sys and kernel settings."""
    for folder in (state.logs, state.etc / "sysctl"):
        folder.mkdir(parents=True, exist_ok=True)
    _mount("-t", "tmpfs", "-o", "mode=755,nosuid,nodev", "tmpfs", "/run")
    _own_sysfs()
    _own_library(state)
    _mount("--bind", str(state.logs), "/var/log")
    for setting, value in KUBELET_EXPECTS.items():
        _shadow(Path("/proc/sys") / setting, value, state.etc / "sysctl")
    for setting in FORWARDING:
        (Path("/proc/sys") / setting).write_text("1")
    _mount("--make-rshared", "/")


def wait_for_link() -> None:
    """Wait until the host has moved the box's end of the cable inside.

    Raises:
        StartError: when it never does, for the command that started the box is gone.
    """
    deadline = time.monotonic() + LINK_TIMEOUT_S
    while not Path("/sys/class/net", NODE_INTERFACE).exists():
        if time.monotonic() > deadline:
            raise StartError(f"no cable to the host after {LINK_TIMEOUT_S:.0f} s; run `grayling sandbox up` again")
        time.sleep(LINK_POLL_S)


def configure_link(link: Link) -> None:
    """Give the node its address and send everything unknown to the host, which drops it."""
    _ip("link", "set", "lo", "up")
    _ip("address", "replace", f"{link.node}/30", "dev", NODE_INTERFACE)
    _ip("link", "set", NODE_INTERFACE, "up")
    _ip("route", "replace", "default", "via", link.host)


def _own_sysfs() -> None:
    """Mount /sys anew, so that it lists this box's network devices; keep the control groups."""
    kept = Path("/run/cgroups-kept")
    kept.mkdir()
    _mount("--move", "/sys/fs/cgroup", str(kept))
    _mount("-t", "sysfs", "sysfs", "/sys")
    _mount("--move", str(kept), "/sys/fs/cgroup")


def _own_library(state: State) -> None:
    """Catch what daemons write to /var/lib at fixed places, so that none of it reaches the machine."""
    library, layers = Path("/var/lib"), Path("/run/library")
    for name in ("upper", "work", "whole"):
        (layers / name).mkdir(parents=True)
    _mount("--rbind", str(library), str(layers / "whole"))
    _mount(
        "-t",
        "overlay",
        "-o",
        f"lowerdir={library},upperdir={layers}/upper,workdir={layers}/work",
        "overlay",
        str(library),
    )
    if state.root.is_relative_to(library):
        _mount("--bind", str(layers / "whole" / state.root.relative_to(library)), str(state.root))


def _shadow(setting: Path, value: str, folder: Path) -> None:
    """Show a file of the box where the machine's setting is."""
    if not setting.exists():
        return
    stand_in = folder / setting.name
    stand_in.write_text(f"{value}\n")
    _mount("--bind", str(stand_in), str(setting))


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True)


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)
