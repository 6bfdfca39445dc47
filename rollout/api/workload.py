"""What runs: the pod template, its configuration files and its ports, released and taken back together."""

from __future__ import annotations

import re
from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, model_validator

from rollout.api.pod_template import PodTemplate, checked_template
from rollout.api.wire import (
    FREE_FORM,
    INT_OR_STRING,
    Model,
    Name,
    by_key,
    none_twice,
)

CONFIG_VOLUME = "grayling-config"
FILE_NAME = r"^[-._a-zA-Z0-9]{1,253}$"
LONGEST_FILE, MOST_CONFIG = 262_144, 1_000_000
"""Characters of a file, and bytes of all: a ConfigMap holds 1 MiB."""

_SEGMENT = r"\.?[A-Za-z0-9_@+~-][A-Za-z0-9._@+~-]*"
FOLDER = rf"^(/{_SEGMENT})+$"
"""An absolute path of a folder, without `.`, `..` and a slash at its end."""

TARGET_PORT = r"^([a-z0-9]-?)*[a-z](-?[a-z0-9])*$"
LONGEST_TARGET, LAST_PORT = 15, 65535
BLOCKS_DRAINS = "maxUnavailable: {} would block the drain of every node with a pod; write 1 or more"
APP_PROTOCOL = r"^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$"


def _target_port(port: int | str) -> int | str:
    """A container port by number or name.

    Raises:
        ValueError: it is neither.
    """
    named = isinstance(port, str) and len(port) <= LONGEST_TARGET and re.fullmatch(TARGET_PORT[1:-1], port)
    if named or (isinstance(port, int) and 1 <= port <= LAST_PORT):
        return port
    raise ValueError(f"targetPort: {str(port)[:99]!r} is neither a number from 1 to 65535 nor the name of a port")


def _lets_drains_go_on(pods: int) -> int:
    """How many pods may be moved away at the same time.

    Raises:
        ValueError: none: no node that has one could be drained.
    """
    if pods < 1:
        raise ValueError(BLOCKS_DRAINS.format(pods))
    return pods


class Port(Model):
    """A port of the service and the container port behind it."""

    name: Name
    port: Annotated[int, Field(ge=1, le=LAST_PORT)]
    target_port: Annotated[int | str, AfterValidator(_target_port)] | None = Field(
        default=None,
        description="container port, by number or name; the port itself where it is not given",
        json_schema_extra=INT_OR_STRING,
    )
    app_protocol: Annotated[str, Field(pattern=APP_PROTOCOL, max_length=317)] | None = None


class Workload(Model):
    """What runs: the pod template and everything that is released and taken back together with it."""

    replicas: Annotated[int, Field(ge=1, le=1000)] = Field(default=1, description="pods of the version that serves")
    min_replicas: Annotated[int, Field(ge=1, le=1000)] = Field(
        default=1, description="no fewer pods, whatever `replicas` says: the floor where an autoscaler writes that"
    )
    template: Annotated[dict[str, Any], AfterValidator(checked_template)] = Field(
        description="a PodTemplateSpec", json_schema_extra=FREE_FORM
    )
    config: Annotated[dict[str, Annotated[str, Field(max_length=LONGEST_FILE)]], Field(max_length=64)] = Field(
        default_factory=dict, description="configuration files by name, released and rolled back with the code"
    )
    config_mount_path: Annotated[str, Field(pattern=FOLDER, max_length=256)] = Field(
        default="/etc/service", description="where every container, init containers too, finds `config`"
    )
    ports: Annotated[list[Port], Field(max_length=32)] = Field(default_factory=list, json_schema_extra=by_key("name"))
    max_unavailable: Annotated[int, Field(le=1000), AfterValidator(_lets_drains_go_on)] = Field(
        default=1, description="pods of a version that may be moved away at the same time (its disruption budget)"
    )

    @property
    def pods(self) -> int:
        """Pods that all traffic needs."""
        return max(self.replicas, self.min_replicas)

    @model_validator(mode="after")
    def _ports_differ(self) -> Self:
        none_twice("workload.ports: name", [port.name for port in self.ports])
        none_twice("workload.ports: port", [port.port for port in self.ports])
        return self

    @model_validator(mode="after")
    def _named_ports_are_there(self) -> Self:
        """A Service whose port leads nowhere answers nobody, and says nothing of it."""
        named = PodTemplate.read(self.template).port_names()
        for port in self.ports:
            if isinstance(port.target_port, str) and port.target_port not in named:
                there = f"there are {', '.join(sorted(named))}" if named else "no container names one"
                raise ValueError(
                    f"workload.ports: {port.name}: no container has a port called {port.target_port} ({there}); "
                    "name it in workload.template, or write its number as targetPort"
                )
        return self

    @model_validator(mode="after")
    def _files_have_names(self) -> Self:
        for name in self.config:
            if not re.fullmatch(FILE_NAME[1:-1], name) or name == "." or name.startswith(".."):
                raise ValueError(
                    f"workload.config: {name[:99]!r} is no name of a file; letters, digits, -, _ and . are taken"
                )
        size = sum(len(text.encode()) for text in self.config.values())
        if size > MOST_CONFIG:
            raise ValueError(f"workload.config: {size} bytes; at most {MOST_CONFIG} fit into the cluster's object")
        return self

    @model_validator(mode="after")
    def _files_have_room(self) -> Self:
        """The folder of the files, and the name of their volume, are the engine's."""
        if not self.config:
            return self
        template = PodTemplate.read(self.template)
        if any(volume.name == CONFIG_VOLUME for volume in template.spec.volumes):
            raise ValueError(f"workload.template: the volume name {CONFIG_VOLUME} is taken for workload.config")
        if container := template.mounts_at(self.config_mount_path):
            raise ValueError(
                f"workload.template: container {container} mounts something at {self.config_mount_path}, where "
                "workload.config goes; choose another workload.configMountPath"
            )
        return self
