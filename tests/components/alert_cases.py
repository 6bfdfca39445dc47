"""The series of an environment in which all is well, and what a fault makes of them: one case for each alert."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.components.conftest import read
from tests.components.model.values import IMAGE

if TYPE_CHECKING:
    from components.model.component import Component
    from components.model.observability import AlertRule

WELL, FAULTY = 120, 120  # samples, one each quarter of a minute


def platform():
    """Every kind, with all that has alerts, and a service of each sort."""
    signals = [
        {"name": "errors", "kind": "errors", "source": "pods"},
        {"name": "latency", "kind": "latency", "source": "pods", "threshold": "500ms"},
        {"name": "crashes", "kind": "crashes", "source": "kubernetes"},
    ]
    return read(
        components={
            "gateway": {},
            "redis": {"mode": "replication", "storage": "1Gi"},
            "rabbitmq": {"storage": "1Gi"},
            "prometheus": {"storage": "2Gi", "alertmanager": "alertmanager.monitoring.svc:9093"},
            "controller": {"image": IMAGE},
            "external": {"url": "https://erp.example.com/api", "owner": "sap-team"},
        },
        services={"shop": {"image": IMAGE, "traffic": {}, "analysis": {"signals": signals}}},
    )


def of(name, metric, values, pod="0", **labels):
    """One series of a component's pod."""
    every = {"namespace": "shop", "instance_name": name, "pod": f"{name}-{pod}", **labels}
    return metric + "{" + ",".join(f'{key}="{value}"' for key, value in every.items()) + "}", values


@dataclass(frozen=True)
class Fault:
    """From the middle of the hour on, series that begin with ``where`` go this way; None: they end.

    Values are ``start+step`` for counters. ``labels`` are those the alert has besides the rule's own.
    """

    where: dict[str, str | None]
    labels: dict[str, str] = field(default_factory=dict)


WELL_SERIES = dict(
    [
        *(of(name, "up", "1+0", component="") for name in ("redis", "rabbitmq", "prometheus", "controller", "shop")),
        of("external", "up", "1+0", component="prober"),
        of("external", "external_up", "1+0", endpoint="main"),
        of("external", "external_latency_seconds", "0.2+0", endpoint="main"),
        of("external", "external_certificate_expires_timestamp_seconds", "5000000+0", endpoint="main"),
        of("gateway", "up", "1+0", component="contour"),
        of("gateway", "up", "1+0", "1", component="envoy"),
        ('up{job="mainframe",instance="mq:9157"}', "1+0"),
        of("gateway", "envoy_server_live", "1+0"),
        of("gateway", "envoy_cluster_manager_cds_control_plane_connected_state", "1+0"),
        of("gateway", "envoy_cluster_upstream_rq", "0+100", envoy_response_code="200"),
        of("gateway", "envoy_cluster_upstream_rq", "0+1", envoy_response_code="503"),
        *(of("redis", "redis_up", "1+0", pod) for pod in "01"),
        of("redis", "redis_aof_current_size_bytes", "1000+1000"),
        of("redis", "redis_memory_used_bytes", "1000+0"),
        of("redis", "redis_memory_max_bytes", "100000+0"),
        of("redis", "redis_rejected_connections_total", "7+0"),
        of("redis", "redis_connected_slaves", "1+0"),
        of("redis", "redis_connected_slaves", "0+0", "1"),
        of("rabbitmq", "rabbitmq_identity_info", "1+0"),
        of("rabbitmq", "rabbitmq_alarms_memory_used_watermark", "0+0"),
        of("rabbitmq", "rabbitmq_alarms_free_disk_space_watermark", "0+0"),
        of("rabbitmq", "rabbitmq_disk_space_available_bytes", "900000000+0"),
        of("rabbitmq", "rabbitmq_global_messages_unroutable_dropped_total", "3+0"),
        of("rabbitmq", "rabbitmq_queue_messages_ready", "100+10"),
        of("prometheus", "prometheus_rule_evaluation_failures_total", "2+0"),
        of("prometheus", "prometheus_notifications_errors_total", "2+0"),
        of("prometheus", "prometheus_notifications_alertmanagers_discovered", "1+0"),
        # Older versions have no more than this of what the volume holds.
        of("prometheus", "prometheus_tsdb_storage_blocks_bytes", "1000000+1000"),
        of("shop", "http_requests_total", "0+100", code="200"),
        of("shop", "http_request_duration_seconds_bucket", "0+100", le="0.1"),
        of("shop", "http_request_duration_seconds_bucket", "0+100", le="1"),
        of("shop", "http_request_duration_seconds_bucket", "0+100", le="+Inf"),
        of("shop", "process_start_time_seconds", "1000+0"),
    ]
)


