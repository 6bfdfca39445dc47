"""Who may talk to whom: everything is denied, then each declared peer is let through on its ports."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from components.component import Component, Peer
    from kube.kinds import Manifest

DNS_PORT = 53


def default_deny(owner: Component) -> Manifest:
    """Nothing in, nothing out but name lookups, for every pod of the namespace."""
    dns = {"ports": [{"port": DNS_PORT, "protocol": protocol} for protocol in ("UDP", "TCP")]}
    spec = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"], "egress": [dns]}
    return _policy("default-deny", owner, spec)


def policy(owner: Component, peers: Iterable[Peer], *, part: str | None = None) -> Manifest:
    """One NetworkPolicy for a workload, with one rule for each peer."""
    found = [peer for peer in peers if peer.ports]
    spec = {
        "podSelector": {"matchLabels": owner.selector(part)},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [_rule("from", peer) for peer in found if peer.direction == "in"],
        "egress": [_rule("to", peer) for peer in found if peer.direction == "out"],
    }
    kept = {key: value for key, value in spec.items() if value != []}
    return _policy(f"{owner.name}-{part}" if part else owner.name, owner, kept, part)


def _rule(side: str, peer: Peer) -> Manifest:
    rule: Manifest = {"ports": [{"port": port, "protocol": "TCP"} for port in peer.ports]}
    if peer.pods is not None:
        rule[side] = [{"podSelector": {"matchLabels": dict(peer.pods)}}]
    return rule


def _policy(name: str, owner: Component, spec: Manifest, part: str | None = None) -> Manifest:
    meta = {"name": name, "labels": owner.labels(part)}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": meta, "spec": spec}
