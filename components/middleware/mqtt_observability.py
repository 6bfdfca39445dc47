"""How an MQTT broker is watched: what somebody must hear of, and what its dashboard shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.model.observability import AlertRule, Panel

if TYPE_CHECKING:
    from collections.abc import Iterable


def alerts(who: str, own: str, limit: int, volume: int, *, bridged: bool) -> Iterable[AlertRule]:
    """Gone, dropping messages, full, or cut off from another; ``own`` selects its series, limits are in bytes."""
    up = f"mqtt_up{{{own}}}"
    yield AlertRule("MqttDown", f"max({up}) < 1 or absent({up})", f"{who} does not answer", "1m", "critical")
    dropped = f"sum(increase(mqtt_messages_dropped_total{{{own}}}[5m])) > 0"
    yield AlertRule("MqttDropsMessages", dropped, f"{who} drops messages of clients that do not fetch them", "1m")
    heap = f"max(mqtt_heap_bytes{{{own}}}) / {limit} > 0.8"
    yield AlertRule("MqttMemoryHigh", heap, f"{who} uses over 80 % of its memory", "5m", "critical")
    stored = f"max(mqtt_stored_bytes{{{own}}}) / {volume} > 0.35"
    yield AlertRule("MqttVolumeFull", stored, f"{who}: messages fill over 35 % of the volume, twice that while saving")
    if bridged:
        cut = f"min(mqtt_bridge_connected{{{own}}}) by (bridge) < 1 or absent(mqtt_bridge_connected{{{own}}})"
        yield AlertRule("MqttBridgeDown", cut, f"{who}: a bridge is not connected", "2m", "critical")


def panels(own: str, *, bridged: bool) -> tuple[Panel, ...]:
    """Messages in and out, what is kept or dropped, clients, memory, bridges."""
    bridges = (Panel("Bridges", f"mqtt_bridge_connected{{{own}}}"),) if bridged else ()
    return (
        Panel("Published", f"sum(rate(mqtt_publish_received_total{{{own}}}[1m]))", "ops"),
        Panel("Delivered", f"sum(rate(mqtt_publish_sent_total{{{own}}}[1m]))", "ops"),
        Panel("Kept", f"max(mqtt_stored_messages{{{own}}})"),
        Panel("Dropped", f"sum(increase(mqtt_messages_dropped_total{{{own}}}[5m]))"),
        Panel("Clients", f"sum(mqtt_clients_connected{{{own}}})"),
        Panel("Memory", f"mqtt_heap_bytes{{{own}}}", "bytes"),
        *bridges,
    )
