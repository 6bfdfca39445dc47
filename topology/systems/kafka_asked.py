"""What a Kafka is asked to do: each is a request or two, and an answer that says no is told in its words."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from typing import TYPE_CHECKING, Any

import kafka.errors
from kafka.protocol.admin import (
    AlterClientQuotasRequest,
    AlterPartitionReassignmentsRequest,
    AlterUserScramCredentialsRequest,
    CreateAclsRequest,
    CreatePartitionsRequest,
    CreateTopicsRequest,
    DeleteAclsRequest,
    DeleteTopicsRequest,
    DescribeAclsRequest,
    IncrementalAlterConfigsRequest,
)
from kafka.protocol.metadata import MetadataRequest

from topology.systems.kafka_seen import (
    ALLOW,
    ANY,
    OF_A_TOPIC,
    OPERATIONS,
    PATTERNS,
    PRINCIPAL,
    QUOTAS,
    RESOURCES,
    placed,
    topics,
)
from topology.systems.kafka_wire import SECONDS, checked
from topology.systems.system import StepError, UnreachableError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from topology.api.spec import Item
    from topology.plan import Found
    from topology.systems.kafka_wire import Wire

SHA_512 = 2
"""Kafka's number for SCRAM-SHA-512."""

_SET, _UNSET = 0, 1
_MILLISECONDS = int(SECONDS * 1000)
_EXISTS = kafka.errors.TopicAlreadyExistsError.errno
_NO_TOPIC = kafka.errors.UnknownTopicOrPartitionError.errno
_NO_USER = 91
_EVERY_SECONDS = 0.2
SHAPE = ("partitions", "replication")


def _fine(answer: Any, what: str, *also: int) -> bool:
    """Whether it was done; False where it says one of ``also``, which say that it is so already."""
    if answer.error_code in also:
        return False
    checked(answer, what, StepError)
    return True


# ---------------------------------------------------------------------- topics


async def new_topic(wire: Wire, item: Item) -> bool:
    """Make a topic; whether it was not there."""
    own = CreateTopicsRequest.CreatableTopic
    configs = [own.CreatableTopicConfig(name, value) for name, value in _configs(item.settings).items() if value]
    told = own(item.name, item.settings["partitions"], item.settings["replication"], [], configs)
    answer = await wire.ask(CreateTopicsRequest(topics=[told], timeout_ms=_MILLISECONDS, validate_only=False))
    return _fine(answer.topics[0], item.label, _EXISTS)


async def no_topic(wire: Wire, name: str) -> None:
    """Delete a topic, and wait until its name is free."""
    told = DeleteTopicsRequest.DeleteTopicState(name=name)
    answer = await wire.ask(DeleteTopicsRequest(topics=[told], topic_names=[name], timeout_ms=_MILLISECONDS))
    _fine(answer.responses[0], name, _NO_TOPIC)
    until = time.monotonic() + SECONDS
    while any(each.name == name for each in await topics(wire)):
        if time.monotonic() > until:
            raise UnreachableError(f"topic {name} is still there after {SECONDS:.0f} s")
        await asyncio.sleep(_EVERY_SECONDS)


async def change_topic(wire: Wire, item: Item, found: Found) -> None:
    """More partitions, another number of copies, other settings: what differs."""
    changed = {key: value for key, value in item.settings.items() if found.settings.get(key) != value}
    if "partitions" in changed:
        grown = CreatePartitionsRequest.CreatePartitionsTopic(item.name, item.settings["partitions"], None)
        answer = await wire.ask(CreatePartitionsRequest(topics=[grown], timeout_ms=_MILLISECONDS, validate_only=False))
        _fine(answer.results[0], item.label)
    if "replication" in changed:
        await _copies(wire, item)
    if other := _configs(changed):
        await _configure(wire, item, other, json.loads(found.handle))


async def _copies(wire: Wire, item: Item) -> None:
    """Kafka copies first, and takes the old ones away then."""
    there = [each for each in await topics(wire) if each.name == item.name]
    if not there:
        return
    told = sorted(there[0].partitions, key=lambda each: each.partition_index)
    try:
        places = placed(
            [each.replica_nodes for each in told],
            [each.isr_nodes for each in told],
            await _brokers(wire),
            item.settings["replication"],
        )
    except ValueError as error:
        raise StepError(str(error)) from error
    own = AlterPartitionReassignmentsRequest.ReassignableTopic
    moves = [own.ReassignablePartition(each.partition_index, to) for each, to in zip(told, places, strict=True)]
    answer = checked(
        await wire.ask(AlterPartitionReassignmentsRequest(timeout_ms=_MILLISECONDS, topics=[own(item.name, moves)])),
        item.label,
        StepError,
    )
    for each in answer.responses:
        for partition in each.partitions:
            _fine(partition, item.label)


