from __future__ import annotations

from tests.components.alerts.model import Fault, fills, of, owner, up

MODES = [{}, {"storage": "1Gi"}]
COMPONENT = {"storage": "1Gi"}
WELL = dict(
    [
        up("rabbitmq"),
        of("rabbitmq", "rabbitmq_identity_info", "1+0"),
        of("rabbitmq", "rabbitmq_alarms_memory_used_watermark", "0+0"),
        of("rabbitmq", "rabbitmq_alarms_free_disk_space_watermark", "0+0"),
        of("rabbitmq", "rabbitmq_disk_space_available_bytes", "900000000+0"),
        of("rabbitmq", "rabbitmq_global_messages_unroutable_dropped_total", "3+0"),
        of("rabbitmq", "rabbitmq_queue_messages_ready", "100+10"),
        of("rabbitmq", "rabbitmq_disk_space_available_limit_bytes", "200000000+0"),
        of("rabbitmq", "rabbitmq_process_resident_memory_bytes", "100000000+0"),
        of("rabbitmq", "rabbitmq_resident_memory_limit_bytes", "1000000000+0"),
    ]
)
CASES = {
    "RabbitMQNoMajority": [Fault({"rabbitmq_identity_info": None}, owner("rabbitmq"))],
    "RabbitMQMemoryAlarm": [Fault({"rabbitmq_alarms_memory_used_watermark": "1+0"})],
    "RabbitMQDiskAlarm": [Fault({"rabbitmq_alarms_free_disk_space_watermark": "1+0"})],
    "RabbitMQVolumeFull": [Fault({"rabbitmq_disk_space_available_bytes": "200000000+0"})],
    "RabbitMQUnroutable": [Fault({"rabbitmq_global_messages_unroutable_dropped_total": "4+1"})],
    "RabbitMQBacklog": [Fault({"rabbitmq_queue_messages_ready": "10001+1"})],
    "RabbitMQVolumeFills": [fills("rabbitmq", "volume", {"rabbitmq_disk_space_available_bytes": "600000000-1000000"})],
    "RabbitMQMemoryFills": [
        fills("rabbitmq", "memory", {"rabbitmq_process_resident_memory_bytes": "500000000+1200000"})
    ],
    "RabbitMQBacklogGrows": [fills("rabbitmq", "backlog", {"rabbitmq_queue_messages_ready": "5000+12"})],
}
