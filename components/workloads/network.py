"""Who may talk to whom: everything is denied, then the endpoints of a stack are opened to those that may reach them.

Both sides of each way follow from one :class:`components.model.endpoints.Endpoint`: ingress of its owner, egress of its
reader.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.model.component import MANAGED_BY
from components.model.endpoints import (
    ANYONE,
    GATEWAYS,
    MEMBERS,
    USERS,
    Peer,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from components.model.component import Component
    from components.model.endpoints import Endpoint
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


def policy(owner: Component, more: Iterable[Peer] = (), *, part: str | None = None) -> Manifest:
    """One NetworkPolicy for a workload, with one rule for each peer; ``more`` are those outside of the stack."""
    known = (*more, *_hears(owner, part), *_talks(owner, part))
    found = [peer for peer in known if peer.ports or peer.every_port]
    spec = {
        "podSelector": {"matchLabels": owner.selector(part)},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [_rule("from", peer) for peer in found if peer.direction == "in"],
        "egress": [_rule("to", peer) for peer in found if peer.direction == "out"],
    }
    kept = {key: value for key, value in spec.items() if value != []}
    return _policy(f"{owner.name}-{part}" if part else owner.name, owner, kept, part)


def _hears(owner: Component, part: str | None) -> Iterator[Peer]:
    """Who may reach the endpoints of one workload."""
    own = [each for each in owner.endpoints if each.part == part]
    yield Peer("in", None, _numbers(each for each in own if each.open_to(ANYONE)), "anyone")
    closed = [each for each in own if not each.open_to(ANYONE)]
    readers = owner.scope.readers()
    if not any(reader.reads & GATEWAYS for reader in readers):
        ports = _numbers(each for each in closed if each.open_to(GATEWAYS))
        yield Peer("in", None, ports, "requests; the gateway runs in another namespace")
    used = _numbers(each for each in closed if each.open_to(USERS))
    for user in owner.scope.users_of(owner.name):
        yield Peer("in", user.speaker(), used, f"{user.name} uses it")
    for reader in readers:
        ports = _numbers(each for each in closed if each.open_to(reader.reads))
        yield Peer("in", reader.speaker(), ports, f"{reader.name} reads it", namespace=reader.lives_in)
    for member in dict.fromkeys(each.member for each in closed):
        ports = _numbers(each for each in closed if each.member == member and each.open_to(MEMBERS))
        yield Peer("in", owner.selector(member), ports, "members among themselves")


def _talks(owner: Component, part: str | None) -> Iterator[Peer]:
    """Which endpoints the pods of one workload may reach."""
    inner = [each for each in owner.endpoints if each.open_to(MEMBERS) and each.member in {None, part}]
    for at in dict.fromkeys(each.part for each in inner):
        ports = _numbers(each for each in inner if each.part == at)
        yield Peer("out", owner.selector(at), ports, "members among themselves")
    if part != owner.front:
        return
    if owner.reads:
        for _, member in sorted(owner.scope.members.items()):
            for pods, ports in member.reached_by(owner.reads):
                yield Peer("out", pods, ports, f"reads {member.name}", namespace=member.lives_in)
    for name in owner.uses:
        used = owner.scope.members[name]
        for pods, ports in used.ways():
            yield Peer("out", pods, ports, f"uses {name}", namespace=used.lives_in)
        yield from used.beyond()


def _numbers(endpoints: Iterable[Endpoint]) -> tuple[int, ...]:
    return tuple(number for each in endpoints for number in each.numbers)


def _rule(side: str, peer: Peer) -> Manifest:
    rule: Manifest = {"ports": [{"port": port, "protocol": peer.protocol} for port in peer.ports]} if peer.ports else {}
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
    home = owner.lives_in or owner.environment.namespace
    reader = Peer("in", owner.speaker(), (), "reads metrics", namespace=home, every_port=True)
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
