"""What a stack file may say of the topology of a Kafka, and the items that follow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, Field, model_validator

from components.model.mistakes import nearest
from components.model.quantities import bytes_of, size_from
from components.model.settings import ComponentSettings
from components.model.values import said, whole
from components.workloads.administration import DeclaredItems, DeclaredUser, UserName, counted
from topology.api.kafka import ACL, ANY, LITERAL, PREFIXED, QUOTA, TOPIC, USER, acl_name, label_of
from topology.api.spec import Item

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

OWN_ACCOUNTS = ("admin", "broker", "controller", "exporter", "topology")
"""Of Kafka itself, and the reconciler's."""

CONFIGS = (
    "cleanup.policy", "compression.gzip.level", "compression.lz4.level", "compression.type", "compression.zstd.level",
    "delete.retention.ms", "file.delete.delay.ms", "flush.messages", "flush.ms", "index.interval.bytes",
    "local.retention.bytes", "local.retention.ms", "max.compaction.lag.ms", "max.message.bytes",
    "message.timestamp.after.max.ms", "message.timestamp.before.max.ms", "message.timestamp.type",
    "min.cleanable.dirty.ratio", "min.compaction.lag.ms", "min.insync.replicas", "preallocate",
    "remote.log.copy.disable", "remote.log.delete.on.disable", "remote.storage.enable", "retention.bytes",
    "retention.ms", "segment.bytes", "segment.index.bytes", "segment.jitter.ms", "segment.ms",
    "unclean.leader.election.enable",
)  # fmt: skip
"""Settings of a topic that Kafka 4.3 knows, but those that a move of partitions gives and takes."""

_LONGEST = 249
_RESOURCES = {"topic": "topic", "group": "group", "transactional_id": "transactional-id"}
_MAY = {
    "topic": ("all", "read", "write", "create", "delete", "alter", "describe", "describe-configs", "alter-configs"),
    "group": ("all", "read", "delete", "describe", "describe-configs", "alter-configs"),
    "transactional-id": ("all", "write", "describe", "two-phase-commit"),
}


def _not_kafkas(text: str) -> bool:
    return text not in {".", ".."} and not text.startswith("__")


def _config(text: str) -> str:
    if text not in CONFIGS:
        raise ValueError(f"no setting of a topic; {nearest(text, list(CONFIGS))}")
    return text


def _user(text: str) -> str:
    if text in OWN_ACCOUNTS:
        raise ValueError(f"the account {text!r} is of Kafka itself or the reconciler's; take another name")
    return text


TopicName = Annotated[
    str,
    said(whole(r"[A-Za-z0-9._-]+", _LONGEST), "is no name of a topic", "use at most 249 of A-Z a-z 0-9 . _ and -"),
    said(_not_kafkas, "is kept for Kafka itself", "give it another name"),
]
Pattern = Annotated[
    str,
    said(
        lambda text: 0 < len(text) <= _LONGEST and text.isprintable() and ANY not in text[:-1],
        "is no name of at most 249 letters",
        "write a name, the beginning of names with * after it, or * alone",
    ),
]
ConfigName = Annotated[str, AfterValidator(_config)]
KafkaUser = Annotated[UserName, AfterValidator(_user)]
Rate = Annotated[str, size_from("1Ki", "1Mi")]


class Topic(ComponentSettings):
    """A topic; fewer partitions are another topic, more of them let keys go to other partitions than before."""

    partitions: Annotated[int, Field(ge=1, le=10_000)] | None = Field(
        default=None, description="as many as `partitions` of the component if not given"
    )
    replication: Annotated[int, Field(ge=1, le=99)] | None = Field(
        default=None, description="copies of each partition; three if not given, or as many as there are brokers"
    )
    configs: dict[ConfigName, str | bool | int | float] = Field(
        default_factory=dict, description="settings of the topic in Kafka's words, as `retention.ms`"
    )

    def settings(self, partitions: int, replication: int) -> dict[str, Any]:
        """As the reconciler takes it; Kafka keeps every value as a text."""
        shape = {"partitions": self.partitions or partitions, "replication": self.replication or replication}
        return {**{key: _text(value) for key, value in self.configs.items()}, **shape}


def _text(value: str | float) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


