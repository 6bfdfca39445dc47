"""Where a stack is spoken to: ports and who may reach them, names from outside, routes, topics, addresses elsewhere."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from components.manual.adapters import dead_letters_of, plain, routes_of
from components.manual.document import Code, Section, listed, prose, table
from components.model.endpoints import MEMBERS, WHO
from components.releases.service_settings import ServiceSettings
from rollout.api.durations import duration_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from components.manual.document import Block, Cell
    from components.manual.subject import Subject
    from components.model.component import Component
    from components.model.endpoints import Endpoint
    from components.releases.service_settings import Reached


def interfaces(subject: Subject) -> Section:
    """The chapter."""
    return Section("Interfaces", (), tuple(_parts(subject)))


def _parts(subject: Subject) -> Iterator[Section]:
    yield Section("From outside", (_hostnames(subject),))
    yield Section("Ports", (_ports(subject),))
    yield Section("Routes of adapters", (_routes(subject),))
    yield Section("Topics and queues", (*_topology(subject), _rights(subject)))
    yield Section("Systems of others", (_externals(subject),))


def _hostnames(subject: Subject) -> Block:
    head = ("service", "names", "paths", "answers within")
    rows = [
        (
            each.name,
            listed(map(Code, each.hostnames)),
            listed(map(Code, _paths(each.settings.traffic)), "all"),
            _limit(each),
        )
        for each in subject.members.values()
        if isinstance(each.settings, ServiceSettings) and each.settings.traffic is not None
    ]
    return table("What requests from outside reach.", head, rows, "No service is reached from outside.")


def _paths(reached: Reached) -> list[str]:
    found = []
    for match in reached.matches:
        wire = match.wire()
        path = wire.get("path") or {}
        found.append(f"{wire.get('method', '')} {path.get('value', '/')}".strip())
    return found


def _limit(member: Component) -> str:
    seconds = member.answers_within
    if seconds is None:
        return "as the gateway has it"
    return duration_of(seconds) if seconds else "no limit"


def _ports(subject: Subject) -> Block:
    head = ("member", "port", "name", "speaks", "encrypted", "may be reached by")
    rows = [_port(member, each) for member in subject.members.values() for each in member.endpoints]
    return table("Every port, and who may reach it; everything else is closed.", head, rows, "No member has a port.")


def _port(member: Component, each: Endpoint) -> tuple[Cell, ...]:
    number = f"{each.port} to {each.last}" if each.last else f"{each.port}"
    served = f"{number} (Service: {each.served})" if each.served else number
    who = ", ".join(_named(reader, each.member) for reader in each.readers) or "nobody but probes"
    name = f"{each.name} ({each.part})" if each.part else each.name
    spoken = prose(each.about) or (each.app_protocol or "as the application says",)
    return member.name, served, name, spoken, _tls(member), who


def _named(reader: Any, member: str | None) -> str:
    return f"{WHO[reader]} ({member})" if member and reader is MEMBERS else WHO[reader]


def _tls(member: Component) -> str:
    if "tls" not in type(member.settings).model_fields:
        return "not said"
    return "yes" if getattr(member.settings, "tls", None) is not None else "no"


def _routes(subject: Subject) -> Block:
    head = ("adapter", "route", "from", "to", "what fails goes to")
    rows = [
        (
            member.name,
            each.name,
            Code(plain(each.source)),
            listed(Code(plain(uri)) for uri in each.targets),
            _dead(member),
        )
        for member in subject.members.values()
        for each in routes_of(member)
    ]
    return table("What adapters carry.", head, rows, "The stack has no adapter.")


def _dead(member: Component) -> Cell:
    letters = dead_letters_of(member)
    return Code(letters) if letters else "nowhere"


def _topology(subject: Subject) -> Iterator[Block]:
    for name, member in subject.members.items():
        declared = member.topology()
        if declared is None:
            continue
        rows = [(each.label, each.within or "-", Code(_settings(each.settings))) for each in declared.spec.items]
        kept = "what is declared no more is deleted" if declared.spec.prune else "what is declared no more stays"
        yield table(f"Declared in {name}; {kept}.", ("what", "where", "settings"), rows, f"{name} declares nothing.")


_LONGEST = 160


def _settings(settings: dict[str, Any]) -> str:
    text = json.dumps(settings, sort_keys=True, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _rights(subject: Subject) -> Block:
    head = ("broker", "who", "hears", "says")
    rows = [
        (name, user, listed(map(Code, right.read)), listed(map(Code, right.write)))
        for name, member in subject.members.items()
        for user, right in sorted((getattr(member.settings, "topics", None) or {}).items())
        if hasattr(right, "read") and hasattr(right, "write")
    ]
    return table("Who may hear and say what.", head, rows, "No member says who may hear and say what on topics.")


def _externals(subject: Subject) -> Block:
    head = ("system", "what", "address", "networks", "credentials")
    rows = []
    for member in subject.scope.of_kind("external"):
        own: Any = member.settings
        held = f"Secret {own.credentials.secret}" if own.credentials else "none"
        addresses = listed(Code(url) for url in own.addresses.values())
        rows.append((member.name, own.system, addresses, ", ".join(own.networks) or "not said", held))
    return table("What this stack reaches elsewhere.", head, rows, "The stack names no system of others.")
