from __future__ import annotations

from tests.components.alerts.model import Fault, of, owner, up
from tests.components.model.values import IMAGE

MODES = [{"image": IMAGE}]
COMPONENT = {"image": IMAGE}
WELL = dict(
    [
        up("topology"),
        of("topology", "grayling_topology_items", "0+0", topology="rabbitmq", state="Refused"),
        of("topology", "grayling_topology_seen_timestamp_seconds", "0+60", topology="rabbitmq"),
    ]
)
CASES = {
    "TopologyRefused": [
        Fault({"grayling_topology_items": "1+0"}, {"topology": "rabbitmq", "state": "Refused"}),
    ],
    "TopologyStale": [Fault({"grayling_topology_seen_timestamp_seconds": "0+0"}, {"topology": "rabbitmq"})],
    "TopologyDown": [
        Fault({'up{namespace="shop",instance_name="topology"': None}, owner("topology")),
        Fault({'up{namespace="shop",instance_name="topology"': "0+0"}),
    ],
}
