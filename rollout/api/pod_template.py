"""As much of a PodTemplateSpec as the engine relies on; the rest is left to the API server, which knows all of it.

A pod template in a GrayRelease is kept as it was written, nulls included, so what is null here is what the API server
makes of it in a pod: not there.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from rollout.api.wire import by_key, none_twice

LabelText = Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", min_length=1, max_length=63)]


LONGEST_PORT_NAME, MOST_PORTS = 15, 64


class _Part(BaseModel):
    """A part of a pod template: fields that are not named here stay as they are."""

    model_config = ConfigDict(frozen=True, extra="allow", alias_generator=to_camel, populate_by_name=True)


class VolumeMount(_Part):
    """Where a container finds a volume."""

    mount_path: Annotated[str, Field(min_length=1, max_length=1024)]


class ContainerPort(_Part):
    """A port of a container; a Service may mean it by its name."""

    name: Annotated[str, Field(max_length=LONGEST_PORT_NAME)] | None = None


class InitContainer(_Part):
    """A container that runs before the others, or beside them (a sidecar)."""

    name: LabelText
    volume_mounts: Annotated[list[VolumeMount], Field(max_length=64)] = []
    ports: Annotated[list[ContainerPort], Field(max_length=MOST_PORTS)] = []


class Container(InitContainer):
    """A container; the image is what people know the version by."""

    image: Annotated[str, Field(min_length=1, max_length=1024)]


class Volume(_Part):
    """A volume."""

    name: LabelText


class PodSpec(_Part):
    """What runs."""

    containers: Annotated[list[Container], Field(min_length=1, max_length=32, json_schema_extra=by_key("name"))]
    init_containers: Annotated[list[InitContainer], Field(max_length=32)] = []
    volumes: Annotated[list[Volume], Field(max_length=128)] = []


class PodTemplate(_Part):
    """A PodTemplateSpec."""

    metadata: dict[str, Any] = {}
    spec: PodSpec

    @classmethod
    def read(cls, template: dict[str, Any]) -> PodTemplate:
        """The template, if it is one.

        Raises:
            ValueError: it is none; says where and why.
        """
        found = cls.model_validate(without_nulls(template))
        none_twice("template.spec.containers", [container.name for container in found.spec.containers])
        return found

    def port_names(self) -> set[str]:
        """Names of container ports, those of sidecars too."""
        return {port.name for container in self._all() for port in container.ports if port.name}

    def _all(self) -> list[InitContainer]:
        return [*self.spec.init_containers, *self.spec.containers]

    def mounts_at(self, path: str) -> str:
        """The container that mounts something at ``path``; empty where none does."""
        for container in self._all():
            if any(mount.mount_path.rstrip("/") == path for mount in container.volume_mounts):
                return container.name
        return ""


def without_nulls(value: Any) -> Any:
    """What the API server makes of nulls in an object: a field that is null is a field that is not there."""
    if isinstance(value, dict):
        return {key: without_nulls(each) for key, each in value.items() if each is not None}
    return [without_nulls(each) for each in value] if isinstance(value, list) else value


def checked_template(template: dict[str, Any]) -> dict[str, Any]:
    """The template as it was written, if it is one.

    Raises:
        ValueError: it is none; says where and why.
    """
    PodTemplate.read(template)
    return template
