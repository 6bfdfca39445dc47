"""Who sends what to whom: the members of a stack and the ways between them, as far as the declarations say it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from components.manual.adapters import ends_of
from components.model.endpoints import GATEWAYS, SCRAPERS, USERS
from components.releases.service_settings import ServiceSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from components.manual.subject import Subject
    from components.model.component import Component


class Role(StrEnum):
    """What a box of the picture is."""

    OUTSIDE = "outside"
    GATEWAY = "gateway"
    SERVICE = "service"
    SYSTEM = "system"
    EXTERNAL = "external"
    OPERATIONS = "operations"


@dataclass(frozen=True, slots=True)
class Node:
    """One box: a member, or somebody outside; ``note`` says how many pods, or what it is for."""

    name: str
    kind: str
    role: Role
    note: str = ""


@dataclass(frozen=True, slots=True)
class Edge:
    """What goes from ``source`` to ``target``."""

    source: str
    target: str
    label: str = ""


@dataclass(frozen=True, slots=True)
class Flow:
    """The whole: the ways of data, and beside them those who watch and steer."""

    stack: str
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]

    def part(self, *, operations: bool) -> Flow:
        """One of the two halves; ways between them are told in notes."""
        nodes = tuple(each for each in self.nodes if (each.role is Role.OPERATIONS) is operations)
        names = {each.name for each in nodes}
        return Flow(self.stack, nodes, tuple(each for each in self.edges if {each.source, each.target} <= names))

    @property
    def told(self) -> str:
        """The picture in words, for those who do not see it."""
        ways = "; ".join(
            f"{each.source} to {each.target}{f' ({each.label})' if each.label else ''}" for each in self.edges
        )
        return f"{len(self.nodes)} boxes. {ways or 'Nothing goes from one to another'}."


CLIENTS, ANOTHER = "requests", "gateway of others"


def flow_of(subject: Subject) -> Flow:
    """The landscape of a stack."""
    nodes = [_node(subject, member) for member in subject.members.values()]
    known = {each.name for each in nodes}
    edges = [edge for member in subject.members.values() for edge in _uses(subject, member)]
    edges += _told(subject)
    for node, edge in _outside(subject):
        if node.name not in known:
            nodes.append(node)
            known.add(node.name)
        edges.append(edge)
    return Flow(subject.platform.stack, tuple(nodes), tuple(dict.fromkeys(edges)))


def role_of(member: Component) -> Role:
    """By what it does for others."""
    if member.kind == "external":
        return Role.EXTERNAL
    if member.reads & GATEWAYS:
        return Role.GATEWAY
    if isinstance(member.settings, ServiceSettings):
        return Role.SERVICE
    if member.reads or member.room in {"monitoring", "release"}:
        return Role.OPERATIONS
    return Role.SYSTEM


def _node(subject: Subject, member: Component) -> Node:
    role = role_of(member)
    found = [_pods(subject, member.name)]
    if role is Role.EXTERNAL:
        found = [f"of {getattr(member.settings, 'owner', '')}"]
    elif role is Role.OPERATIONS:
        read = sum(each.open_to(member.reads & SCRAPERS) for one in subject.members.values() for each in one.endpoints)
        used = len(subject.users[member.name])
        found += [f"reads {read}"] if member.reads & SCRAPERS and read else []
        found += [f"used by {used}"] if used else []
    system = getattr(member.settings, "system", "")
    return Node(
        member.name, f"{member.kind}: {system}" if system else member.kind, role, ", ".join(filter(None, found))
    )


def _pods(subject: Subject, name: str) -> str:
    count = sum(subject.pods.get(name, {}).values())
    return f"{count} pod{'' if count == 1 else 's'}" if count else ""


def _uses(subject: Subject, member: Component) -> Iterator[Edge]:
    """To what it uses; with adapters and topics, in the direction that the data goes.

    Who stands in for a system of others is no way of data: it is that system.
    """
    for name in () if member.leads_on else member.uses:
        used = subject.members.get(name)
        if used is None:
            continue
        heard, said = ends_of(member, used)
        if heard:
            yield Edge(name, member.name, _short(heard))
        if said or not heard:
            yield Edge(member.name, name, _short(said) or _port(used))


def _port(used: Component) -> str:
    """What is spoken there: the first port that users reach."""
    found = [each.name for each in used.endpoints if each.open_to(USERS)]
    if used.kind == "external":
        return str(getattr(used.settings, "url", "")).partition("://")[0]
    return found[0] if found else "http" if used.section == "services" else ""


_LONGEST = 20


def _short(topics: list[str]) -> str:
    if not topics:
        return ""
    first = topics[0] if len(topics[0]) <= _LONGEST else f"{topics[0][: _LONGEST - 1]}…"
    return first if len(topics) == 1 else f"{first} +{len(topics) - 1}"


def _told(subject: Subject) -> Iterator[Edge]:
    """Alerts, which go from each Prometheus to each Alertmanager."""
    for prometheus in subject.scope.of_kind("prometheus"):
        for alertmanager in subject.scope.of_kind("alertmanager"):
            yield Edge(prometheus.name, alertmanager.name, "alerts")


def _outside(subject: Subject) -> Iterator[tuple[Node, Edge]]:
    """Whoever sends requests, and brokers of others that topics are exchanged with."""
    clients = Node(CLIENTS, "from outside", Role.OUTSIDE)
    routed = [each for each in subject.members.values() if getattr(each.settings, "traffic", None) is not None]
    gateways = subject.scope.gateways()
    for gateway in gateways if routed else ():
        yield clients, Edge(CLIENTS, gateway.name, "HTTP")
    for member in routed:
        if gateways:
            yield clients, Edge(gateways[0].name, member.name, "HTTP")
        else:
            other = Node(ANOTHER, subject.platform.environment.gateway.class_name, Role.OUTSIDE)
            yield other, Edge(ANOTHER, member.name, "HTTP")
    for member in subject.members.values():
        bridges = getattr(member.settings, "bridges", None)
        for name, bridge in bridges.items() if isinstance(bridges, dict) else ():
            ways = {topic.direction for topic in bridge.topics}
            other = Node(name, "broker of others", Role.OUTSIDE)
            if ways & {"out", "both"}:
                yield other, Edge(member.name, name, "bridge")
            if ways & {"in", "both"}:
                yield other, Edge(name, member.name, "bridge")
