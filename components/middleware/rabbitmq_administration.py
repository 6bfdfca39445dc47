"""How a RabbitMQ is administered where its topology is declared: a port, accounts, and what the reconciler is given."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from components.middleware.rabbitmq_settings import (
    MANAGEMENT_PORT,
    MANAGEMENT_TLS_PORT,
    user_definitions,
)
from components.model.credentials import generated_secret
from components.model.endpoints import RECONCILERS, Endpoint
from components.model.topology import DeclaredTopology, key_file
from components.workloads.encryption import secret_of
from topology.api.spec import TopologySpec

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from components.middleware.rabbitmq_settings import RabbitMQSettings
    from components.middleware.rabbitmq_topology import RabbitMQTopology
    from components.model.component import Component
    from kube.kinds import Manifest

ACCOUNT = "topology"
ACCOUNT_FILE = "15-topology.json"
ABOUT = "management API, where `topology` is given"


def port_of(settings: RabbitMQSettings) -> int:
    """Of the management API."""
    return MANAGEMENT_TLS_PORT if settings.tls else MANAGEMENT_PORT


def endpoints(settings: RabbitMQSettings) -> tuple[Endpoint, ...]:
    """The management API, for the reconciler alone."""
    return (Endpoint("management", port_of(settings), RECONCILERS, ABOUT),) if settings.topology else ()


def account_secret(broker: Component) -> str:
    """Name of the Secret with the reconciler's account."""
    return f"{broker.name}-topology-auth"


def _user_secret(broker: Component, user: str, given: str | None) -> str:
    return given or f"{broker.name}-user-{user}"


def _own_users(broker: Component, declared: RabbitMQTopology) -> Iterator[str]:
    return (_user_secret(broker, name, None) for name, user in declared.users.items() if user.secret is None)


def secrets(broker: Component[RabbitMQSettings], url: str) -> Iterable[Manifest]:
    """Accounts: the reconciler's, and those of declared users, with the recipe of their URL."""
    declared = broker.settings.topology
    if declared is None:
        return
    definitions = json.dumps(user_definitions("administrator"))
    yield generated_secret(
        account_secret(broker), {"username": ACCOUNT, "password": "{random:32}", ACCOUNT_FILE: definitions}
    )
    for name, user in declared.users.items():
        if user.secret is None:
            recipe = {"username": name, "password": "{random:32}", "url": url}
            yield generated_secret(_user_secret(broker, name, None), recipe)


def made(broker: Component[RabbitMQSettings]) -> dict[str, Collection[str]]:
    """Secrets that come with it, and their keys."""
    declared = broker.settings.topology
    if declared is None:
        return {}
    users = dict.fromkeys(_own_users(broker, declared), ("username", "password", "url"))
    return {account_secret(broker): ("username", "password", ACCOUNT_FILE), **users}


def needed(broker: Component[RabbitMQSettings]) -> dict[str, tuple[str, Collection[str]]]:
    """Secrets of declared users that somebody else keeps."""
    declared = broker.settings.topology
    users = declared.users.items() if declared else ()
    return {f"topology.users.{name}.secret": (user.secret, ("password",)) for name, user in users if user.secret}


def definitions(broker: Component[RabbitMQSettings]) -> list[Mapping[str, Any]]:
    """Sources of the broker's definitions: the reconciler's account."""
    return [key_file(account_secret(broker), ACCOUNT_FILE, ACCOUNT_FILE)] if broker.settings.topology else []


def check(broker: Component[RabbitMQSettings]) -> None:
    """Declared users are nobody's whom the stack knows already.

    Raises:
        ValueError: one is a service's.
    """
    services = {user.name for user in broker.scope.users_of(broker.name)}
    for name in sorted(services & set(broker.settings.topology.users if broker.settings.topology else ())):
        raise ValueError(f"topology.users.{name}: is the account of the service {name}; take another name")


def declared_topology(broker: Component[RabbitMQSettings]) -> DeclaredTopology | None:
    """What the reconciler is to make true, and with what."""
    declared, tls = broker.settings.topology, broker.settings.tls
    if declared is None:
        return None
    own = account_secret(broker)
    files = [key_file(own, "username", "username"), key_file(own, "password", "password")]
    files += [
        key_file(_user_secret(broker, name, user.secret), "password", f"users/{name}")
        for name, user in declared.users.items()
    ]
    if tls is not None:
        files.append(key_file(secret_of(broker, tls), "ca.crt", "ca.crt"))
    address = f"{broker.name}.{broker.environment.namespace}.svc:{port_of(broker.settings)}"
    spec = TopologySpec(
        system=broker.kind,
        address=f"{'https' if tls is not None else 'http'}://{address}",
        prune=declared.prune,
        allow=sorted(set(declared.allow)),
        items=list(declared.all_items()),
    )
    return DeclaredTopology(spec, files)
