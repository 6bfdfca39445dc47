from __future__ import annotations

from tests.components.alerts.model import Fault, fills, of, owner, up

BRIDGE = {
    "address": "mqtt.example.com:8883",
    "secret": "headquarters",
    "topics": [{"pattern": "plant/#", "direction": "out"}],
    "egress": {"cidr": "203.0.113.0/24", "ports": [8883], "why": "headquarters"},
}
MODES = [{}, {"bridges": {"headquarters": BRIDGE}}]
COMPONENT = {"storage": "1Gi", "bridges": {"headquarters": BRIDGE}}
WELL = dict(
    [
        up("mqtt"),
        of("mqtt", "mqtt_up", "1+0"),
        of("mqtt", "mqtt_messages_dropped_total", "7+0"),
        of("mqtt", "mqtt_heap_bytes", "100000+0"),
        of("mqtt", "mqtt_stored_bytes", "1000+100"),
        of("mqtt", "mqtt_bridge_connected", "1+0", bridge="headquarters"),
    ]
)
CASES = {
    "MqttDown": [Fault({"mqtt_up": "0+0"}), Fault({"mqtt_up": None}, owner("mqtt"))],
    "MqttDropsMessages": [Fault({"mqtt_messages_dropped_total": "8+1"})],
    "MqttMemoryHigh": [Fault({"mqtt_heap_bytes": "45000000+0"})],
    "MqttVolumeFull": [Fault({"mqtt_stored_bytes": "400000000+0"})],
    "MqttBridgeDown": [
        Fault({"mqtt_bridge_connected": "0+0"}, {"bridge": "headquarters"}),
        Fault({"mqtt_bridge_connected": None}, owner("mqtt")),
    ],
    "MqttMemoryFills": [fills("mqtt", "memory", {"mqtt_heap_bytes": "25000000+60000"})],
    "MqttVolumeFills": [fills("mqtt", "volume", {"mqtt_stored_bytes": "268000000+650000"})],
}
