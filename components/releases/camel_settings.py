"""What a stack file may say of an adapter: a service, and the routes that it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import yaml
from pydantic import Field, field_validator, model_validator

from components.model.mistakes import nearest, shown
from components.model.quantities import megabytes, size_from
from components.model.settings import ComponentSettings
from components.model.values import Label
from components.releases.service_settings import FileText, Probes, ServiceSettings
from components.workloads.companions import OwnCheck
from components.workloads.extra_config import Line

if TYPE_CHECKING:
    from collections.abc import Iterator

ENTRIES = ("beans", "from", "rest", "restConfiguration", "route", "routeTemplate", "templatedRoute")
"""What a file of routes may have at its top; error handlers are the adapter's own."""

HANDLERS = ("errorHandler", "routeConfiguration", "onException", "errorRegistry")
FORGETS = ("log", "mock", "stub", "seda", "direct", "timer", "micrometer")
"""Schemes that keep nothing."""

OURS = ("camel.main.", "camel.server.", "camel.management.", "camel.metrics.", "camel.health.")


class DeadLetters(ComponentSettings):
    """Where messages go that cannot be carried on."""

    to: Annotated[str, Field(min_length=3, max_length=1000)] = Field(
        description="a Camel endpoint that keeps them: `kafka:orders.dead`, `spring-rabbitmq:default?routingKey=dead`"
    )
    retries: Annotated[int, Field(ge=0, le=100)] = Field(default=3, description="before it is given up")
    delay_ms: Annotated[int, Field(ge=0, le=600_000)] = Field(default=1000, description="between two tries")
    max_bytes: Annotated[str, size_from("1Ki", "1Gi")] = Field(
        default="1000Ki",
        description="of a request that is kept; a larger one is answered with 413",
    )

    @field_validator("to")
    @classmethod
    def _keeps_them(cls, uri: str) -> str:
        scheme, colon, rest = uri.partition(":")
        if not colon or not rest or not scheme:
            raise ValueError("is no endpoint; write SCHEME:REST, for example kafka:orders.dead")
        if scheme in FORGETS:
            raise ValueError(
                f"{scheme} keeps nothing, and a dead letter would be lost; name a topic, a queue or a file"
            )
        _check_queue("", uri)
        return uri


class Duplicates(ComponentSettings):
    """How a message is known that came before; all pods remember it together, in a topic."""

    topic: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,249}$")] = Field(
        description="of the Kafka that it uses: what came, read again at each start; with one partition and a retention"
    )
    routes: Annotated[dict[str, Line], Field(min_length=1, max_length=32)] = Field(
        description="by route, what tells its messages apart: `${header.Idempotency-Key}`"
    )
    remembered: Annotated[int, Field(ge=100, le=1_000_000)] = Field(default=10_000, description="by a pod, in memory")


