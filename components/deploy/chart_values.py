"""The values of the chart, said once: their defaults, their bounds, and what each is for."""

from __future__ import annotations

import json
from typing import Annotated, Any

import yaml
from pydantic import Field

from rollout.api.spec import Model

_PART = "[a-z0-9]+((\\.|__?|-+)[a-z0-9]+)*"
_HOST = "[a-zA-Z0-9][-a-zA-Z0-9.]*(:[0-9]{1,5})?"
_TAG = ":[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"
_DIGEST = "@sha256:[0-9a-f]{64}"
IMAGE = f"^({_HOST}/)?{_PART}(/{_PART})*({_TAG}|({_TAG})?{_DIGEST})$"
NAME = "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"
Name = Annotated[str, Field(pattern=NAME)]
Quantity = Annotated[str, Field(pattern="^[0-9]+(\\.[0-9]+)?(m|k|Ki|M|Mi|G|Gi)?$")]


class Reference(Model):
    """A Secret by its name."""

    name: Name


class Asked(Model):
    """What the container asks for."""

    cpu: Quantity = Field(default="100m", description="requested")
    memory: Quantity | Annotated[str, Field(pattern="^$")] = Field(
        default="", description="requested, and the limit; by maxInFlight if empty"
    )


class ChartValues(Model):
    """Values of the chart."""

    image: Annotated[str, Field(pattern=f"^$|{IMAGE}", json_schema_extra={"not": {"pattern": ":latest$"}})] = Field(
        default="", description="of the engine, by an exact tag or a digest; must be given"
    )
    replicas: Annotated[int, Field(ge=1, le=5)] = Field(default=2, description="one leads, the others wait")
    namespaces: list[Name] = Field(
        default_factory=list, description="where releases are served, besides the one it is installed in"
    )
    read_logs: bool = Field(default=False, description="may read pods' logs: needed where a signal counts lines")
    read_nodes: bool = Field(default=True, description="sees which nodes are drained; needs a ClusterRole")
    max_in_flight: Annotated[int, Field(ge=1, le=1000)] = Field(
        default=100, description="releases carried out at the same time; its memory goes by them"
    )
    resources: Asked = Field(default=Asked(), description="of the container")
    install_definitions: bool = Field(
        default=True, description="what is cluster-wide; off where a stack or another release of the chart installs it"
    )
    image_pull_secrets: list[Reference] = Field(default_factory=list, description="as a pod writes them")
    node_selector: dict[str, str] = Field(default_factory=dict, description="labels of the nodes")
    tolerations: list[dict[str, Any]] = Field(default_factory=list, description="as a pod writes them")
    priority_class_name: str = Field(default="", description="an existing PriorityClass")
    pod_annotations: dict[str, str] = Field(default_factory=dict, description="put on the pods")
    everywhere: dict[str, Any] = Field(
        default_factory=dict, alias="global", description="of charts above this one; not read here"
    )


def values_yaml(image: str = "") -> str:
    """`values.yaml`: each default, with what it is for above it."""
    defaults = ChartValues(image=image).model_dump(by_alias=True, mode="json")
    parts = []
    for name, about in ChartValues.model_fields.items():
        key = about.alias or name
        if name != "everywhere":
            parts.append(f"# {about.description}\n{yaml.safe_dump({key: defaults[key]}, sort_keys=False)}")
    return "\n".join(parts)


def schema_json() -> str:
    """`values.schema.json`."""
    made = _without_titles(ChartValues.model_json_schema(by_alias=True))
    return json.dumps({"$schema": "https://json-schema.org/draft/2020-12/schema", **made}, indent=2) + "\n"


def _without_titles(node: Any) -> Any:
    if isinstance(node, list):
        return [_without_titles(each) for each in node]
    if not isinstance(node, dict):
        return node
    return {key: _without_titles(value) for key, value in node.items() if key != "title" or not isinstance(value, str)}
