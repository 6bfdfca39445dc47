"""How a RabbitMQ is administered where its topology is declared: a port, accounts, and what the reconciler is given."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from components.middleware.rabbitmq_settings import (
    MANAGEMENT_PORT,
    MANAGEMENT_TLS_PORT,
    user_definitions,
)
from components.model.endpoints import RECONCILERS, Endpoint
from components.model.topology import DeclaredTopology, key_file
from components.workloads.administration import Administration, account_secret, service_address

if TYPE_CHECKING:
    from collections.abc import Mapping

    from components.middleware.rabbitmq_settings import RabbitMQSettings
    from components.model.component import Component

ACCOUNT_FILE = "15-topology.json"
ABOUT = "management API, where `topology` is given"


def port_of(settings: RabbitMQSettings) -> int:
    """Of the management API."""
    return MANAGEMENT_TLS_PORT if settings.tls else MANAGEMENT_PORT


def endpoints(settings: RabbitMQSettings) -> tuple[Endpoint, ...]:
    """The management API, for the reconciler alone."""
    return (Endpoint("management", port_of(settings), RECONCILERS, ABOUT),) if settings.topology else ()


def administration(broker: Component[RabbitMQSettings], url: str) -> Administration:
    """Its accounts; ``url`` is the recipe of a user's."""
    declared = broker.settings.topology
    account = {ACCOUNT_FILE: json.dumps(user_definitions("administrator"))}
    return Administration(broker, declared, account, declared.users if declared else {}, {"url": url})


def definitions(broker: Component[RabbitMQSettings]) -> list[Mapping[str, Any]]:
    """Sources of the broker's definitions: the reconciler's account."""
    return [key_file(account_secret(broker), ACCOUNT_FILE, ACCOUNT_FILE)] if broker.settings.topology else []


def declared_topology(broker: Component[RabbitMQSettings], own: Administration) -> DeclaredTopology | None:
    """What the reconciler is to make true, and with what."""
    declared, tls = broker.settings.topology, broker.settings.tls
    address = service_address(broker, "https" if tls is not None else "http", port_of(broker.settings))
    return own.declared(address, tls, declared.all_items() if declared else ())
