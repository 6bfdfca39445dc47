"""Chooses the two addresses that join one box to its host.

Each box gets a /30 of its own: the host has the first usable address, the node
the second. Only these four addresses are ever routed on the host, because pods
and services live in ranges that are private to the box and may be the same in
all of them.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sandbox.errors import RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterable

POOL = ipaddress.IPv4Network("10.201.0.0/16")
POD_RANGE = "10.244.0.0/16"
SERVICE_RANGE = "10.96.0.0/16"
API_SERVICE_ADDRESS = "10.96.0.1"
DNS_ADDRESS = "10.96.0.10"
API_PORT = 6443


@dataclass(frozen=True)
class Link:
    """The pair of addresses numbered ``slot`` (0 to 16383) and the names that go with it."""

    slot: int

    @property
    def network(self) -> ipaddress.IPv4Network:
        """The /30 both ends are in."""
        return ipaddress.IPv4Network((int(POOL.network_address) + 4 * self.slot, 30))

    @property
    def host(self) -> str:
        """The host's end."""
        return str(self.network[1])

    @property
    def node(self) -> str:
        """The node's end: where the API server and node ports answer."""
        return str(self.network[2])

    @property
    def interface(self) -> str:
        """The host's interface; the kernel allows 15 characters."""
        return f"grayling{self.slot}"


def choose(taken_slots: Iterable[int], used: Iterable[ipaddress.IPv4Network]) -> Link:
    """Return the first pair that no box has and no route or interface of the host touches.

    Args:
        taken_slots: slots that other boxes have written down, running or not.
        used: networks of the host's interfaces and routes, default routes left out.

    Raises:
        RefusedError: when every pair is touched, with what is in the way.
    """
    reserved, networks = set(taken_slots), [network for network in used if network.overlaps(POOL)]
    for slot in range(POOL.num_addresses // 4):
        link = Link(slot)
        if slot not in reserved and not any(link.network.overlaps(network) for network in networks):
            return link
    raise RefusedError(
        f"no pair of addresses is free in {POOL}: this machine already routes "
        f"{', '.join(str(network) for network in networks) or 'nothing of it'} and {len(reserved)} boxes have theirs. "
        "Remove boxes with `grayling sandbox down --purge`, or use a cluster you have with --context."
    )
