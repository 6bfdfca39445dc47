"""How a NATS is watched: what somebody must hear of, and what its dashboard shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.model.observability import AlertRule, Panel
from components.model.quantities import bytes_of

if TYPE_CHECKING:
    from collections.abc import Iterable


def alerts(who: str, own: str, members: int, storage: str) -> Iterable[AlertRule]:
    """Gone, without a majority, behind, full, or losing its subscribers; ``own`` selects its series."""
    up = f"nats_up{{{own}}}"
    down = f"sum({up}) < {members} or absent({up})"
    yield AlertRule("NatsDown", down, f"{who}: fewer than {members} members answer", "1m", "critical")
    if members > 1:
        leader = f"nats_jetstream_meta_leader_known{{{own}}}"
        headless = f"min({leader}) < 1 or absent({leader})"
        yield AlertRule("NatsNoQuorum", headless, f"{who}: a member knows no leader of JetStream", "1m", "critical")
    behind = f"min(nats_healthy{{{own}}}) < 1"
    yield AlertRule("NatsMemberBehind", behind, f"{who}: a member is behind its streams")
    store = f"nats_jetstream_storage_bytes{{{own}}}"
    full = f"max({store} / nats_jetstream_max_storage_bytes{{{own}}}) > 0.8"
    yield AlertRule("NatsStoreFull", full, f"{who}: streams fill over 80 % of what they may")
    volume = f"max({store}) / {bytes_of(storage)} > 0.76"
    yield AlertRule("NatsVolumeFull", volume, f"{who}: streams fill over 76 % of a volume", "1m", "critical")
    slow = f"sum(increase(nats_slow_consumers_total{{{own}}}[5m])) > 0"
    yield AlertRule("NatsSlowConsumers", slow, f"{who} cuts off subscribers that do not keep up", "1m")
    errors = f"sum(rate(nats_jetstream_api_errors_total{{{own}}}[5m])) > 0.1"
    yield AlertRule("NatsApiErrors", errors, f"{who}: JetStream refuses over six requests a minute")


def panels(own: str) -> tuple[Panel, ...]:
    """Messages in and out, what is kept, connections, memory."""
    store = f"nats_jetstream_storage_bytes{{{own}}}"
    return (
        Panel("Messages in", f"sum(rate(nats_in_messages_total{{{own}}}[1m]))", "ops"),
        Panel("Messages out", f"sum(rate(nats_out_messages_total{{{own}}}[1m]))", "ops"),
        Panel("Messages kept", f"max(nats_jetstream_messages{{{own}}})"),
        Panel("Store", f"{store} / nats_jetstream_max_storage_bytes{{{own}}}", "percentunit"),
        Panel("Connections", f"sum(nats_connections{{{own}}})"),
        Panel("Slow consumers", f"sum(increase(nats_slow_consumers_total{{{own}}}[5m]))"),
        Panel("Refused requests", f"sum(rate(nats_jetstream_api_errors_total{{{own}}}[1m]))", "ops"),
        Panel("Memory", f"nats_memory_bytes{{{own}}}", "bytes"),
    )
