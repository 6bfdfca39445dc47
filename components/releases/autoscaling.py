"""As many pods as the load needs: an autoscaler that writes the count of a GrayRelease through its ``/scale``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, model_validator

from components.model.settings import ComponentSettings
from rollout.api.spec import API_VERSION, KIND

if TYPE_CHECKING:
    from components.model.component import Component
    from kube.kinds import Manifest

Percent = Annotated[int, Field(ge=1, le=1000)]


class Autoscaling(ComponentSettings):
    """Between how many pods, and how much of what they request is to be in use."""

    min: Annotated[int, Field(ge=1, le=1000)] = Field(description="pods at least, kept by the engine too")
    max: Annotated[int, Field(ge=1, le=1000)] = Field(description="pods at most")
    cpu: Percent | None = Field(default=None, description="percent of the requested CPU, of all pods together")
    memory: Percent | None = Field(default=None, description="percent of the requested memory")
    settle_seconds: Annotated[int, Field(ge=0, le=3600)] = Field(
        default=300, description="fewer pods only when this long fewer were enough"
    )

    @model_validator(mode="after")
    def _has_a_measure(self) -> Autoscaling:
        if self.max < self.min:
            raise ValueError(f"max: {self.max} is less than min, {self.min}; swap them")
        if self.cpu is None and self.memory is None:
            raise ValueError("nothing is measured; give cpu or memory, for example cpu: 70")
        return self

    def manifest(self, owner: Component) -> Manifest:
        """The HorizontalPodAutoscaler of the service ``owner``."""
        measured = {"cpu": self.cpu, "memory": self.memory}
        spec: dict[str, Any] = {
            "scaleTargetRef": {"apiVersion": API_VERSION, "kind": KIND, "name": owner.name},
            "minReplicas": self.min,
            "maxReplicas": self.max,
            "metrics": [_utilization(owner, name, percent) for name, percent in measured.items() if percent],
            "behavior": {"scaleDown": {"stabilizationWindowSeconds": self.settle_seconds}},
        }
        meta = {"name": owner.name, "labels": owner.labels()}
        return {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": meta, "spec": spec}


def _utilization(owner: Component, resource: str, percent: int) -> dict[str, Any]:
    target = {"type": "Utilization", "averageUtilization": percent}
    return {
        "type": "ContainerResource",
        "containerResource": {"name": resource, "container": owner.name, "target": target},
    }
