"""How a RabbitMQ is watched: what somebody must hear of, and what its dashboard shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.model.observability import AlertRule, Panel, Resource
from components.model.quantities import bytes_of

if TYPE_CHECKING:
    from collections.abc import Iterable


BACKLOG = 10_000
"""Messages that wait before somebody is told."""


def resources(own: str, storage: str) -> Iterable[Resource]:
    """Volume and memory up to the alarms that block publishers, and the backlog; ``own`` selects its series."""
    free, least = (f"rabbitmq_disk_space_available_{name}{{{own}}}" for name in ("bytes", "limit_bytes"))
    whole = bytes_of(storage)
    volume = f"max(({whole} - {free}) / ({whole} - {least}))"
    yield Resource("volume", "RabbitMQVolumeFills", volume, "will block its publishers")
    memory = f"max(rabbitmq_process_resident_memory_bytes{{{own}}} / rabbitmq_resident_memory_limit_bytes{{{own}}})"
    yield Resource("memory", "RabbitMQMemoryFills", memory, "will block its publishers")
    waiting = f"sum(rabbitmq_queue_messages_ready{{{own}}}) / {BACKLOG}"
    yield Resource("backlog", "RabbitMQBacklogGrows", waiting, f"will have over {BACKLOG} messages waiting")


def alerts(who: str, own: str, members: int, storage: str) -> Iterable[AlertRule]:
    """Gone, short of memory or disk, without a majority, messages nobody can route; ``own`` selects its series."""
    few = members // 2 + 1
    seen = f"rabbitmq_identity_info{{{own}}}"
    lost = f"count({seen}) < {few} or absent({seen})"
    yield AlertRule("RabbitMQNoMajority", lost, f"{who}: fewer than {few} of {members}", "1m", "critical")
    memory = f"max(rabbitmq_alarms_memory_used_watermark{{{own}}}) > 0"
    yield AlertRule("RabbitMQMemoryAlarm", memory, f"{who} blocks publishers: memory", "1m", "critical")
    disk = f"max(rabbitmq_alarms_free_disk_space_watermark{{{own}}}) > 0"
    yield AlertRule("RabbitMQDiskAlarm", disk, f"{who} blocks publishers: disk", "1m", "critical")
    room = f"min(rabbitmq_disk_space_available_bytes{{{own}}}) / {bytes_of(storage)} < 0.3"
    yield AlertRule("RabbitMQVolumeFull", room, f"{who}: over 70 % of a volume is in use", "5m")
    lost = f"sum(rate(rabbitmq_global_messages_unroutable_dropped_total{{{own}}}[5m])) > 0"
    yield AlertRule("RabbitMQUnroutable", lost, f"{who} drops messages that no queue takes")
    backlog = f"sum(rabbitmq_queue_messages_ready{{{own}}}) > {BACKLOG}"
    yield AlertRule("RabbitMQBacklog", backlog, f"{who}: over 10,000 messages wait", "15m")


def panels(own: str) -> tuple[Panel, ...]:
    """Messages in and out, waiting, connections, memory."""
    return (
        Panel("Published", f"sum(rate(rabbitmq_global_messages_received_total{{{own}}}[1m]))", "ops"),
        Panel("Delivered", f"sum(rate(rabbitmq_global_messages_delivered_total{{{own}}}[1m]))", "ops"),
        Panel("Waiting", f"sum(rabbitmq_queue_messages_ready{{{own}}})"),
        Panel("Connections", f"sum(rabbitmq_connections{{{own}}})"),
        Panel("Memory", f"rabbitmq_process_resident_memory_bytes{{{own}}}", "bytes"),
    )