def owner(name, **more):
    """Labels of an alert about something that is gone."""
    return {"namespace": "shop", "instance_name": name, **more}


def one(name, **more):
    """Labels of an alert about one pod."""
    return owner(name, pod=f"{name}-0", **more)


# Each alert with its faults; where one can come in two ways, both.
CASES: dict[str, list[Fault]] = {
    "GatewayDown": [
        Fault({"envoy_server_live": None}, owner("gateway")),
        Fault({"envoy_server_live": "0+0"}),
    ],
    "GatewayControlPlaneDown": [
        Fault(
            {'up{namespace="shop",instance_name="gateway",pod="gateway-0"': None}, owner("gateway", component="contour")
        ),
        Fault({'up{namespace="shop",instance_name="gateway",pod="gateway-0"': "0+0"}),
    ],
    "GatewayWithoutControlPlane": [Fault({"envoy_cluster_manager_cds_control_plane_connected_state": "0+0"})],
    "GatewayErrors": [Fault({of("gateway", "envoy_cluster_upstream_rq", "", envoy_response_code="503")[0]: "9+30"})],
    "RedisDown": [
        Fault({"redis_up": None}, owner("redis")),
        Fault({'redis_up{namespace="shop",instance_name="redis",pod="redis-1"': None}),
        Fault({'redis_up{namespace="shop",instance_name="redis",pod="redis-0"': "0+0"}),
    ],
    "RedisVolumeFull": [Fault({"redis_aof_current_size_bytes": "900000000+0"})],
    "RedisMemoryHigh": [Fault({"redis_memory_used_bytes": "95000+0"}, one("redis"))],
    "RedisRejectsConnections": [Fault({"redis_rejected_connections_total": "8+1"}, one("redis"))],
    "RedisReplicaMissing": [
        Fault({"redis_connected_slaves": None}, owner("redis")),
        Fault({"redis_connected_slaves": "0+0"}),
    ],
    "RabbitMQNoMajority": [Fault({"rabbitmq_identity_info": None}, owner("rabbitmq"))],
    "RabbitMQMemoryAlarm": [Fault({"rabbitmq_alarms_memory_used_watermark": "1+0"})],
    "RabbitMQDiskAlarm": [Fault({"rabbitmq_alarms_free_disk_space_watermark": "1+0"})],
    "RabbitMQVolumeFull": [Fault({"rabbitmq_disk_space_available_bytes": "200000000+0"})],
    "RabbitMQUnroutable": [Fault({"rabbitmq_global_messages_unroutable_dropped_total": "4+1"})],
    "RabbitMQBacklog": [Fault({"rabbitmq_queue_messages_ready": "10001+1"})],
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
    "EngineDown": [
        Fault({'up{namespace="shop",instance_name="controller"': None}, owner("controller")),
        Fault({'up{namespace="shop",instance_name="controller"': "0+0"}),
    ],
    "ExternalDown": [
        Fault({"external_up": "0+0"}, one("external", endpoint="main")),
        Fault({"external_up": None}, owner("external")),
    ],
    "ExternalSlow": [Fault({"external_latency_seconds": "3+0"}, one("external", endpoint="main"))],
    "ExternalCertificateExpires": [Fault({"external_certificate_expires_timestamp_seconds": "1500000+0"})],
    "ShopDown": [
        Fault({'up{namespace="shop",instance_name="shop"': None}, owner("shop")),
        Fault({'up{namespace="shop",instance_name="shop"': "0+0"}),
    ],
    "ShopErrors": [
        Fault({'http_requests_total{namespace="shop",instance_name="shop",pod="shop-0",code="500"': "0+10"})
    ],
    "ShopLatency": [Fault({of("shop", "http_request_duration_seconds_bucket", "", le="0.1")[0]: "12000+0"})],
    "ShopCrashes": [Fault({"process_start_time_seconds": "1000+15"})],
}


def series(fault):
    """All series of an hour with this fault in its second half, or of a quiet one (None)."""
    where = {} if fault is None else fault.where
    begun = [start for start in where if not any(each.startswith(start) for each in WELL_SERIES)]
    made = [(each, _values(each, well, where)) for each, well in WELL_SERIES.items()]
    return [*made, *((f"{start}}}", f"_x{WELL} {where[start]}x{FAULTY}") for start in begun)]


def _values(name, well, where):
    start = next((each for each in where if name.startswith(each)), None)
    if start is None:
        return f"{well}x{WELL + FAULTY}"
    return f"{well}x{WELL} stale" if where[start] is None else f"{well}x{WELL} {where[start]}x{FAULTY}"


def alerts(found) -> dict[str, tuple[Component, AlertRule]]:
    """Alerts by name, with the component that yields them."""
    return {alert.name: (member, alert) for member in found.components for alert in member.alerts()}
