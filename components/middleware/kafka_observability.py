"""How a Kafka is watched: what somebody must hear of, and what its dashboard shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.model.observability import AlertRule, Panel, Resource
from components.model.quantities import bytes_of

if TYPE_CHECKING:
    from collections.abc import Iterable

RUNNING = 3
"""Kafka's own number for a broker that serves."""


def alerts(who: str, own: str, members: int) -> Iterable[AlertRule]:
    """Brokers gone, no or two controllers, partitions without leader or copies; ``own`` selects its series."""
    state = f"kafka_server_broker_state{{{own}}}"
    down = f"count({state} == {RUNNING}) < {members} or absent({state} == {RUNNING})"
    yield AlertRule("KafkaBrokerDown", down, f"{who}: fewer than {members} brokers serve", "5m", "critical")
    active = f"kafka_controller_active{{{own}}}"
    leaders = f"sum({active}) != 1 or absent({active})"
    yield AlertRule("KafkaControllerCount", leaders, f"{who}: not one active controller", "1m", "critical")
    offline = f"max(kafka_controller_offline_partitions{{{own}}}) > 0"
    yield AlertRule("KafkaOfflinePartitions", offline, f"{who}: partitions without a leader", "1m", "critical")
    refused = f"sum(kafka_server_under_min_isr_partitions{{{own}}}) > 0"
    yield AlertRule("KafkaUnderMinIsr", refused, f"{who}: too few copies, writes are refused", "1m", "critical")
    behind = f"sum(kafka_server_under_replicated_partitions{{{own}}}) > 0"
    yield AlertRule("KafkaUnderReplicated", behind, f"{who}: copies are behind")
    broken = f"max(kafka_server_offline_log_directories{{{own}}}) > 0"
    yield AlertRule("KafkaLogDirectoryOffline", broken, f"{who}: a volume cannot be written", "1m", "critical")


def usage(who: str, own: str, storage: str, lag: int) -> Iterable[AlertRule]:
    """A volume that fills, consumers that are behind, and nobody who would see that."""
    full = f"max(sum by (pod) (kafka_server_log_bytes{{{own}}})) / {bytes_of(storage)} > 0.7"
    yield AlertRule("KafkaVolumeFull", full, f"{who}: messages fill over 70 % of a volume", "5m", "critical")
    behind = f"sum by (consumergroup, topic) (kafka_consumergroup_lag{{{own}}}) > {lag}"
    yield AlertRule("KafkaConsumerLag", behind, f"{who}: a consumer group is over {lag} messages behind", "10m")
    blind = f"absent(kafka_brokers{{{own}}})"
    yield AlertRule("KafkaLagUnknown", blind, f"{who}: nobody measures how far consumers are behind")


def resources(own: str, storage: str, lag: int) -> Iterable[Resource]:
    """The fullest volume, and the group that is farthest behind."""
    used = f"max(sum by (pod) (kafka_server_log_bytes{{{own}}})) / {bytes_of(storage)}"
    yield Resource("volume", "KafkaVolumeFills", used, "will stop a broker")
    behind = f"max(sum by (consumergroup, topic) (kafka_consumergroup_lag{{{own}}})) / {lag}"
    yield Resource("lag", "KafkaLagGrows", behind, f"will have a consumer group over {lag} messages behind")


def panels(own: str) -> tuple[Panel, ...]:
    """Messages and bytes in and out, lag, copies, time to write, volumes."""
    return (
        Panel("Messages in", f"sum(rate(kafka_server_messagesin_total{{{own}}}[1m]))", "ops"),
        Panel("Bytes in", f"sum(rate(kafka_server_bytesin_total{{{own}}}[1m]))", "Bps"),
        Panel("Bytes out", f"sum(rate(kafka_server_bytesout_total{{{own}}}[1m]))", "Bps"),
        Panel("Consumer lag", f"sum by (consumergroup, topic) (kafka_consumergroup_lag{{{own}}})"),
        Panel("Partitions behind", f"sum(kafka_server_under_replicated_partitions{{{own}}})"),
        Panel("Time to write, 99 %", f"max(kafka_server_produce_p99_milliseconds{{{own}}})", "ms"),
        Panel("On the volume", f"sum by (pod) (kafka_server_log_bytes{{{own}}})", "bytes"),
        Panel("Connections", f"sum by (listener) (kafka_server_connections{{{own}}})"),
    )
