"""What a pod is made of, said briefly: containers, probes, resources, volumes; each hardened when it is written out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from components.model.profiles import Size

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kube.kinds import Manifest


@dataclass(frozen=True, slots=True)
class Resources:
    """CPU is a request, memory is request and limit alike, so that a pod is never promised what it cannot have."""

    cpu: str
    memory: str

    def wire(self) -> dict[str, Any]:
        """As a container writes it."""
        return {"requests": {"cpu": self.cpu, "memory": self.memory}, "limits": {"memory": self.memory}}


Sizes = dict[Size, Resources]
SIDECAR: Sizes = dict.fromkeys(Size, Resources("10m", "64Mi"))


@dataclass(frozen=True, slots=True)
class Probe:
    """How a container is asked whether it is well: one of ``path`` (HTTP), ``grpc``, ``command`` or the bare port."""

    port: int | str = 0
    path: str = ""
    command: tuple[str, ...] = ()
    every_s: int = 5
    failures: int = 3
    timeout_s: int = 3
    grpc: str | None = None

    def wire(self) -> dict[str, Any]:
        """As a container writes it."""
        if self.path:
            how: dict[str, Any] = {"httpGet": {"path": self.path, "port": self.port}}
        elif self.grpc is not None:
            how = {"grpc": {"port": self.port, "service": self.grpc}}
        elif self.command:
            how = {"exec": {"command": list(self.command)}}
        else:
            how = {"tcpSocket": {"port": self.port}}
        return {
            **how,
            "periodSeconds": self.every_s,
            "failureThreshold": self.failures,
            "timeoutSeconds": self.timeout_s,
        }


@dataclass(frozen=True, slots=True)
class SecretKey:
    """One value in a Secret."""

    secret: str
    key: str


@dataclass(frozen=True, slots=True)
class FieldPath:
    """A field of the pod itself, by the downward API."""

    path: str


@dataclass(frozen=True, slots=True)
class Container:
    """One container; the values of ``env`` are texts, keys of Secrets, or fields of the pod."""

    name: str
    image: str
    resources: Resources
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    env: Mapping[str, str | SecretKey | FieldPath] = field(default_factory=dict)
    mounts: Mapping[str, str] = field(default_factory=dict)
    liveness: Probe | None = None
    readiness: Probe | None = None
    startup: Probe | None = None
    pre_stop: Mapping[str, Any] | None = None

    def wire(self, ports: Mapping[str, int] | None = None) -> dict[str, Any]:
        """As a pod writes it, hardened; ``ports`` by name are those that it listens on."""
        made: dict[str, Any] = {
            "name": self.name,
            "image": self.image,
            "imagePullPolicy": "IfNotPresent",
            "command": list(self.command),
            "args": list(self.args),
            "env": [_env(name, value) for name, value in self.env.items()],
            "ports": [{"name": name, "containerPort": port, "protocol": "TCP"} for name, port in (ports or {}).items()],
            "resources": self.resources.wire(),
            "volumeMounts": [_mount(path, volume) for path, volume in [*self.mounts.items(), ("/tmp", "tmp")]],  # noqa: S108 - in the pod
            "livenessProbe": self.liveness and self.liveness.wire(),
            "readinessProbe": self.readiness and self.readiness.wire(),
            "startupProbe": self.startup and self.startup.wire(),
            "lifecycle": self.pre_stop and {"preStop": dict(self.pre_stop)},
            "securityContext": {
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"]},
                "readOnlyRootFilesystem": True,
            },
        }
        return {key: value for key, value in made.items() if value}


@dataclass(frozen=True, slots=True)
class Pod:
    """What a workload runs. ``grace_s`` must exceed what the drain takes."""

    containers: tuple[Container, ...]
    init: tuple[Container, ...] = ()
    volumes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    grace_s: int = 30
    token: bool = False


def sleep(seconds: int) -> dict[str, Any]:
    """A drain that only waits until no new connection is sent here; needs no shell in the image."""
    return {"sleep": {"seconds": seconds}}


def config_volume(name: str) -> dict[str, Any]:
    """A volume with the files of a ConfigMap."""
    return {"configMap": {"name": name}}


def config_volumes(names: Sequence[str]) -> Mapping[str, Any]:
    """One volume with the files of all these ConfigMaps."""
    if len(names) == 1:
        return config_volume(names[0])
    return {"projected": {"sources": [{"configMap": {"name": name}} for name in names]}}


def secret_volume(name: str) -> dict[str, Any]:
    """A volume with the values of a Secret, readable by the pod's group alone."""
    return {"secret": {"secretName": name, "defaultMode": 0o440}}


def _env(name: str, value: str | SecretKey | FieldPath) -> Manifest:
    if isinstance(value, str):
        return {"name": name, "value": value}
    if isinstance(value, FieldPath):
        return {"name": name, "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": value.path}}}
    return {"name": name, "valueFrom": {"secretKeyRef": {"name": value.secret, "key": value.key}}}


def _mount(path: str, volume: str) -> Manifest:
    source, _, sub = volume.partition("#")
    mount: Manifest = {"name": source, "mountPath": path}
    if sub:
        mount["subPath"] = sub
    return mount
