"""The cable between the host and a box: one pair of virtual devices.

The host's end has one address and no other rule: nothing is forwarded and
nothing is translated, so a box can be reached from this machine and from
nowhere else, and reaches nothing but this machine. When the box's first process
ends, the kernel removes both ends.
"""

from __future__ import annotations

import ipaddress
import json
import subprocess
from typing import TYPE_CHECKING

from sandbox.errors import StartError
from sandbox.interior import NODE_INTERFACE

if TYPE_CHECKING:
    from sandbox.address import Link


def connect(link: Link, pid: int) -> None:
    """Join the host with the box whose first process is ``pid``; a cable that is there is kept."""
    if not exists(link):
        peer = ("peer", "name", NODE_INTERFACE, "netns", str(pid))
        _ip("link", "add", link.interface, "type", "veth", *peer)
    _ip("address", "replace", f"{link.host}/30", "dev", link.interface)
    _ip("link", "set", link.interface, "up")


def disconnect(link: Link) -> None:
    """Remove the cable where the kernel has not done so already."""
    if exists(link):
        subprocess.run(["ip", "link", "delete", link.interface], capture_output=True, check=False)


def exists(link: Link) -> bool:
    """Say whether the host's end is there."""
    found = subprocess.run(["ip", "link", "show", link.interface], capture_output=True, check=False)
    return found.returncode == 0


def used_networks(but: str = "") -> list[ipaddress.IPv4Network]:
    """Return every network the host has a route to, default routes and those by the device ``but`` left out."""
    told = subprocess.run(["ip", "-json", "-4", "route", "show", "table", "all"], capture_output=True, check=True)
    routes = [route for route in json.loads(told.stdout or b"[]") if route.get("dev") != but]
    return [ipaddress.IPv4Network(route["dst"], strict=False) for route in routes if route["dst"] != "default"]


def _ip(*arguments: str) -> None:
    ended = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    if ended.returncode != 0:
        raise StartError(f"`ip {' '.join(arguments)}` failed: {ended.stderr.strip()}")
