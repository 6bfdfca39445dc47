"""NATS by the API of JetStream: two questions see an account, and one more each stream; each step is one request.

A change says the whole of a stream or a consumer: what nothing is declared of stays as it is there.
"""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from topology.api.nats import BUCKET, CONSUMER, OF_BUCKETS, STREAM, label_of, parted, placed
from topology.plan import Found, Kind, Op, Step, always
from topology.systems.nats_wire import Wire, connected
from topology.systems.system import Credentials, UnreachableError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from topology.api.spec import Item

ENCRYPTED = "tls:"


def lower(was: Any, now: Any) -> bool:
    """Whether less is kept; 0 and below are no limit."""
    before, after = was or 0, now or 0
    return after > 0 and (before <= 0 or after < before)


_LOSING = {
    **dict.fromkeys(("max_age", "max_bytes", "max_msgs", "max_msgs_per_subject", "num_replicas"), lower),
    "discard": lambda _was, now: now == "old",
}
KINDS = (
    Kind(STREAM, holds_data=True, contains=True, fixed={"storage": always, "retention": always}, losing=_LOSING),
    Kind(BUCKET, holds_data=True, fixed={"storage": always}, losing=_LOSING),
    Kind(CONSUMER, holds_data=True, fixed={"deliver_policy": always, "ack_policy": always}),
)


@dataclass(slots=True)
class NatsSystem:
    """Accounts of one NATS, each under a user that may ask its JetStream and nothing else."""

    address: str
    credentials: Credentials
    kinds: Sequence[Kind] = KINDS

    def prepared(self, items: Sequence[Item], seen: Mapping[str, Found]) -> list[Item]:  # noqa: ARG002 - of the protocol
        """As they are."""
        return list(items)

    async def observe(self) -> Mapping[str, Found]:
        """All that is there, by label: streams, durable consumers, buckets.

        Raises:
            UnreachableError: it could not be seen whole.
            UnauthorizedError: a user is not taken.
        """
        found: dict[str, Found] = {}
        for account in ("", *self.credentials.named("accounts")):
            async with self._connected(account) as wire:
                try:
                    found |= await _seen(wire, account)
                except (KeyError, TypeError, AttributeError) as error:
                    raise UnreachableError(f"{self.address} answers what no NATS says: {error!r}") from error
        return found

    async def act(self, step: Step) -> bool:
        """Take one step; whether that made an item that was not there.

        Raises:
            StepError: the server said no.
            UnreachableError: nobody answered.
            UnauthorizedError: the user is not taken, or may not do this.
        """
        of = step.item or step.found
        assert of is not None  # noqa: S101 - for the type checker
        account, _ = parted(of.within if of.kind == CONSUMER else of.name)
        async with self._connected(account) as wire:
            if step.op in {Op.DELETE, Op.REPLACE}:
                verb = "CONSUMER.DELETE" if of.kind == CONSUMER else "STREAM.DELETE"
                await wire.write(f"{verb}.{_path(of)}", {}, gone=True)
            if step.item is not None and step.op is not Op.DELETE:
                await wire.write(*_made(step.item, step.op, json.loads(step.found.handle) if step.found else {}))
        return step.op in {Op.CREATE, Op.REPLACE}

    @asynccontextmanager
    async def _connected(self, account: str) -> AsyncIterator[Wire]:
        user, password = self.credentials.text("username"), self.credentials.text("password")
        trust = self.credentials.trust(self.address) if self.address.startswith(ENCRYPTED) else None
        async with connected(self.address, trust, f"{user}-{account}" if account else user, password) as wire:
            yield wire


# ---------------------------------------------------------------------- what a server says


async def _seen(wire: Wire, account: str) -> dict[str, Found]:
    found: dict[str, Found] = {}
    for each in await wire.read("STREAM.LIST", "streams"):
        config = each["config"]
        called = config["name"]
        bucket = called.startswith(OF_BUCKETS)
        kind, name = (BUCKET, called.removeprefix(OF_BUCKETS)) if bucket else (STREAM, called)
        whole = placed(account, name)
        settings = {**config, "subjects": sorted(config.get("subjects") or [])}
        found[label_of(kind, whole)] = Found(kind, settings, whole, handle=json.dumps(config))
        if not bucket:
            found |= await _consumers(wire, called, whole)
    return found


async def _consumers(wire: Wire, stream: str, within: str) -> dict[str, Found]:
    """Those that last; others go by themselves."""
    found = {}
    for each in await wire.read(f"CONSUMER.LIST.{stream}", "consumers"):
        config = each["config"]
        if not config.get("durable_name"):
            continue
        filters = config.get("filter_subjects") or [config.get("filter_subject")]
        settings = {**config, "filter_subjects": sorted(filter(None, filters))}
        name = each["name"]
        found[label_of(CONSUMER, name, within)] = Found(CONSUMER, settings, name, within, json.dumps(config))
    return found


# ---------------------------------------------------------------------- what it is asked


def _path(of: Item | Found) -> str:
    if of.kind == CONSUMER:
        return f"{parted(of.within)[1]}.{of.name}"
    name = parted(of.name)[1]
    return OF_BUCKETS + name if of.kind == BUCKET else name


def _made(item: Item, op: Op, there: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    """The request that makes an item as it is declared; what is only there stays where it is changed."""
    kept = {} if op is Op.REPLACE else _without_its_own(there)
    path = _path(item)
    if item.kind != CONSUMER:
        verb = "UPDATE" if op is Op.CHANGE else "CREATE"
        return f"STREAM.{verb}.{path}", {**kept, **item.settings, "name": path}
    kept = {key: value for key, value in kept.items() if not key.startswith("filter_subject")}
    config = {**kept, **item.settings, "durable_name": item.name, "name": item.name}
    filters = config.pop("filter_subjects", [])
    config |= {"filter_subject": filters[0]} if len(filters) == 1 else {"filter_subjects": filters} if filters else {}
    action = "update" if op is Op.CHANGE else "create"
    return f"CONSUMER.CREATE.{path}", {"stream_name": parted(item.within)[1], "config": config, "action": action}


def _without_its_own(config: Mapping[str, Any]) -> dict[str, Any]:
    """But for the notes that a server makes itself."""
    notes = {key: value for key, value in (config.get("metadata") or {}).items() if not key.startswith("_nats.")}
    return {**config, "metadata": notes}
