"""Every kind of component there is; a new one is a module and a line here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.controller import Controller
from components.gateway import Gateway
from components.prometheus import Prometheus
from components.rabbitmq import RabbitMQ
from components.redis import Redis

if TYPE_CHECKING:
    from components.component import Component

KINDS: dict[str, type[Component]] = {
    component.kind: component for component in (Controller, Gateway, Prometheus, RabbitMQ, Redis)
}
