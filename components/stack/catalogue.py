"""Every kind of component there is; a new one is a module and a line here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.gateways.contour import Gateway
from components.middleware.mqtt import Mqtt
from components.middleware.nats import Nats
from components.middleware.rabbitmq import RabbitMQ
from components.middleware.redis import Redis
from components.monitoring.prometheus import Prometheus
from components.releases.controller import Controller

if TYPE_CHECKING:
    from components.model.component import Component

KINDS: dict[str, type[Component]] = {
    component.kind: component
    for component in (
        Controller,
        Gateway,
        Mqtt,
        Nats,
        Prometheus,
        RabbitMQ,
        Redis,
    )
}
