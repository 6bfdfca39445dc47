from __future__ import annotations

from tests.components.alerts.model import Fault, fills, of, owner, up

MODES = [{}, {"tls": {}, "maxDiskUsage": "4Gi"}]
COMPONENT = {"storage": "10Gi"}
WELL = dict(
    [
        up("victorialogs"),
        of("victorialogs", "vl_data_size_bytes", "1000000+1000", type="storage"),
        of("victorialogs", "vl_storage_is_read_only", "0+0"),
        of("victorialogs", "vl_free_disk_space_bytes", "9000000000+0"),
        of("victorialogs", "vl_rows_dropped_total", "3+0", reason="too_small_timestamp"),
        of("victorialogs", "vl_rows_ingested_total", "0+100", type="opentelemetry_protobuf"),
    ]
)
CASES = {
    "VictoriaLogsDown": [
        Fault({'up{namespace="shop",instance_name="victorialogs"': None}, owner("victorialogs")),
        Fault({'up{namespace="shop",instance_name="victorialogs"': "0+0"}),
    ],
    "VictoriaLogsNearLimit": [Fault({"vl_data_size_bytes": "8000000000+0"})],
    "VictoriaLogsVolumeFull": [
        Fault({"vl_storage_is_read_only": "1+0"}),
        Fault({"vl_free_disk_space_bytes": "400000000+0"}),
    ],
    "VictoriaLogsDropsRows": [Fault({"vl_rows_dropped_total": "4+1"})],
    "VictoriaLogsNothingComes": [Fault({"vl_rows_ingested_total": "12000+0"})],
    "VictoriaLogsVolumeFills": [fills("victorialogs", "volume", {"vl_data_size_bytes": "4300000000+10000000"})],
}
