"""How a Kafka is administered where its topology is declared: an account, and what the reconciler is given."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.middleware.kafka_settings import COPIES
from components.model.mistakes import nearest
from components.model.topology import key_file
from components.workloads.administration import Administration, account_secret, service_address

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from components.middleware.kafka_settings import KafkaSettings
    from components.model.component import Component
    from components.model.topology import DeclaredTopology

    Owner = Component[KafkaSettings]

SCRAM = "scram.properties"
"""The reconciler's password, as Kafka's own tool takes it."""


def administration(kafka: Owner, recipe: Mapping[str, str]) -> Administration:
    """Its accounts; ``recipe`` is of a Secret whose password Kafka's own tool can read."""
    declared = kafka.settings.topology
    return Administration(kafka, declared, {SCRAM: recipe[SCRAM]}, declared.users if declared else {})


def volumes(kafka: Owner) -> dict[str, Mapping[str, Any]]:
    """With the reconciler's account, for who makes it."""
    if kafka.settings.topology is None:
        return {}
    source = key_file(account_secret(kafka), SCRAM, SCRAM)
    return {"administrator": {"projected": {"defaultMode": 0o440, "sources": [source]}}}


def declared_topology(kafka: Owner, own: Administration, port: int, members: int) -> DeclaredTopology | None:
    """What the reconciler is to make true, and with what."""
    settings = kafka.settings
    address = service_address(kafka, "kafka" if settings.tls is None else "kafkas", port)
    copies = min(COPIES, members)
    items = settings.topology.all_items(settings.partitions, copies) if settings.topology else ()
    return own.declared(address, settings.tls, items)


def check(kafka: Owner, own: Administration, members: int) -> None:
    """There are brokers for each copy, and accounts for each limit.

    Raises:
        ValueError: there are not.
    """
    own.check()
    for problem in _problems(kafka, members):
        raise ValueError(f"topology.{problem}")


def _problems(kafka: Owner, members: int) -> Iterator[str]:
    declared = kafka.settings.topology
    if declared is None:
        return
    for name, topic in declared.topics.items():
        if topic.replication and topic.replication > members:
            said = f"{topic.replication} copies want as many brokers, and there are {members}"
            yield f"topics.{name}.replication: {said}; lower it, or raise members"
    accounts = [*declared.users, *(user.name for user in kafka.scope.users_of(kafka.name))]
    for name in declared.quotas:
        if name not in accounts:
            yield f"quotas.{name}: no account of that name here; {nearest(name, accounts)}"
