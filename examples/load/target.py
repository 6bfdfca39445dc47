"""Where load may go: this machine, and private networks that the caller names because it made them itself."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING

from yarl import URL

if TYPE_CHECKING:
    from collections.abc import Iterable


class TargetError(ValueError):
    """Load was asked to go where it must not."""


@dataclass(frozen=True, slots=True)
class Target:
    """A checked place: an address literal of a host that was resolved once, and what to write in ``Host``."""

    address: str
    port: int
    path: str
    host: str


async def checked_target(url: str, host: str, allow: Iterable[str]) -> Target:
    """Resolve ``url`` and refuse everything that is not ours.

    Raises:
        TargetError: not plain HTTP, not resolvable, or an address of somebody else.
    """
    parsed = URL(url)
    if parsed.scheme != "http" or not parsed.host or not parsed.port:
        raise TargetError(f"{url}: want http://HOST:PORT/PATH")
    try:
        found = await asyncio.get_running_loop().getaddrinfo(parsed.host, parsed.port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise TargetError(f"{url}: {error}") from error
    address = ip_address(str(found[0][4][0]))
    if not _ours(address, allow):
        raise TargetError(f"{url}: {address} is not an address of this machine; load is not sent to others")
    return Target(str(address), parsed.port, parsed.raw_path_qs or "/", host or f"{parsed.host}:{parsed.port}")


def _ours(address: IPv4Address | IPv6Address, allow: Iterable[str]) -> bool:
    if address.is_loopback:
        return True
    if address.is_private and any(address in ip_network(network) for network in allow):
        return True
    return not address.is_unspecified and _is_local(address)


def _is_local(address: IPv4Address | IPv6Address) -> bool:
    """Only an address of one of our own interfaces can be bound."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6  # noqa: PLR2004 - IP versions
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((str(address), 0))
        except OSError:
            return False
    return True