class Right(ComponentSettings):
    """What an account may do with topics, consumer groups or transactions of a name."""

    topic: Pattern | None = Field(default=None, description="name; `orders-*`: all that begin so; `*`: all")
    group: Pattern | None = Field(default=None, description="of consumers, likewise")
    transactional_id: Pattern | None = Field(default=None, description="of producers with transactions, likewise")
    operations: Annotated[list[str], Field(min_length=1)] = Field(
        description="`read` and `write` mostly; each includes `describe`"
    )

    @model_validator(mode="after")
    def _one_thing(self) -> Right:
        given = [key for key in _RESOURCES if getattr(self, key) is not None]
        if len(given) != 1:
            raise ValueError("topic: a right is to one thing; give topic, group or transactionalId")
        known = _MAY[self.resource]
        for index, each in enumerate(self.operations):
            if each not in known:
                raise ValueError(f"operations.{index}: {each!r} is nothing to be done with it; {nearest(each, known)}")
        return self

    @property
    def resource(self) -> str:
        """In Kafka's words."""
        return next(word for key, word in _RESOURCES.items() if getattr(self, key) is not None)

    def settings(self, user: str) -> dict[str, Any]:
        """As the reconciler takes it."""
        told = next(found for key in _RESOURCES if (found := getattr(self, key)) is not None)
        prefix = told.endswith(ANY) and told != ANY
        return {
            "user": user,
            "resource": self.resource,
            "name": told[:-1] if prefix else told,
            "pattern": PREFIXED if prefix else LITERAL,
            "operations": sorted(set(self.operations)),
        }


class User(DeclaredUser):
    """An account of somebody who is no service of the stack, and its rights; without any it may nothing."""

    rights: list[Right] = Field(default_factory=list)

    def items(self, name: str) -> Iterator[Item]:
        """The account and its rights, as the reconciler takes them."""
        yield item(USER, name, {})
        for right in self.rights:
            told = right.settings(name)
            yield item(ACL, acl_name(name, told["resource"], told["name"], told["pattern"]), told)


class Quota(ComponentSettings):
    """How much an account may take of each broker before it is slowed down."""

    producer_byte_rate: Rate | None = Field(default=None, description="bytes written in a second, as `1Mi`")
    consumer_byte_rate: Rate | None = Field(default=None, description="bytes read in a second")
    request_percentage: Annotated[float, Field(gt=0, le=100_000)] | None = Field(
        default=None, description="of the time of one thread"
    )
    controller_mutation_rate: Annotated[float, Field(gt=0, le=1_000_000)] | None = Field(
        default=None, description="partitions made or deleted in a second"
    )

    @model_validator(mode="after")
    def _limits_something(self) -> Quota:
        if all(value is None for value in self.settings().values()):
            raise ValueError("producerByteRate: a quota limits something; give at least one limit, or leave it out")
        return self

    def settings(self) -> dict[str, float | None]:
        """As the reconciler takes it."""
        rates = {"producer_byte_rate": self.producer_byte_rate, "consumer_byte_rate": self.consumer_byte_rate}
        sizes = {key: None if rate is None else float(bytes_of(rate)) for key, rate in rates.items()}
        others = ("request_percentage", "controller_mutation_rate")
        return {**sizes, **{key: getattr(self, key) for key in others}}


class KafkaTopology(DeclaredItems):
    """What a Kafka holds."""

    topics: dict[TopicName, Topic] = Field(default_factory=dict)
    users: dict[KafkaUser, User] = Field(default_factory=dict)
    quotas: dict[KafkaUser, Quota] = Field(
        default_factory=dict, description="by account: of a user here, or of a service that uses this"
    )

    @model_validator(mode="after")
    def _whole(self) -> KafkaTopology:
        metrics: dict[str, str] = {}
        for name in self.topics:
            other = metrics.setdefault(name.replace(".", "_"), name)
            if other != name:
                raise ValueError(f"topics.{name}: is {other!r} to its metrics, where . is _; rename it")
        for name, user in self.users.items():
            labels = [each.label for each in user.items(name)]
            for index, label in enumerate(labels[1:]):
                if label in labels[: index + 1]:
                    raise ValueError(f"users.{name}.rights.{index}: {label} is there twice; make them one")
        counted(self.all_items(1, 1), "Kafka")
        return self

    def all_items(self, partitions: int, replication: int) -> Iterator[Item]:
        """All of it, as the reconciler takes it; with what topics have that do not say it."""
        for name, user in self.users.items():
            yield from user.items(name)
        for name, quota in self.quotas.items():
            yield item(QUOTA, name, quota.settings())
        for name, topic in self.topics.items():
            yield item(TOPIC, name, topic.settings(partitions, replication))


def item(kind: str, name: str, settings: Mapping[str, Any]) -> Item:
    """One, under the label that the reconciler sees it by."""
    return Item(label=label_of(kind, name), kind=kind, name=name, settings=dict(settings))
