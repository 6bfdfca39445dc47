"""Other environments behind a stack's gateway: which routes may attach, and what it takes to carry requests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.model.endpoints import GATEWAYS, Peer
from components.workloads.encryption import issued
from components.workloads.network import EVERYWHERE, NAMESPACE_NAME

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from components.model.component import Component
    from components.workloads.encryption import Issuer
    from kube.kinds import Manifest


ALL = "all"
"""Among the names: every namespace of the cluster."""


def allowed_routes(own: str, guests: Sequence[str]) -> Manifest:
    """Of each listener: routes of the Gateway's own namespace, of those that are named too, or of all."""
    if ALL in guests:
        return {"namespaces": {"from": "All"}}
    if not guests:
        return {"namespaces": {"from": "Same"}}
    named = {"key": NAMESPACE_NAME, "operator": "In", "values": sorted({own, *guests})}
    return {"namespaces": {"from": "Selector", "selector": {"matchExpressions": [named]}}}


def listener_certificate(gateway: Component, secret: str | None, issuer: Issuer | None) -> Iterable[Manifest]:
    """A Certificate for all names that requests come under, where an issuer makes it."""
    if secret is not None and issuer is not None:
        reached = [each for each in gateway.scope.members.values() if each.reached_by(GATEWAYS)]
        names = sorted({name for each in reached for name in each.hostnames})
        yield issued(secret, issuer, names or [f"*.{gateway.environment.gateway.hostname_suffix}"])


def watched(own: str, guests: Sequence[str]) -> list[str]:
    """The argument that keeps the control plane to the namespaces it may read."""
    return [] if ALL in guests else [f"--watch-namespaces={','.join(sorted({own, *guests}))}"]


def carried(own: str, guests: Sequence[str]) -> Iterable[Peer]:
    """The proxies' way to pods of guests: on which ports those listen, their stacks know."""
    for guest in [EVERYWHERE] if ALL in guests else sorted(set(guests) - {own}):
        whose = "every namespace" if guest == EVERYWHERE else guest
        yield Peer("out", None, (), f"carries requests to pods of {whose}", namespace=guest, every_port=True)
