"""What a stack file may say of the topology of a RabbitMQ, and the items that follow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from components.model.mistakes import nearest
from components.model.settings import ComponentSettings
from components.model.values import said
from components.workloads.administration import DeclaredItems, DeclaredUser, UserName, counted
from topology.api.rabbitmq import (
    BINDING,
    EXCHANGE,
    PERMISSION,
    POLICY,
    QUEUE,
    ROOT,
    USER,
    VHOST,
    binding_name,
    label_of,
)
from topology.api.spec import Item

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_LONGEST = 255
OWN_EXCHANGES = ("amq.direct", "amq.fanout", "amq.headers", "amq.match", "amq.topic")
"""Those that every virtual host has."""

TAKEN_POLICY = "quorum-defaults"
TAKEN_USERS = ("guest", "topology")


def _brief(text: str) -> bool:
    return 0 < len(text.encode()) <= _LONGEST and text.isprintable()


def _ours(text: str) -> bool:
    return not text.startswith("amq.")


Brief = said(_brief, f"is no name of at most {_LONGEST} bytes", "write one without control characters")
BrokerName = Annotated[str, Brief, said(_ours, "begins with amq., as the broker's own do", "give it another name")]
Key = Annotated[str, said(lambda text: len(text.encode()) <= _LONGEST, f"is over {_LONGEST} bytes", "shorten it")]
Arguments = dict[str, str | bool | int | float]


def _user(text: str) -> str:
    if text in TAKEN_USERS:
        raise ValueError(f"the account {text!r} is the broker's or the reconciler's; take another name")
    return text


class Exchange(ComponentSettings):
    """An exchange; to change one of its settings it is made anew."""

    type: Literal["direct", "fanout", "headers", "topic"] = "topic"
    durable: bool = True
    auto_delete: bool = False
    internal: bool = False
    arguments: Arguments = Field(default_factory=dict)


class Queue(ComponentSettings):
    """A queue; to change one of its settings it is made anew. Limits are for policies, which can be changed."""

    type: Literal["quorum", "classic", "stream"] = "quorum"
    durable: bool = True
    auto_delete: bool = False
    arguments: Arguments = Field(default_factory=dict)

    @model_validator(mode="after")
    def _possible(self) -> Queue:
        if self.type != "classic" and not self.durable:
            raise ValueError(f"durable: a {self.type} queue is always durable; leave it out, or take type: classic")
        if self.type != "classic" and self.auto_delete:
            raise ValueError(f"autoDelete: a {self.type} queue never deletes itself; take type: classic")
        if "x-queue-type" in self.arguments:
            raise ValueError("arguments.x-queue-type: the type has a key of its own; write type:")
        return self


class Binding(ComponentSettings):
    """From an exchange to a queue, or to another exchange."""

    source: BrokerName | Literal["amq.direct", "amq.fanout", "amq.headers", "amq.match", "amq.topic"] = Field(
        alias="from", description="exchange"
    )
    queue: BrokerName | None = Field(default=None, description="to which; or `exchange`")
    exchange: str | None = Field(default=None, description="to which; or `queue`")
    key: Key = ""
    arguments: Arguments = Field(default_factory=dict)

    @model_validator(mode="after")
    def _one_end(self) -> Binding:
        if (self.queue is None) == (self.exchange is None):
            raise ValueError("queue: a binding leads to one queue or one exchange; give queue or exchange")
        return self

    @property
    def ends(self) -> tuple[str, str, str]:
        """Exchange, what it leads to, and its name."""
        return (self.source, "queue", self.queue) if self.queue else (self.source, "exchange", str(self.exchange))

    @property
    def name(self) -> str:
        """What makes it another one."""
        return binding_name(*self.ends, self.key, self.arguments)


class Policy(ComponentSettings):
    """Limits of queues or settings of exchanges whose names match; of several, the highest priority counts."""

    pattern: Annotated[str, Field(min_length=1, max_length=_LONGEST)] = Field(description="regular expression of names")
    apply_to: Literal["queues", "exchanges", "all"] = "queues"
    priority: Annotated[int, Field(ge=-(2**31), lt=2**31)] = 1
    definition: Annotated[dict[str, Any], Field(min_length=1)]


class Permission(ComponentSettings):
    """Regular expressions of names; nothing if not given."""

    configure: str = ""
    write: str = ""
    read: str = ""


class VirtualHost(ComponentSettings):
    """What one virtual host holds."""

    exchanges: dict[BrokerName, Exchange] = Field(default_factory=dict)
    queues: dict[BrokerName, Queue] = Field(default_factory=dict)
    bindings: list[Binding] = Field(default_factory=list)
    policies: dict[BrokerName, Policy] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _led_somewhere(self) -> VirtualHost:
        exchanges, seen = (*self.exchanges, *OWN_EXCHANGES), set()
        for index, each in enumerate(self.bindings):
            for key, name, known in (
                ("from", each.source, exchanges),
                ("queue", each.queue, (*self.queues,)),
                ("exchange", each.exchange, exchanges),
            ):
                if name is not None and name not in known:
                    what = "queue" if key == "queue" else "exchange"
                    raise ValueError(f"bindings.{index}.{key}: no {what} {name!r} here; {nearest(name, list(known))}")
            if each.name in seen:
                raise ValueError(f"bindings.{index}: {each.name} is there twice; once is enough")
            seen.add(each.name)
        if TAKEN_POLICY in self.policies:
            raise ValueError(f"policies.{TAKEN_POLICY}: that one is made from deliveryLimit; give it another name")
        return self

    def items(self, vhost: str) -> Iterator[Item]:
        """All of it, as the reconciler takes it."""
        for name, policy in self.policies.items():
            yield item(POLICY, name, vhost, policy.wire())
        for name, exchange in self.exchanges.items():
            yield item(EXCHANGE, name, vhost, exchange.wire())
        for name, queue in self.queues.items():
            yield item(QUEUE, name, vhost, queue.wire())
        for each in self.bindings:
            whole = dict(zip(("from", "to", "target"), each.ends, strict=True))
            yield item(BINDING, each.name, vhost, {**whole, "key": each.key, "arguments": each.arguments})


Tag = Literal["administrator", "impersonator", "management", "monitoring", "policymaker"]


class User(DeclaredUser):
    """An account of somebody who is no service of the stack, and what it may do."""

    tags: list[Tag] = Field(default_factory=list, description="what it may see of the management API")
    permissions: dict[str, Permission] = Field(default_factory=dict, description="by virtual host")


BrokerUser = Annotated[UserName, AfterValidator(_user)]


class RabbitMQTopology(DeclaredItems, VirtualHost):
    """What a broker holds: of the virtual host `/`, unless it is said under `vhosts`."""

    vhosts: dict[Annotated[str, Brief], VirtualHost] = Field(default_factory=dict)
    users: dict[BrokerUser, User] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _whole(self) -> RabbitMQTopology:
        if ROOT in self.vhosts:
            raise ValueError("vhosts: '/' is the one that every broker has; write its parts beside vhosts")
        known = [ROOT, *self.vhosts]
        for name, user in self.users.items():
            for vhost in user.permissions.keys() - set(known):
                raise ValueError(f"users.{name}.permissions: no virtual host {vhost!r} here; {nearest(vhost, known)}")
        counted(self.all_items(), "broker")
        return self

    def all_items(self) -> Iterator[Item]:
        """All of it, as the reconciler takes it."""
        for vhost in self.vhosts:
            yield item(VHOST, vhost, "", {})
        for name, user in self.users.items():
            yield item(USER, name, "", {"tags": sorted(set(user.tags))})
            for vhost, permission in user.permissions.items():
                yield item(PERMISSION, name, vhost, permission.wire())
        yield from self.items(ROOT)
        for vhost, inner in self.vhosts.items():
            yield from inner.items(vhost)


def item(kind: str, name: str, vhost: str, settings: Mapping[str, Any]) -> Item:
    """One, under the label that the reconciler sees it by."""
    return Item(label=label_of(kind, name, vhost or ROOT), kind=kind, name=name, within=vhost, settings=dict(settings))
