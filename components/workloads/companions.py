"""What a service may have besides its one container and port: init containers, sidecars, volumes, more ports.

They are released and taken back together with the code, and are hardened like every container of a stack. What would
leave the baseline (the host's files, root, a writable root) has no key here.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field, model_validator

from components.model.pods import (
    SIDECAR,
    Container,
    Probe,
    SecretKey,
    config_volume,
    secret_volume,
    sleep,
)
from components.model.profiles import Size
from components.model.quantities import Quantity
from components.model.settings import ComponentSettings, Request
from components.model.values import (
    AppProtocol,
    EnvName,
    HttpPath,
    Image,
    Label,
    MountedVolume,
    MountPath,
    ObjectName,
    PortName,
    PortNumber,
    SecretField,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from components.model.environment import Environment

Mounts = Annotated[
    dict[MountPath, MountedVolume], Field(description="path in the container: volume, or volume#path-inside")
]
TAKEN_PORTS = {"http", "metrics"}
TAKEN_VOLUMES = {"tmp", "grayling-config"}
TMP = "/tmp"  # noqa: S108 - in the pod


class EnvValue(ComponentSettings):
    """What a variable holds: a text as it stands, or the key of a Secret."""

    value: str | None = Field(default=None, description="the text; alone it needs no key")
    secret: ObjectName | None = Field(default=None, description="name of the Secret")
    key: SecretField | None = Field(default=None, description="in that Secret")

    @model_validator(mode="before")
    @classmethod
    def _text_is_one(cls, data: Any) -> Any:
        if isinstance(data, str):
            return {"value": data}
        if isinstance(data, dict):
            return data
        fix = f"quote it: '{json.dumps(data)}'" if isinstance(data, int | float) else "write {secret: name, key: of-it}"
        raise ValueError(f"is no text; {fix}")

    @model_validator(mode="after")
    def _one_or_the_other(self) -> EnvValue:
        by_secret = (self.secret is not None, self.key is not None)
        if by_secret != ((self.value is None,) * 2):
            raise ValueError("is neither a text nor the key of a Secret; write {secret: name, key: of-it}")
        return self

    def bound(self) -> str | SecretKey:
        """The same, as a container takes it."""
        if self.secret is not None and self.key is not None:
            return SecretKey(self.secret, self.key)
        return self.value or ""


Env = Annotated[dict[EnvName, EnvValue], Field(max_length=1000)]


class Scratch(ComponentSettings):
    """An empty folder that lives as long as the pod."""

    size: Quantity = Field(description="a pod that fills it is evicted")
    memory: bool = Field(default=False, description="in memory; counts towards the containers' limit")


class VolumeSource(ComponentSettings):
    """Files that the containers of a service share; exactly one kind."""

    scratch: Scratch | None = Field(default=None, description="empty, gone with the pod")
    secret: ObjectName | None = Field(default=None, description="an existing Secret")
    config_map: ObjectName | None = Field(default=None, description="an existing ConfigMap; `config` is released")
    claim: ObjectName | None = Field(default=None, description="an existing PersistentVolumeClaim that all pods share")

    @model_validator(mode="after")
    def _one_kind(self) -> VolumeSource:
        given = [name for name, value in self if value is not None]
        if len(given) != 1:
            found = " and ".join(given) or "none"
            raise ValueError(f"give one of scratch, secret, configMap or claim, found {found}")
        return self

    def wire(self) -> dict[str, Any]:
        """As a pod writes it."""
        if self.scratch:
            medium = {"medium": "Memory"} if self.scratch.memory else {}
            return {"emptyDir": {"sizeLimit": self.scratch.size, **medium}}
        if self.secret:
            return secret_volume(self.secret)
        if self.config_map:
            return config_volume(self.config_map)
        return {"persistentVolumeClaim": {"claimName": self.claim}}


class Check(ComponentSettings):
    """How a container is asked whether it is well: by HTTP, gRPC, a port that listens, or a command."""

    port: PortNumber | None = None
    path: HttpPath | None = Field(default=None, description="asked by HTTP")
    grpc: Annotated[str, Field(max_length=200)] | None = Field(
        default=None, description="service asked for by gRPC's health protocol; '' is the server as a whole"
    )
    command: list[str] = Field(default_factory=list)
    every_seconds: Annotated[int, Field(ge=1, le=300)] | None = Field(
        default=None, description="5 for a sidecar; of the service 2 for readiness and 10 for liveness if not given"
    )

    @model_validator(mode="after")
    def _one_way(self) -> Check:
        ways = [self.path is not None, self.grpc is not None, bool(self.command)]
        if sum(ways) > 1:
            raise ValueError("give one of path, grpc and command")
        if self.command and self.port is not None:
            raise ValueError("port: a command needs none; leave it out")
        if not self.command and self.port is None and self._needs_port:
            raise ValueError("give a port (with a path for HTTP, grpc for gRPC), or a command")
        return self

    _needs_port: ClassVar[bool] = True

    def probe(self, port: int = 0, **timing: int) -> Probe:
        """The same, as a container takes it; ``port`` is asked and ``timing`` holds where nothing else is said."""
        every = {"every_s": self.every_seconds} if self.every_seconds else {}
        return Probe(self.port or port, self.path or "", tuple(self.command), grpc=self.grpc, **{**timing, **every})


class OwnCheck(Check):
    """How the service itself is asked: a path alone is one on the admin port."""

    _needs_port: ClassVar[bool] = False

    @model_validator(mode="before")
    @classmethod
    def _text_is_a_path(cls, data: Any) -> Any:
        return {"path": data} if isinstance(data, str) else data

    @property
    def asks_admin(self) -> bool:
        """Whether it is the admin port that is asked."""
        return not self.command and self.port is None


class InitContainer(ComponentSettings):
    """Runs to its end before the service starts, in every pod; finds `config` where the service finds it."""

    name: Label
    image: Image | None = Field(default=None, description="the service's if not given")
    command: list[str] = Field(default_factory=list)
    args: list[str] = Field(default_factory=list)
    env: Env = Field(default_factory=dict)
    mounts: Mounts = Field(default_factory=dict)
    resources: Request | None = None

    def container(self, environment: Environment, image: str) -> Container:
        """As a pod takes it; ``image`` is the service's."""
        bound = {name: value.bound() for name, value in self.env.items()}
        return Container(
            name=self.name,
            image=environment.image(self.image or image),
            command=tuple(self.command),
            args=tuple(self.args),
            env=dict(sorted(bound.items())),
            mounts=dict(self.mounts),
            resources=self.resources.resources() if self.resources else SIDECAR[Size.SMALL],
        )


