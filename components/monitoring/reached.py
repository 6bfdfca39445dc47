"""The way out to an address that a stack file names: of a namespace of the cluster, or of anybody."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from components.model.endpoints import Peer
from components.model.values import host_and_port, is_label

if TYPE_CHECKING:
    from collections.abc import Iterable

_SERVICE = re.compile(r"(?:[^.]+\.)+?(?P<namespace>[^.]+)\.(?P<domain>svc(?:\..+)?)")
_IN_SHORT = re.compile(r"[^.]+\.(?P<namespace>[^.]+)")
_OURS = {"svc", "svc.cluster.local"}


def reached(address: str, own: str, why: str) -> Iterable[Peer]:
    """Somebody at ``host:port``, seen from the namespace ``own``.

    In the cluster it is a namespace, since a Service's port is not that of its pods. ``a.b`` may be a Service of the
    namespace b, and a host of a domain: both are opened.
    """
    host, port = host_and_port(address)
    namespace, sure = _namespace_of(host, own)
    if namespace:
        yield Peer("out", None, (), why, namespace=namespace, every_port=True)
    if not sure:
        yield Peer("out", None, (port,), f"{why}, whose address no selector can name")


def _namespace_of(host: str, own: str) -> tuple[str, bool]:
    """The namespace of a Service that is reached under ``host``, and whether it can be nothing else."""
    if is_label(host):
        return own, True
    found = _SERVICE.fullmatch(host) or _IN_SHORT.fullmatch(host)
    return (found["namespace"], found.groupdict().get("domain") in _OURS) if found else ("", False)
