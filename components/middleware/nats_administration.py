"""How a NATS is administered where its topology is declared: a user in each account, and who the reconciler is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.middleware.nats_settings import PORT
from components.model.mistakes import nearest
from components.model.topology import key_file
from components.workloads.administration import ACCOUNT, Administration, service_address

if TYPE_CHECKING:
    from collections.abc import Iterator

    from components.middleware.nats_settings import NatsSettings
    from components.model.component import Component
    from components.model.topology import DeclaredTopology

    Owner = Component[NatsSettings]

COPIES = 3
MAY_ASK = (
    "STREAM.CREATE.*", "STREAM.UPDATE.*", "STREAM.DELETE.*", "STREAM.LIST",
    "CONSUMER.CREATE.>", "CONSUMER.DELETE.*.*", "CONSUMER.LIST.*",
)  # fmt: skip
"""Of JetStream's API: what makes and lists, nothing that reads or writes a message."""


def administration(nats: Owner) -> Administration:
    """Its accounts."""
    return Administration(nats, nats.settings.topology)


def user(account: str = "") -> str:
    """Of the reconciler in an account; empty: the one that services share."""
    return f"{ACCOUNT}-{account}" if account else ACCOUNT


def declared_topology(nats: Owner, own: Administration, members: int) -> DeclaredTopology | None:
    """What the reconciler is to make true, and with what: a file for each account tells it where to look."""
    settings = nats.settings
    address = service_address(nats, "nats" if settings.tls is None else "tls", PORT)
    items = settings.topology.all_items(min(COPIES, members)) if settings.topology else ()
    accounts = [key_file(own.secret, "password", f"accounts/{name}") for name in sorted(settings.accounts)]
    return own.declared(address, settings.tls, items, accounts)


def check(nats: Owner, members: int) -> None:
    """There are members for each copy and accounts for each stream, and no service is called as the reconciler.

    Raises:
        ValueError: there are not, or one is.
    """
    for problem in _problems(nats, members):
        raise ValueError(problem)


def _problems(nats: Owner, members: int) -> Iterator[str]:
    declared, accounts = nats.settings.topology, nats.settings.accounts
    if declared is None:
        return
    for name in declared.accounts:
        if name not in accounts:
            yield f"topology.accounts.{name}: no account of that name here; {nearest(name, list(accounts))}"
    for each in declared.all_items(1):
        copies = each.settings.get("num_replicas", 1)
        if copies > members:
            said = f"{copies} replicas want as many members, and there are {members}"
            yield f"topology: {each.label}: {said}; lower replicas, or raise members"
    taken = {user(), *map(user, accounts)}
    for service in nats.scope.users_of(nats.name):
        if service.name in taken:
            yield f"topology: the service {service.name} has the name of the reconciler's user; rename the service"
