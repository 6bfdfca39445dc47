"""Every kind of component there is; a new one is a module and a line here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.externals.external import External
from components.gateways.contour import Gateway
from components.gateways.envoy_gateway import EnvoyGateway
from components.gateways.kong import Kong
from components.middleware.consul import Consul
from components.middleware.eureka import Eureka
from components.middleware.flink import Flink
from components.middleware.kafka import Kafka
from components.middleware.keycloak import Keycloak
from components.middleware.memcached import Memcached
from components.middleware.mqtt import Mqtt
from components.middleware.nats import Nats
from components.middleware.nifi import Nifi
from components.middleware.rabbitmq import RabbitMQ
from components.middleware.redis import Redis
from components.middleware.topology import Topology
from components.monitoring.alertmanager import Alertmanager
from components.monitoring.blackbox_exporter import BlackboxExporter
from components.monitoring.grafana import Grafana
from components.monitoring.jaeger import Jaeger
from components.monitoring.kube_state_metrics import KubeStateMetrics
from components.monitoring.loki import Loki
from components.monitoring.node_exporter import NodeExporter
from components.monitoring.otel_collector import OtelCollector
from components.monitoring.prometheus import Prometheus
from components.monitoring.victorialogs import VictoriaLogs
from components.releases.camel import Camel
from components.releases.controller import Controller

if TYPE_CHECKING:
    from components.model.component import Component

KINDS: dict[str, type[Component]] = {
    component.kind: component
    for component in (
        Alertmanager,
        BlackboxExporter,
        Camel,
        Consul,
        Controller,
        EnvoyGateway,
        Eureka,
        External,
        Flink,
        Gateway,
        Grafana,
        Jaeger,
        Kafka,
        Keycloak,
        Kong,
        KubeStateMetrics,
        Loki,
        Memcached,
        Mqtt,
        Nats,
        Nifi,
        NodeExporter,
        OtelCollector,
        Prometheus,
        RabbitMQ,
        Redis,
        Topology,
        VictoriaLogs,
    )
}