class Sidecar(InitContainer):
    """Runs beside the service, as long as it does: it drains as long, so that the service never stands alone."""

    readiness: Check = Field(description="the pod serves while this holds too")
    liveness: Check | None = Field(default=None, description="the readiness check if not given")

    def beside(self, environment: Environment, image: str, drain_seconds: int) -> Container:
        """As a pod takes it."""
        made = self.container(environment, image)
        return Container(
            name=made.name,
            image=made.image,
            command=made.command,
            args=made.args,
            env=made.env,
            mounts=made.mounts,
            resources=made.resources,
            readiness=self.readiness.probe(),
            liveness=(self.liveness or self.readiness).probe(),
            pre_stop=sleep(max(1, drain_seconds)),
        )


class ExtraPort(ComponentSettings):
    """One more port of the service."""

    name: PortName
    port: PortNumber
    app_protocol: AppProtocol | None = Field(
        default=None, description="what is spoken there, for example kubernetes.io/h2c for gRPC"
    )
    container: Label | None = Field(default=None, description="the sidecar that listens; the service if not given")
    routed: bool = Field(default=False, description="the gateway sends requests here instead of to `port`")
    used: bool = Field(default=True, description="components that use the service may reach it")
    measured: bool = Field(default=False, description="the engine and Prometheus may read it")


def twice(names: Iterator[str] | list[str]) -> str:
    """The first name that comes a second time; empty for none."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return ""
