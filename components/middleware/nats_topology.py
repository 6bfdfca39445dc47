"""What a stack file may say of the topology of a NATS, and the items that follow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, model_validator

from components.model.quantities import bytes_of, size_from
from components.model.settings import ComponentSettings
from components.model.values import said, whole
from components.workloads.administration import DeclaredItems, counted
from rollout.api.durations import Seconds
from topology.api.nats import BUCKET, CONSUMER, OF_BUCKETS, STREAM, label_of, placed
from topology.api.spec import Item

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_NO_LIMIT = -1
_WINDOW_S = 120
_BILLION = 10**9
_LONGEST = 255


def _is_subject(text: str) -> bool:
    parts = text.split(".")
    well = all(part and part.isprintable() and not set(part) & set(" \t") for part in parts)
    lone = all(part in {"*", ">"} or not set(part) & {"*", ">"} for part in parts)
    return well and lone and ">" not in parts[:-1] and len(text) <= _LONGEST


Name = Annotated[str, said(whole(r"[A-Za-z0-9_-]+", 64), "is no name of at most 64 letters", "use A-Z a-z 0-9 _ and -")]
StreamName = Annotated[
    Name, said(lambda text: not text.startswith(OF_BUCKETS), "is kept for a bucket", "declare it under buckets")
]
Subject = Annotated[
    str,
    said(_is_subject, "is no subject", "write it like orders.new, orders.* or orders.>"),
    said(lambda text: not text.startswith("$"), "begins with $, as the server's own do", "give it another name"),
]
Size = Annotated[str, size_from("1Ki", "512Mi")]
Count = Annotated[int, Field(ge=1, le=10**15)]
Window = Annotated[Seconds, Field(ge=0.1, le=3650 * 86400)]


def _nanoseconds(seconds: float | None) -> int:
    return round((seconds or 0) * _BILLION)


def _bytes(size: str | None) -> int:
    return bytes_of(size) if size else _NO_LIMIT


def overlap(one: str, other: str) -> bool:
    """Whether a message could be of both subjects."""
    first, second = one.split("."), other.split(".")
    for left, right in zip(first, second, strict=False):
        if ">" in {left, right}:
            return True
        if left != right and "*" not in {left, right}:
            return False
    return len(first) == len(second)


class Kept(ComponentSettings):
    """What streams and buckets have in common: where, how often and how long it is kept."""

    storage: Literal["file", "memory"] = Field(default="file", description="another one is another stream")
    replicas: Literal[1, 3, 5] | None = Field(
        default=None, description="members that keep it; three if not given, or one where there is one"
    )
    max_bytes: Size | None = Field(default=None, description="in all; no limit if not given")
    compression: Literal["none", "s2"] = "none"

    def kept(self, replicas: int) -> dict[str, Any]:
        """In the server's words."""
        shape = {"storage": self.storage, "num_replicas": self.replicas or replicas, "compression": self.compression}
        return {**shape, "max_bytes": _bytes(self.max_bytes)}


class Consumer(ComponentSettings):
    """A place in a stream that the server remembers; programs fetch from it."""

    deliver: Literal["all", "new", "last", "last_per_subject"] = Field(
        default="all", description="where it begins; another one is another consumer"
    )
    ack: Literal["explicit", "all", "none"] = Field(default="explicit", description="likewise")
    ack_wait: Window = Field(default=30.0, description="after which a message is delivered again")
    max_deliver: Annotated[int, Field(ge=1, le=10**6)] | None = Field(
        default=None, description="times that a message is delivered; no limit if not given"
    )
    max_ack_pending: Annotated[int, Field(ge=1, le=10**6)] = 1000
    filters: list[Subject] = Field(default_factory=list, description="subjects; all of the stream if not given")

    def settings(self) -> dict[str, Any]:
        """In the server's words."""
        return {
            "deliver_policy": self.deliver,
            "ack_policy": self.ack,
            "ack_wait": _nanoseconds(self.ack_wait),
            "max_deliver": self.max_deliver or _NO_LIMIT,
            "max_ack_pending": self.max_ack_pending,
            "filter_subjects": sorted(set(self.filters)),
        }


