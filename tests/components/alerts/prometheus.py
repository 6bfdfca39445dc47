from __future__ import annotations

from tests.components.alerts.model import Fault, fills, of, one, owner, up

MODES = [{}, {"storage": None}, {"storage": "2Gi"}, {"alertmanager": "am.mon.svc:9093"}]
# `existing` yields a part of these; tests/components/monitoring/test_prometheus_operator.py has it.
COMPONENT = {"storage": "2Gi", "alertmanager": "alertmanager.monitoring.svc:9093"}
WELL = dict(
    [
        up("prometheus"),
        ('up{job="mainframe",instance="mq:9157"}', "1+0"),
        of("prometheus", "prometheus_rule_evaluation_failures_total", "2+0"),
        of("prometheus", "prometheus_notifications_errors_total", "2+0"),
        of("prometheus", "prometheus_notifications_alertmanagers_discovered", "1+0"),
        # Older versions have no more than this of what the volume holds.
        of("prometheus", "prometheus_tsdb_storage_blocks_bytes", "1000000+1000"),
    ]
)
CASES = {
    "PrometheusDown": [
        Fault({'up{namespace="shop",instance_name="prometheus"': None}, owner("prometheus")),
        Fault({'up{namespace="shop",instance_name="prometheus"': "0+0"}),
    ],
    "PrometheusRuleFailures": [Fault({"prometheus_rule_evaluation_failures_total": "3+1"}, one("prometheus"))],
    "PrometheusAlertsLost": [
        Fault({"prometheus_notifications_errors_total": "3+1"}, one("prometheus")),
        Fault({"prometheus_notifications_alertmanagers_discovered": "0+0"}),
    ],
    "PrometheusVolumeFull": [Fault({"prometheus_tsdb_storage_blocks_bytes": "2100000000+0"})],
    "TargetDown": [
        Fault({'up{namespace="shop",instance_name="rabbitmq"': "0+0"}, owner("rabbitmq")),
        Fault({'up{job="mainframe"': "0+0"}, {"job": "mainframe"}),
    ],
    "PrometheusVolumeFills": [
        fills("prometheus", "volume", {"prometheus_tsdb_storage_blocks_bytes": "850000000+2000000"})
    ],
}
