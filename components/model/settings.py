"""What settings of components have in common: how they are read, where pods run, and what they may take."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from components.model.environment import Owner
from components.model.pods import Resources
from components.model.quantities import Cpu, Memory
from components.model.values import (
    Annotations,
    LabelName,
    LabelValue,
    ObjectName,
)
from rollout.api.spec import Model


class ComponentSettings(Model):
    """Base of every component's settings: frozen, camelCase in YAML, unknown keys refused."""


class Request(ComponentSettings):
    """CPU requested, and memory requested and never exceeded."""

    cpu: Cpu
    memory: Memory

    def resources(self) -> Resources:
        """The same, as a container takes it."""
        return Resources(self.cpu, self.memory)


class Toleration(ComponentSettings):
    """A taint of nodes that the pods put up with; without a key, every taint."""

    key: LabelName | None = None
    value: LabelValue | None = Field(default=None, description="of the taint; any if not given")
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = Field(
        default=None, description="all effects if not given"
    )
    seconds: Annotated[int, Field(ge=0, le=86400)] | None = Field(
        default=None, description="how long a pod stays after a NoExecute taint came; for ever if not given"
    )

    @model_validator(mode="after")
    def _says_what(self) -> Toleration:
        if self.key is None and self.value is not None:
            raise ValueError("value: without a key it is of no taint; give the key too")
        if self.seconds is not None and self.effect != "NoExecute":
            raise ValueError("seconds: only a NoExecute taint drives pods away; set effect: NoExecute")
        return self

    def wire(self) -> dict[str, Any]:
        """As a pod writes it."""
        made = {
            "key": self.key,
            "operator": "Exists" if self.value is None else "Equal",
            "value": self.value,
            "effect": self.effect,
            "tolerationSeconds": self.seconds,
        }
        return {name: value for name, value in made.items() if value is not None}


class Placement(ComponentSettings):
    """Who answers for it, where pods run, how much they matter, and what others write on them."""

    owner: Owner | None = Field(
        default=None, description="one of the environment's, who is told of its alerts; the first of them if not given"
    )
    node_selector: dict[LabelName, LabelValue] = Field(default_factory=dict, description="labels of the nodes")
    tolerations: Annotated[list[Toleration], Field(max_length=32)] = Field(
        default_factory=list, description="taints of nodes that are put up with"
    )
    priority_class: ObjectName | None = Field(default=None, description="existing PriorityClass")
    pod_annotations: Annotations = Field(default_factory=dict, description="put on the pods")
    account_annotations: Annotations = Field(
        default_factory=dict, description="put on their service accounts, for example a cloud's role"
    )

    @property
    def asked(self) -> Request | None:
        """Resources of the main container; None where the tier's size decides."""
        return None

    def scheduling(self) -> dict[str, Any]:
        """As a pod writes it."""
        made = {
            "nodeSelector": dict(self.node_selector),
            "tolerations": [each.wire() for each in self.tolerations],
            "priorityClassName": self.priority_class,
        }
        return {name: value for name, value in made.items() if value}


class WorkloadSettings(Placement):
    """Settings of a component with one main container."""

    resources: Request | None = Field(default=None, description="of the main container; the tier's size if not given")

    @property
    def asked(self) -> Request | None:
        """As said."""
        return self.resources
