"""Kafka by the protocol of its clients: five questions see all of it, each step is one request or a few.

Passwords cannot be read back, so each declared account is tried: what counts is whether a login is taken. Whether an
account, a limit or a right is new no answer says; it is what was not there in the look before.
"""

from __future__ import annotations

import asyncio
import json
import os
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from topology.api.kafka import ACL, QUOTA, TOPIC, USER
from topology.plan import Found, Kind, Op, Step, always
from topology.systems import kafka_asked as asked
from topology.systems.kafka_seen import QUOTAS, seen
from topology.systems.kafka_wire import Wire, connected
from topology.systems.system import UnauthorizedError, UnreachableError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from topology.api.spec import Item
    from topology.systems.system import Credentials

ENCRYPTED = "kafkas:"
ITERATIONS = 8192
_SALT = 24
_AT_ONCE = 4
"""Accounts that are tried at the same time."""


def lower(was: Any, now: Any) -> bool:
    """Whether less is kept; -1 and -2 are no limit. What is no number is less, for nobody knows."""
    try:
        before, after = float(was), float(now)
    except (TypeError, ValueError):
        return True
    return after >= 0 and (before < 0 or after < before)


KINDS = (
    Kind(USER),
    Kind(QUOTA),
    Kind(
        TOPIC,
        holds_data=True,
        fixed={"partitions": lower},
        losing={
            "replication": lower,
            "min.insync.replicas": lower,
            "retention.ms": lower,
            "retention.bytes": lower,
            "local.retention.ms": lower,
            "local.retention.bytes": lower,
            "delete.retention.ms": lower,
            "cleanup.policy": always,
            "unclean.leader.election.enable": lambda _was, now: now != "false",
            "remote.log.delete.on.disable": lambda _was, now: now != "false",
        },
    ),
    Kind(ACL),
)


@dataclass(slots=True)
class KafkaSystem:
    """A cluster, under an account that may administer it and reads no message."""

    address: str
    credentials: Credentials
    kinds: Sequence[Kind] = KINDS

    def prepared(self, items: Sequence[Item], seen: Mapping[str, Found]) -> list[Item]:
        """With marks of passwords, and with the usual value of what a topic was given and is not declared.

        Raises:
            UnauthorizedError: there is no password for a declared user.
        """
        return [self._prepared(each, seen.get(each.label)) for each in items]

    def _prepared(self, item: Item, found: Found | None) -> Item:
        if item.kind == USER:
            self.credentials.text(f"users/{item.name}")
            return item.model_copy(update={"settings": {"password": item.name}})
        if item.kind == TOPIC and found is not None:
            return item.model_copy(update={"settings": {**json.loads(found.handle), **item.settings}})
        return item

    async def observe(self) -> Mapping[str, Found]:
        """All that is there, by label.

        Raises:
            UnreachableError: it could not be seen whole.
            UnauthorizedError: the account is not taken, or may not see it.
        """
        known = await self._taken()
        async with self._connected() as wire:
            try:
                return dict(await seen(wire, known))
            except (KeyError, TypeError, AttributeError, IndexError) as error:
                raise UnreachableError(f"{self.address} answers what no Kafka says: {error!r}") from error

    async def _taken(self) -> set[str]:
        """Declared users whose password is the one that the cluster has."""
        places = asyncio.Semaphore(_AT_ONCE)

        async def tried(user: str) -> str:
            password = self.credentials.text(f"users/{user}")
            async with places:
                try:
                    async with self._as(user, password):
                        return user
                except UnauthorizedError:
                    return ""

        return {*await asyncio.gather(*map(tried, self.credentials.named("users")))} - {""}

    async def act(self, step: Step) -> bool:
        """Take one step; whether that made an item that was not there.

        Raises:
            StepError: the cluster said no.
            UnreachableError: nobody answered.
            UnauthorizedError: the account is not taken, or may not do this.
        """
        async with self._connected() as wire:
            if step.op is Op.DELETE:
                assert step.found is not None  # noqa: S101 - for the type checker
                await _gone(wire, step.found)
                return False
            assert step.item is not None  # noqa: S101 - for the type checker
            if step.item.kind == TOPIC:
                return await _topic(wire, step, step.item)
            if step.item.kind == USER:
                password = self.credentials.text(f"users/{step.item.name}")
                await asked.user(wire, step.item.name, os.urandom(_SALT), password, ITERATIONS)
            elif step.item.kind == QUOTA:
                await asked.quota(wire, step.item.name, step.item.settings)
            else:
                await asked.rights(wire, step.item.settings, step.found)
        return step.op is Op.CREATE

    def _connected(self) -> Any:
        return self._as(self.credentials.text("username"), self.credentials.text("password"))

    @asynccontextmanager
    async def _as(self, user: str, password: str) -> AsyncIterator[Wire]:
        trust = self.credentials.trust(self.address) if self.address.startswith(ENCRYPTED) else None
        async with connected(self.address, trust, user, password) as wire:
            yield wire


async def _topic(wire: Wire, step: Step, item: Item) -> bool:
    if step.op is Op.CHANGE:
        assert step.found is not None  # noqa: S101 - for the type checker
        await asked.change_topic(wire, item, step.found)
        return False
    if step.op is Op.REPLACE:
        await asked.no_topic(wire, item.name)
    return await asked.new_topic(wire, item)


async def _gone(wire: Wire, found: Found) -> None:
    if found.kind == TOPIC:
        await asked.no_topic(wire, found.name)
    elif found.kind == USER:
        await asked.no_user(wire, found.name)
    elif found.kind == QUOTA:
        await asked.quota(wire, found.name, dict.fromkeys(QUOTAS))
    else:
        await asked.no_rights(wire, found.settings)
