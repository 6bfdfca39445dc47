"""Routes of adapters, jobs of a Flink, rights on topics: what is heard from a system, and what is said to it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from components.middleware.flink_settings import FlinkSettings
from components.middleware.flink_sql import topics
from components.releases.camel_settings import CamelSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from components.model.component import Component

_KINDS = {
    "kafka": "kafka",
    "spring-rabbitmq": "rabbitmq",
    "nats": "nats",
    "paho": "mqtt",
    "paho-mqtt5": "mqtt",
}
"""Schemes of Camel's endpoints, and the kinds of component that they lead to."""

_SENDS = ("to", "toD", "wireTap")
_CREDENTIALS = re.compile(r"//[^/?#@]*@")


@dataclass(frozen=True, slots=True)
class Route:
    """One route of an adapter: where its messages come from, and where they go."""

    name: str
    source: str
    targets: tuple[str, ...]


def routes_of(member: Component) -> list[Route]:
    """All routes that a member declares, in their order; none where it is no adapter."""
    settings = member.settings
    if not isinstance(settings, CamelSettings):
        return []
    return [made for name, entries in sorted(settings.routes.items()) for made in _of_file(name, entries)]


def dead_letters_of(member: Component) -> str:
    """Where an adapter puts what it cannot carry on; empty where it is none."""
    settings = member.settings
    return plain(settings.dead_letters.to) if isinstance(settings, CamelSettings) else ""


def ends_of(member: Component, used: Component) -> tuple[list[str], list[str]]:
    """What ``member`` hears from ``used``, and what it says to it; both empty where nothing is declared."""
    rights = getattr(used.settings, "topics", None)
    own = rights.get(member.name) if isinstance(rights, dict) else None
    if own is not None and hasattr(own, "read") and hasattr(own, "write"):
        return list(own.read), list(own.write)
    if isinstance(member.settings, FlinkSettings):
        return _of_jobs(member.settings)
    found = routes_of(member)
    heard = [_topic(each.source) for each in found if _leads_to(each.source, used.kind)]
    said = [_topic(uri) for each in found for uri in each.targets if _leads_to(uri, used.kind)]
    letters = dead_letters_of(member)
    if _leads_to(letters, used.kind):
        said.append(_topic(letters))
    return list(dict.fromkeys(heard)), list(dict.fromkeys(said))


def _of_jobs(settings: FlinkSettings) -> tuple[list[str], list[str]]:
    """A Flink uses one Kafka, and no other system."""
    found = [topics(job.sql) for job in settings.jobs.values()]
    heard, said = ([topic for each in found for topic in each[way]] for way in (0, 1))
    return list(dict.fromkeys(heard)), list(dict.fromkeys(said))


def plain(uri: str) -> str:
    """An endpoint without its parameters, which may hold anything."""
    scheme, _, rest = uri.partition(":")
    shown = _CREDENTIALS.sub("//", rest.partition("?")[0])
    queue = _topic(uri)
    return f"{scheme}:{queue if scheme == 'spring-rabbitmq' else shown}"


def _of_file(name: str, entries: list[dict[str, Any]]) -> Iterator[Route]:
    for index, entry in enumerate(entries):
        route = entry.get("route") or {"from": entry.get("from")}
        begin = route.get("from")
        if isinstance(begin, dict) and isinstance(begin.get("uri"), str):
            called = str(route.get("id") or (name if len(entries) == 1 else f"{name}.{index}"))
            source = _with_parameters(begin)
            yield Route(called, source, tuple(dict.fromkeys(_sent(begin.get("steps")))))


def _sent(steps: object) -> Iterator[str]:
    if isinstance(steps, list):
        for each in steps:
            yield from _sent(each)
    elif isinstance(steps, dict):
        for key, value in steps.items():
            if key in _SENDS and isinstance(value, str):
                yield value
            elif key in _SENDS and isinstance(value, dict) and isinstance(value.get("uri"), str):
                yield _with_parameters(value)
            else:
                yield from _sent(value)


def _with_parameters(node: dict[str, Any]) -> str:
    """Camel takes the parameters of an endpoint in its URI, or beside it."""
    beside = node.get("parameters")
    found = "&".join(f"{key}={value}" for key, value in beside.items()) if isinstance(beside, dict) else ""
    uri = str(node["uri"])
    return f"{uri}{'&' if '?' in uri else '?'}{found}" if found else uri


def _leads_to(uri: str, kind: str) -> bool:
    return _KINDS.get(uri.partition(":")[0]) == kind


def _topic(uri: str) -> str:
    """The topic or queue that an endpoint names."""
    rest = uri.partition(":")[2]
    path, _, query = rest.partition("?")
    asked = parse_qs(query)
    queue = (asked.get("queues") or asked.get("routingKey") or [""])[0]
    return queue if uri.startswith("spring-rabbitmq:") and queue else path.lstrip("/")