class Stream(Kept):
    """Messages of some subjects, kept until a limit, an acknowledgement or for ever."""

    subjects: Annotated[list[Subject], Field(min_length=1)]
    retention: Literal["limits", "interest", "workqueue"] = Field(
        default="limits", description="when messages go; another one is another stream"
    )
    discard: Literal["old", "new"] = Field(default="old", description="what goes where a limit is reached")
    max_age: Window | None = Field(default=None, description="of a message; no limit if not given")
    max_messages: Count | None = None
    max_messages_per_subject: Count | None = None
    max_message_size: Size | None = None
    duplicate_window: Window | None = Field(
        default=None, description="in which a message with the id of another is dropped; two minutes if not given"
    )
    deny_delete: bool = Field(default=False, description="nobody deletes single messages; stays for ever")
    deny_purge: bool = Field(default=False, description="nobody empties it; stays for ever")
    allow_direct: bool = Field(default=True, description="every member answers for single messages")
    consumers: dict[Name, Consumer] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _possible(self) -> Stream:
        if self.duplicate_window and self.max_age and self.duplicate_window > self.max_age:
            raise ValueError("duplicateWindow: is longer than maxAge; shorten it, or leave it out")
        return self

    def settings(self, replicas: int) -> dict[str, Any]:
        """In the server's words."""
        window = self.duplicate_window or min(_WINDOW_S, self.max_age or _WINDOW_S)
        return {
            **self.kept(replicas),
            "subjects": sorted(set(self.subjects)),
            "retention": self.retention,
            "discard": self.discard,
            "max_age": _nanoseconds(self.max_age),
            "max_msgs": self.max_messages or _NO_LIMIT,
            "max_msgs_per_subject": self.max_messages_per_subject or _NO_LIMIT,
            "max_msg_size": _bytes(self.max_message_size),
            "duplicate_window": _nanoseconds(window),
            "deny_delete": self.deny_delete,
            "deny_purge": self.deny_purge,
            "allow_direct": self.allow_direct,
        }


class Bucket(Kept):
    """Keys and values, kept as NATS's own clients expect."""

    history: Annotated[int, Field(ge=1, le=64)] = Field(default=1, description="values that are kept of a key")
    ttl: Window | None = Field(default=None, description="of a value; no limit if not given")
    max_value_size: Size | None = None

    def settings(self, name: str, replicas: int) -> dict[str, Any]:
        """In the server's words."""
        return {
            **self.kept(replicas),
            "subjects": [f"$KV.{name}.>"],
            "retention": "limits",
            "discard": "new",
            "max_age": _nanoseconds(self.ttl),
            "max_msgs_per_subject": self.history,
            "max_msg_size": _bytes(self.max_value_size),
            "duplicate_window": _nanoseconds(min(_WINDOW_S, self.ttl or _WINDOW_S)),
            "allow_rollup_hdrs": True,
            "deny_delete": True,
            "allow_direct": True,
        }


class AccountTopology(ComponentSettings):
    """What one account holds."""

    streams: dict[StreamName, Stream] = Field(default_factory=dict)
    buckets: dict[Name, Bucket] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _apart(self) -> AccountTopology:
        taken: list[tuple[str, str]] = []
        for name, stream in self.streams.items():
            for index, subject in enumerate(stream.subjects):
                for other, known in taken:
                    if other != name and overlap(subject, known):
                        here = f"streams.{name}.subjects.{index}"
                        raise ValueError(f"{here}: {subject!r} is of {other!r} too ({known}); a subject has one stream")
                taken.append((name, subject))
        return self

    def items(self, account: str, replicas: int) -> Iterator[Item]:
        """All of it, as the reconciler takes it."""
        for name, stream in self.streams.items():
            yield item(STREAM, placed(account, name), "", stream.settings(replicas))
            for consumer, each in stream.consumers.items():
                yield item(CONSUMER, consumer, placed(account, name), each.settings())
        for name, bucket in self.buckets.items():
            yield item(BUCKET, placed(account, name), "", bucket.settings(name, replicas))


class NatsTopology(DeclaredItems, AccountTopology):
    """What a NATS holds: in the account that services share, unless it is said under `accounts`."""

    accounts: dict[Name, AccountTopology] = Field(default_factory=dict, description="of the component's `accounts`")

    @model_validator(mode="after")
    def _whole(self) -> NatsTopology:
        counted(self.all_items(1), "NATS")
        return self

    def all_items(self, replicas: int) -> Iterator[Item]:
        """All of it, as the reconciler takes it; with the replicas of what does not say them."""
        yield from self.items("", replicas)
        for account, inner in self.accounts.items():
            yield from inner.items(account, replicas)


def item(kind: str, name: str, stream: str, settings: Mapping[str, Any]) -> Item:
    """One, under the label that the reconciler sees it by."""
    return Item(label=label_of(kind, name, stream), kind=kind, name=name, within=stream, settings=dict(settings))
