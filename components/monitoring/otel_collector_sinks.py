"""Where a collector of a stack sends to: its exporters, and what is wrong with the names that are given for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from components.model.mistakes import nearest
from components.model.pods import SecretKey
from components.model.values import host_and_port
from components.monitoring.otel_collector_pipelines import exporter
from components.monitoring.otel_collector_settings import SIEM
from components.monitoring.otlp_sink import TakesTelemetry
from components.workloads.encryption import TRUSTED

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from components.model.component import Component
    from components.monitoring.otel_collector_settings import OtelCollectorSettings, Siem
    from components.monitoring.otlp_sink import Sink

SIEM_CA = "/etc/grayling/siem"


class Exporter(NamedTuple):
    """One of them: its name in the file, what is said of it there, and the variable with its login."""

    exporter: str
    settings: Mapping[str, Any]
    variable: str = ""
    login: SecretKey | None = None


def named(own: OtelCollectorSettings) -> Iterator[tuple[str, str, str]]:
    """``(key, name, what it has to take)`` for each sink that is named, the same one as often as it is."""
    for key, name, what in (("gateway", own.gateway, ""), ("traces", own.traces, "traces"), ("logs", own.logs, "logs")):
        if name:
            yield key, name, what
    for index, rule in enumerate(own.retention):
        for at, name in enumerate(rule.to):
            if name != SIEM:
                yield f"retention.{index}.to.{at}", name, "logs"


def sinks_of(own: OtelCollectorSettings) -> list[str]:
    """Names of the components that it sends to, each once."""
    return list(dict.fromkeys(name for _, name, _ in named(own)))


def exporters(owner: Component[OtelCollectorSettings], room: int) -> dict[str, Exporter]:
    """By the sink's name; ``room`` bytes on disk are shared by their queues."""
    own = owner.settings
    names = [name for name in sinks_of(own) if name in owner.scope.members]
    share = room // max(1, len(names) + (own.siem is not None))
    found = {}
    for index, name in enumerate(names):
        member = owner.scope.members[name]
        if isinstance(member, TakesTelemetry):
            found[name] = _of(name, member.sink(owner.name), f"SINK_{index}", share)
    if own.siem:
        found[SIEM] = _siem(own.siem, share)
    return found


def _of(name: str, sink: Sink, variable: str, room: int) -> Exporter:
    tls: dict[str, Any] = {"ca_file": f"{TRUSTED}/{name}/ca.crt", "min_version": "1.3"}
    headers = dict(sink.headers)
    if sink.authorization:
        headers["authorization"] = f"${{env:{variable}}}"
    if sink.protocol == "grpc":
        said = exporter(
            name,
            endpoint=sink.address,
            headers=headers,
            tls=tls if sink.encrypted else {"insecure": True},
            queue_bytes=room,
        )
        return Exporter(f"otlp_grpc/{name}", said, variable, sink.authorization)
    more = {"tls": tls} if sink.encrypted else {}
    said = exporter(name, logs_endpoint=sink.address, headers=headers, queue_bytes=room, **more)
    return Exporter(f"otlp_http/{name}", said, variable, sink.authorization)


def _siem(siem: Siem, room: int) -> Exporter:
    trusted = {"ca_file": f"{SIEM_CA}/ca.crt"} if siem.ca_secret else {}
    tls = {**trusted, "min_version": "1.2"}
    if siem.syslog:
        host, port = host_and_port(siem.syslog)
        way = {"endpoint": host, "port": port, "network": "tcp", "protocol": "rfc5424", "enable_octet_counting": True}
        return Exporter(f"syslog/{SIEM}", exporter(SIEM, **way, tls=tls, queue_bytes=room))
    headers = {"headers": {"authorization": "${env:SIEM_AUTHORIZATION}"}} if siem.token_secret else {}
    more = {"tls": tls} if (siem.http or "").startswith("https") else {}
    said = exporter(SIEM, logs_endpoint=siem.http, encoding="json", queue_bytes=room, **headers, **more)
    login = SecretKey(siem.token_secret, "authorization") if siem.token_secret else None
    return Exporter(f"otlp_http/{SIEM}", said, "SIEM_AUTHORIZATION", login)


def wrong_sinks(owner: Component[OtelCollectorSettings]) -> str:
    """What is wrong with the first name that is; empty where nothing is."""
    own = owner.settings
    for key, name, what in named(own):
        if said := _wrong(owner, name, what):
            return f"{key}: {name!r} {said}"
    for index, rule in enumerate(own.retention):
        for name in rule.to:
            member = owner.scope.members.get(name)
            kept = member.sink(owner.name).days if isinstance(member, TakesTelemetry) else 0
            if kept and kept != rule.days:
                fix = f"set retention: {rule.days}d there, or days: {kept} here, or name another store"
                return f"retention.{index}.days: {rule.days}, and {name} keeps its lines {kept} days; {fix}"
    return ""


def _wrong(owner: Component[OtelCollectorSettings], name: str, what: str) -> str:
    members = owner.scope.members
    if name not in members:
        return f"is no component of this stack; {nearest(name, sorted(members))}"
    if name == owner.name:
        return "is the collector itself; name another component"
    member = members[name]
    if not isinstance(member, TakesTelemetry):
        return (
            f"is a {member.kind}, which takes no telemetry; name a victorialogs, a loki, a jaeger or an otel-collector"
        )
    if what and what not in member.sink(owner.name).takes:
        return f"is a {member.kind}, which keeps no {what}; name a component that does"
    if not what and member.kind != owner.kind:
        return f"is a {member.kind}; give it as logs, or name an otel-collector"
    return ""
