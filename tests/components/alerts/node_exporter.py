from __future__ import annotations

from tests.components.alerts.model import Fault, fills, of, owner, up

MODES = [{}]
COMPONENT = {}
DISK = {"mountpoint": "/", "device": "overlay"}
SIZE, FREE = "node_filesystem_size_bytes", "node_filesystem_avail_bytes"
ALL, LEFT = "node_memory_MemTotal_bytes", "node_memory_MemAvailable_bytes"


def waits(what):
    return f"node_pressure_{what}_waiting_seconds_total"


WELL = dict(
    [
        up("node-exporter"),
        of("node-exporter", SIZE, "1000000+0", **DISK),
        of("node-exporter", FREE, "500000+0", **DISK),
        of("node-exporter", ALL, "1000+0"),
        of("node-exporter", LEFT, "500+0"),
        *(of("node-exporter", waits(what), "0+1") for what in ("memory", "io", "cpu")),
    ]
)
POD = {"pod": "node-exporter-0"}
CASES = {
    "NodeExporterDown": [
        Fault({'up{namespace="shop",instance_name="node-exporter"': None}, owner("node-exporter")),
        Fault({'up{namespace="shop",instance_name="node-exporter"': "0+0"}),
    ],
    "NodeDiskFull": [Fault({FREE: "40000+0"}, {**POD, "mountpoint": "/"})],
    "NodeDiskFills": [fills("node-exporter", "disk", {FREE: "500000-1200"})],
    "NodeMemoryFull": [Fault({LEFT: "70+0"}, POD)],
    "NodePressure": [
        Fault({waits("memory"): "120+5"}, POD),
        Fault({waits("io"): "120+10"}, POD),
        Fault({waits("cpu"): "120+15"}, POD),
    ],
}
