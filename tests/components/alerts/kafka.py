from __future__ import annotations

from tests.components.alerts.model import Fault, fills, of, owner, up

MODES = [{}, {"members": 3, "controllers": {"members": 3}}]
COMPONENT = {"members": 3, "storage": "1Gi"}
WELL = dict(
    [
        up("kafka"),
        *(of("kafka", "kafka_server_broker_state", "3+0", pod) for pod in "012"),
        *(of("kafka", "kafka_controller_active", "1+0" if pod == "1" else "0+0", pod) for pod in "012"),
        of("kafka", "kafka_controller_offline_partitions", "0+0"),
        of("kafka", "kafka_server_under_min_isr_partitions", "0+0"),
        of("kafka", "kafka_server_under_replicated_partitions", "0+0"),
        of("kafka", "kafka_server_offline_log_directories", "0+0"),
        of("kafka", "kafka_server_log_bytes", "1000000+100", topic="orders", partition="0"),
        of("kafka", "kafka_server_log_bytes", "1000000+100", topic="orders", partition="1"),
        of("kafka", "kafka_consumergroup_lag", "100+1", "x", consumergroup="billing", topic="orders", partition="0"),
        of("kafka", "kafka_consumergroup_lag", "5000+1", "x", consumergroup="billing", topic="orders", partition="1"),
        of("kafka", "kafka_brokers", "3+0", "x"),
    ]
)
CASES = {
    "KafkaBrokerDown": [
        Fault({"kafka_server_broker_state": None}),
        Fault({'kafka_server_broker_state{namespace="shop",instance_name="kafka",pod="kafka-2"': None}),
        Fault({'kafka_server_broker_state{namespace="shop",instance_name="kafka",pod="kafka-0"': "2+0"}),
    ],
    "KafkaControllerCount": [
        Fault({"kafka_controller_active": None}, owner("kafka")),
        Fault({"kafka_controller_active": "0+0"}),
        Fault({'kafka_controller_active{namespace="shop",instance_name="kafka",pod="kafka-0"': "1+0"}),
    ],
    "KafkaOfflinePartitions": [Fault({"kafka_controller_offline_partitions": "1+0"})],
    "KafkaUnderMinIsr": [Fault({"kafka_server_under_min_isr_partitions": "1+0"})],
    "KafkaUnderReplicated": [Fault({"kafka_server_under_replicated_partitions": "1+0"})],
    "KafkaLogDirectoryOffline": [Fault({"kafka_server_offline_log_directories": "1+0"})],
    "KafkaVolumeFull": [Fault({"kafka_server_log_bytes": "400000000+0"})],
    "KafkaConsumerLag": [
        Fault({"kafka_consumergroup_lag": "6000+1"}, {"consumergroup": "billing", "topic": "orders"}),
    ],
    "KafkaLagUnknown": [Fault({"kafka_brokers": None}, owner("kafka"))],
    "KafkaVolumeFills": [fills("kafka", "volume", {"kafka_server_log_bytes": "268000000+650000"})],
    "KafkaLagGrows": [fills("kafka", "lag", {"kafka_consumergroup_lag": "2500+6"})],
}
