from __future__ import annotations

from tests.components.alerts.model import Fault, of, owner, up

MODES = [{}, {"tls": {}}]
COMPONENT = {}
COMPACTED = "loki_boltdb_shipper_compact_tables_operation_last_successful_run_timestamp_seconds"
WELL = dict(
    [
        up("loki"),
        of("loki", "loki_request_duration_seconds_count", "0+100", status_code="204"),
        of("loki", "loki_request_duration_seconds_count", "0+1", status_code="500"),
        of("loki", "loki_discarded_samples_total", "3+0"),
        of("loki", COMPACTED, "0+15"),
    ]
)
CASES = {
    "LokiDown": [
        Fault({'up{namespace="shop",instance_name="loki"': None}, owner("loki")),
        Fault({'up{namespace="shop",instance_name="loki"': "0+0"}),
    ],
    "LokiRequestErrors": [
        Fault({of("loki", "loki_request_duration_seconds_count", "", status_code="500")[0]: "120+50"})
    ],
    "LokiDropsLines": [Fault({"loki_discarded_samples_total": "4+1"})],
    "LokiCompactorStopped": [Fault({COMPACTED: "-20000+0"})],
}
