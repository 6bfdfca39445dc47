"""Who may talk to whom: everything is denied, then each declared peer is let through on its ports."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.model.component import MANAGED_BY, Peer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from components.model.component import Component
    from kube.kinds import Manifest

DNS_PORT = 53
DEFAULT_DENY = "default-deny"
NAMESPACE_NAME = "kubernetes.io/metadata.name"
EVERYWHERE = "*"
"""In place of a namespace: all of the cluster."""


def default_deny(owner: Component) -> Manifest:
    """Nothing in, nothing out but name lookups, for every pod of the namespace."""
    dns = {"ports": [{"port": DNS_PORT, "protocol": protocol} for protocol in ("UDP", "TCP")]}
    spec = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"], "egress": [dns]}
    return _policy(DEFAULT_DENY, owner, spec)


def policy(owner: Component, peers: Iterable[Peer], *, part: str | None = None) -> Manifest:
    """One NetworkPolicy for a workload, with one rule for each peer."""
    found = [peer for peer in peers if peer.ports or peer.every_port]
    spec = {
        "podSelector": {"matchLabels": owner.selector(part)},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [_rule("from", peer) for peer in found if peer.direction == "in"],
        "egress": [_rule("to", peer) for peer in found if peer.direction == "out"],
    }
    kept = {key: value for key, value in spec.items() if value != []}
    return _policy(f"{owner.name}-{part}" if part else owner.name, owner, kept, part)


def _rule(side: str, peer: Peer) -> Manifest:
    rule: Manifest = {"ports": [{"port": port, "protocol": "TCP"} for port in peer.ports]} if peer.ports else {}
    whom: Manifest = {}
    if peer.namespace == EVERYWHERE:
        whom["namespaceSelector"] = {}
    elif peer.namespace:
        whom["namespaceSelector"] = {"matchLabels": {NAMESPACE_NAME: peer.namespace}}
    if peer.pods is not None:
        whom["podSelector"] = {"matchLabels": dict(peer.pods)}
    if peer.cidr:
        whom = {"ipBlock": {"cidr": peer.cidr}}
    return {**rule, side: [whom]} if whom else rule


def let_in(owner: Component, namespace: str) -> Manifest:
    """In another namespace: what stacks run there may be read by ``owner``. Pods of others stay as open as they are."""
    reader = Peer("in", owner.selector(), (), "reads metrics", namespace=owner.environment.namespace, every_port=True)
    spec = {
        "podSelector": {"matchLabels": {MANAGED_BY: "grayling"}},
        "policyTypes": ["Ingress"],
        "ingress": [_rule("from", reader)],
    }
    made = _policy(f"{owner.environment.namespace}-{owner.name}", owner, spec)
    made["metadata"]["namespace"] = namespace
    return made


def reads_elsewhere(namespaces: Iterable[str]) -> Iterable[Peer]:
    """Whoever measures the pods of other namespaces talks to any port there: which ones, their stacks know."""
    return [Peer("out", None, (), f"reads pods of {each}", namespace=each, every_port=True) for each in namespaces]


def _policy(name: str, owner: Component, spec: Manifest, part: str | None = None) -> Manifest:
    meta = {"name": name, "labels": owner.labels(part)}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": meta, "spec": spec}