async def _brokers(wire: Wire) -> list[int]:
    return [each.node_id for each in (await wire.ask(MetadataRequest(topics=[]))).brokers]


async def _configure(wire: Wire, item: Item, changed: Mapping[str, str | None], usual: Mapping[str, Any]) -> None:
    """What is as usual is not said of a topic: it would stay when the usual changes."""
    own = IncrementalAlterConfigsRequest.AlterConfigsResource
    lines = [
        own.AlterableConfig(name, _UNSET if _as_usual(name, value, usual) else _SET, value)
        for name, value in changed.items()
    ]
    told = own(OF_A_TOPIC, item.name, lines)
    answer = await wire.ask(IncrementalAlterConfigsRequest(resources=[told], validate_only=False))
    _fine(answer.responses[0], item.label)


def _as_usual(name: str, value: str | None, usual: Mapping[str, Any]) -> bool:
    return value is None or (name in usual and usual[name] == value)


def _configs(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in settings.items() if key not in SHAPE}


# ---------------------------------------------------------------------- accounts, limits, rights


async def user(wire: Wire, name: str, salt: bytes, password: str, iterations: int) -> None:
    """Give an account this password; it is sent as a hash."""
    hashed = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, iterations)
    given = AlterUserScramCredentialsRequest.ScramCredentialUpsertion(name, SHA_512, iterations, salt, hashed)
    answer = await wire.ask(AlterUserScramCredentialsRequest(deletions=[], upsertions=[given]))
    _fine(answer.results[0], f"user {name}")


async def no_user(wire: Wire, name: str) -> None:
    """Take an account away."""
    taken = AlterUserScramCredentialsRequest.ScramCredentialDeletion(name, SHA_512)
    answer = await wire.ask(AlterUserScramCredentialsRequest(deletions=[taken], upsertions=[]))
    _fine(answer.results[0], f"user {name}", _NO_USER)


async def quota(wire: Wire, name: str, limits: Mapping[str, float | None]) -> None:
    """Limits of an account; None: none."""
    own = AlterClientQuotasRequest.EntryData
    told = [own.OpData(key, limits.get(key) or 0.0, limits.get(key) is None) for key in QUOTAS]
    entry = own([own.EntityData("user", name)], told)
    answer = await wire.ask(AlterClientQuotasRequest(entries=[entry], validate_only=False))
    _fine(answer.entries[0], f"quota {name}")


async def rights(wire: Wire, told: Mapping[str, Any], found: Found | None) -> None:
    """What an account may do with one resource, and nothing else."""
    there = found.settings["operations"] if found else []
    missing = [each for each in told["operations"] if each not in there]
    if missing:
        new = [CreateAclsRequest.AclCreation(*_resource(told), "*", OPERATIONS[each], ALLOW) for each in missing]
        for answer in (await wire.ask(CreateAclsRequest(creations=new))).results:
            _fine(answer, "ACL")
    if any(each not in told["operations"] for each in there):
        await no_rights(wire, told, told["operations"])


async def no_rights(wire: Wire, told: Mapping[str, Any], but: Sequence[str] = ()) -> None:
    """Take rights to one resource away, but for some."""
    kept, described = {OPERATIONS[each] for each in but}, await _acls(wire, told)
    filters = [
        DeleteAclsRequest.DeleteAclsFilter(*_resource(told), each.host, each.operation, each.permission_type)
        for each in described
        if each.host != "*" or each.permission_type != ALLOW or each.operation not in kept
    ]
    if filters:
        for answer in (await wire.ask(DeleteAclsRequest(filters=filters))).filter_results:
            _fine(answer, "ACL")


async def _acls(wire: Wire, told: Mapping[str, Any]) -> list[Any]:
    kind, name, pattern, principal = _resource(told)
    answer = await wire.ask(
        DescribeAclsRequest(
            resource_type_filter=kind,
            resource_name_filter=name,
            pattern_type_filter=pattern,
            principal_filter=principal,
            host_filter=None,
            operation=ANY,
            permission_type=ANY,
        )
    )
    return [acl for each in checked(answer, "ACLs", StepError).resources for acl in each.acls]


def _resource(told: Mapping[str, Any]) -> tuple[int, str, int, str]:
    return RESOURCES[told["resource"]], told["name"], PATTERNS[told["pattern"]], f"{PRINCIPAL}{told['user']}"
