"""What a Kafka holds, as items: topics with their settings, accounts, limits, rights."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

from kafka.protocol.admin import (
    DescribeAclsRequest,
    DescribeClientQuotasRequest,
    DescribeConfigsRequest,
    DescribeUserScramCredentialsRequest,
)
from kafka.protocol.metadata import MetadataRequest

from topology.api.kafka import ACL, LITERAL, PREFIXED, QUOTA, TOPIC, USER, acl_name, label_of
from topology.plan import Found
from topology.systems.kafka_wire import checked

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from topology.systems.kafka_wire import Wire

OF_A_TOPIC, DYNAMIC = 2, 1
"""Kafka's numbers for settings of a topic, and for those that were given to it."""

ANY = 1
ALLOW = 3
RESOURCES = {"topic": 2, "group": 3, "cluster": 4, "transactional-id": 5}
PATTERNS = {LITERAL: 3, PREFIXED: 4}
OPERATIONS = {
    "all": 2, "read": 3, "write": 4, "create": 5, "delete": 6, "alter": 7, "describe": 8, "cluster-action": 9,
    "describe-configs": 10, "alter-configs": 11, "idempotent-write": 12, "create-tokens": 13, "describe-tokens": 14,
    "two-phase-commit": 15,
}  # fmt: skip
QUOTAS = ("producer_byte_rate", "consumer_byte_rate", "request_percentage", "controller_mutation_rate")
THROTTLED = ".replication.throttled.replicas"
"""How settings end that a move of partitions gives to a topic and takes away again."""

PRINCIPAL = "User:"
_OF_ONE_USER = 2
_RESOURCE_NAMES = {number: name for name, number in RESOURCES.items()}
_PATTERN_NAMES = {number: name for name, number in PATTERNS.items()}
_OPERATION_NAMES = {number: name for name, number in OPERATIONS.items()}


async def topics(wire: Wire) -> list[Any]:
    """Those of users, as the brokers tell them."""
    answer = await wire.ask(MetadataRequest(topics=None, allow_auto_topic_creation=False))
    own = [each for each in answer.topics if not each.is_internal and not each.name.startswith("__")]
    return [checked(each, f"topic {each.name}") for each in own]


async def seen(wire: Wire, known: Collection[str]) -> Iterator[tuple[str, Found]]:
    """All of it, by label; ``known`` are users whose password was tried and taken, with a mark of it."""
    there = await topics(wire)
    asked = [DescribeConfigsRequest.DescribeConfigsResource(OF_A_TOPIC, each.name, None) for each in there]
    told = (await wire.ask(DescribeConfigsRequest(resources=asked, include_synonyms=True))).results if asked else []
    configs = {each.resource_name: checked(each, f"topic {each.resource_name}").configs for each in told}
    users = checked(await wire.ask(DescribeUserScramCredentialsRequest(users=[])), "accounts")
    of_users = DescribeClientQuotasRequest.ComponentData("user", _OF_ONE_USER, None)
    quotas = checked(await wire.ask(DescribeClientQuotasRequest(components=[of_users], strict=True)), "quotas")
    rights = checked(await wire.ask(_all_rights()), "ACLs")
    return _items(there, configs, [each.user for each in users.results], quotas.entries or [], rights.resources, known)


def _all_rights() -> Any:
    return DescribeAclsRequest(
        resource_type_filter=ANY,
        resource_name_filter=None,
        pattern_type_filter=ANY,
        principal_filter=None,
        host_filter=None,
        operation=ANY,
        permission_type=ANY,
    )


def _items(
    there: Sequence[Any],
    configs: dict[str, Any],
    users: Sequence[str],
    quotas: Sequence[Any],
    rights: Sequence[Any],
    known: Collection[str],
) -> Iterator[tuple[str, Found]]:
    for each in there:
        yield label_of(TOPIC, each.name), _topic(each, configs[each.name])
    for name in users:
        yield label_of(USER, name), Found(USER, {"password": name if name in known else ""}, name)
    for each in quotas:
        name = each.entity[0].entity_name
        limits = {value.key: value.value for value in each.values if value.key in QUOTAS}
        yield label_of(QUOTA, name), Found(QUOTA, {**dict.fromkeys(QUOTAS), **limits}, name)
    yield from _rights(rights)


def _topic(told: Any, configs: Sequence[Any]) -> Found:
    """In effect; its handle keeps what was given to it, with what is in effect without that."""
    copies = [len(each.replica_nodes) for each in told.partitions]
    shape = {"partitions": len(copies), "replication": min(copies, default=0)}
    usual = {each.name: _usual(each) for each in configs if _given(each)}
    return Found(TOPIC, {**{each.name: each.value for each in configs}, **shape}, told.name, handle=json.dumps(usual))


def _given(config: Any) -> bool:
    return config.config_source == DYNAMIC and not config.name.endswith(THROTTLED)


def _usual(config: Any) -> str | None:
    return next((each.value for each in config.synonyms if each.source != DYNAMIC), None)


def _rights(resources: Sequence[Any]) -> Iterator[tuple[str, Found]]:
    for each in resources:
        kind, pattern = _RESOURCE_NAMES.get(each.resource_type), _PATTERN_NAMES.get(each.pattern_type)
        if kind is None or pattern is None:
            continue
        name = each.resource_name
        if pattern == LITERAL and name.endswith("*") and name != "*":
            continue  # would be called as the prefix is
        may: dict[str, list[str]] = defaultdict(list)
        for acl in each.acls:
            if acl.principal.startswith(PRINCIPAL):
                may[acl.principal.removeprefix(PRINCIPAL)].append(_right(acl))
        for user, operations in may.items():
            whole = {"user": user, "resource": kind, "name": name, "pattern": pattern, "operations": sorted(operations)}
            called = acl_name(user, kind, name, pattern)
            yield label_of(ACL, called), Found(ACL, whole, called)


def _right(acl: Any) -> str:
    """``read``; what no declaration can say has its own words, and so is drift."""
    operation = _OPERATION_NAMES.get(acl.operation, f"operation {acl.operation}")
    told = operation if acl.permission_type == ALLOW else f"no {operation}"
    return told if acl.host == "*" else f"{told} from {acl.host}"


def placed(
    now: Sequence[Sequence[int]], in_step: Sequence[Collection[int]], brokers: Collection[int], copies: int
) -> list[list[int]]:
    """Brokers of each partition for another number of copies: who is in step stays, new ones go where least is.

    Raises:
        ValueError: there are fewer brokers than copies.
    """
    if copies > len(brokers):
        raise ValueError(f"{copies} copies want {copies} brokers, and there are {len(brokers)}")
    load = Counter(dict.fromkeys(brokers, 0))
    load.update(each for replicas in now for each in replicas)
    made = []
    for replicas, well in zip(now, in_step, strict=True):
        order = sorted(replicas, key=lambda each, well=well: each not in well)  # type: ignore[misc]
        kept = order[:copies]
        load.subtract(order[copies:])
        while len(kept) < copies:
            free = min((load[each], each) for each in brokers if each not in kept)[1]
            kept.append(free)
            load[free] += 1
        made.append(kept)
    return made