class CamelSettings(ServiceSettings):
    """Settings of an adapter: those of a service, and its routes."""

    routes: Annotated[dict[Label, list[dict[str, Any]]], Field(min_length=1, max_length=32)] = Field(
        description="routes in Camel's YAML, by the name of their file"
    )
    schemas: Annotated[dict[str, FileText], Field(max_length=32)] = Field(
        default_factory=dict, description="files beside the routes, for example a JSON schema: file:/etc/service/NAME"
    )
    dead_letters: DeadLetters = Field(description="where messages go that cannot be carried on")
    max_bytes: Annotated[str, size_from("1Ki", "1Gi")] = Field(
        default="512Ki", description="of a message; a larger one is a dead letter"
    )
    duplicates: Duplicates | None = Field(
        default=None, description="which messages are dead letters when they come again"
    )
    properties: Annotated[dict[str, Line], Field(max_length=200)] = Field(
        default_factory=dict, description="further lines of application.properties"
    )
    probes: Probes = Probes(
        liveness=OwnCheck(path="/health/live"), readiness=OwnCheck(path="/health/ready"), startup_seconds=120
    )

    @field_validator("routes")
    @classmethod
    def _routes_are_routes(cls, routes: dict[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
        for name, entries in routes.items():
            if not entries:
                raise ValueError(f"{name}: has no route; give it one, or leave it out")
            for index, entry in enumerate(entries):
                _check_entry(f"{name}.{index}", entry)
        _check_names(routes)
        return routes

    @field_validator("properties")
    @classmethod
    def _properties_are_free(cls, properties: dict[str, str]) -> dict[str, str]:
        for key in properties:
            if any(key.startswith(each) for each in OURS):
                raise ValueError(f"{key}: is set by Grayling from the other settings; leave it out")
            if any(letter.isspace() or letter in "=:#!" for letter in key):
                raise ValueError(f"{shown(key)} is no key of a properties file; use letters, digits, -, _ and .")
        return properties

    @model_validator(mode="after")
    def _files_have_one_name(self) -> CamelSettings:
        for name in (*self.config, *self.schemas):
            if name.endswith(".camel.yaml") or name == "application.properties":
                raise ValueError(f"config, schemas: {name!r} is a file of the adapter itself; use another name")
        if twice := sorted(self.config.keys() & self.schemas.keys()):
            raise ValueError(f"schemas: {twice[0]!r} is a file of `config` too; give it another name")
        return self

    @model_validator(mode="after")
    def _java_starts_it(self) -> CamelSettings:
        if self.command or self.args:
            raise ValueError("command, args: the adapter starts Camel itself; leave them out, and use `properties`")
        return self

    @model_validator(mode="after")
    def _is_asked_about(self) -> CamelSettings:
        if self.admin_port is None:
            raise ValueError("adminPort: health and metrics of an adapter need one; leave the key out for 9000")
        return self

    @model_validator(mode="after")
    def _large_ones_are_kept(self) -> CamelSettings:
        most = self.dead_letters.max_bytes
        if megabytes(most) < megabytes(self.max_bytes):
            raise ValueError(
                f"deadLetters.maxBytes: {most} is less than maxBytes ({self.max_bytes}); give it as much, or more"
            )
        return self

    @model_validator(mode="after")
    def _duplicates_are_of_routes(self) -> CamelSettings:
        known = [identity for entries in self.routes.values() for entry in entries if (identity := _identity(entry))]
        for name in self.duplicates.routes if self.duplicates else ():
            if name not in known:
                raise ValueError(f"duplicates.routes.{name}: is the id of no route; {nearest(name, known)}")
        return self


def _identity(entry: dict[str, Any]) -> str | None:
    route = entry.get("route")
    found = route.get("id") if isinstance(route, dict) else None
    return None if found is None else str(found)


def _check_entry(where: str, entry: dict[str, Any]) -> None:
    """One entry of a file of routes has one key, and one that Camel knows there."""
    if len(entry) != 1:
        raise ValueError(f"{where}: has the keys {', '.join(sorted(entry)) or 'none'}; an entry has one, as `route`")
    (key,) = entry
    if key in HANDLERS:
        raise ValueError(f"{where}.{key}: what becomes of failures is said by `deadLetters`; leave it out")
    if key not in ENTRIES:
        raise ValueError(f"{where}.{key}: is nothing that Camel reads there; {nearest(str(key), list(ENTRIES))}")
    route = entry[key]
    if key == "route" and isinstance(route, dict):
        if handler := next((each for each in HANDLERS if each in route), None):
            raise ValueError(
                f"{where}.route.{handler}: what becomes of failures is said by `deadLetters`; leave it out"
            )
        if not isinstance(route.get("from"), dict) or not route["from"].get("uri"):
            raise ValueError(f"{where}.route.from.uri: is missing; say where its messages come from")
        for uri in _sent_to(route):
            _check_queue(f"{where}: {uri}: ", uri)


def _check_queue(where: str, uri: str) -> None:
    """What Camel's client for RabbitMQ does unless told otherwise would lose messages, or wait for an answer."""
    if not uri.startswith("spring-rabbitmq:"):
        return
    if "exchangePattern=InOnly" not in uri:
        raise ValueError(f"{where}waits for an answer of the queue where its caller does; add exchangePattern=InOnly")
    if "queues=" in uri and "arg.queue.durable=true" not in uri:
        raise ValueError(f"{where}makes a queue that is gone with its broker; add arg.queue.durable=true")


def _sent_to(part: object) -> Iterator[str]:
    """Endpoints that the steps of a route send to."""
    if isinstance(part, list):
        for each in part:
            yield from _sent_to(each)
    elif isinstance(part, dict):
        target = part.get("to")
        uri = target.get("uri") if isinstance(target, dict) else target
        if isinstance(uri, str):
            yield uri
        for each in part.values():
            yield from _sent_to(each)


def _check_names(routes: dict[str, list[dict[str, Any]]]) -> None:
    """Camel would drop the first of two routes of one id."""
    seen: dict[str, str] = {}
    for name, entries in routes.items():
        for index, entry in enumerate(entries):
            identity = _identity(entry)
            if identity is None:
                continue
            if identity.startswith("grayling-"):
                raise ValueError(f"{name}.{index}.route.id: {identity!r} begins as the adapter's own; use another")
            if identity in seen:
                raise ValueError(f"{name}.{index}.route.id: {identity!r} is that of {seen[identity]} too; use another")
            seen[identity] = f"{name}.{index}"


def written(entries: list[dict[str, Any]]) -> str:
    """A file of routes, as Camel reads it."""
    return yaml.safe_dump(entries, sort_keys=False, allow_unicode=True, width=120)
