"""How a version is brought in: by whom it runs, in which steps, and how long each of them waits."""

from __future__ import annotations

from enum import StrEnum
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Self

from pydantic import Field, model_validator

from rollout.api.durations import Seconds
from rollout.api.wire import Model

if TYPE_CHECKING:
    from collections.abc import Collection


MOST_STEPS = 32
MOST_APPROVALS = 10
GroupName = Annotated[str, Field(min_length=1, max_length=256)]
"""A group of users, as the API server knows it."""


class Gate(StrEnum):
    """What must happen before a step's weight is written."""

    NONE = "none"
    MANUAL = "manual"
    APPROVAL = "approval"


class Approvers(Model):
    """How many people have to approve a step, and of which group; never who asked for the version."""

    count: Annotated[int, Field(ge=1, le=MOST_APPROVALS)] = Field(default=1, description="so many different people")
    group: GroupName | None = Field(
        default=None, description="each of them in this group, as the API server knows it; anybody if not given"
    )


NO_GATE = "approvals: they are for gate: approval alone; write that, or leave approvals out"


class Step(Model):
    """One share of the traffic, held for some time."""

    weight: Annotated[int, Field(ge=1, le=100)] = Field(description="percent of requests that reach the canary")
    hold: Seconds = Field(default=60.0, description="how long it is judged at this weight, from its verification on")
    gate: Gate = Field(
        default=Gate.NONE,
        description="before this step, manual: wait for `grayling release promote`; "
        "approval: wait for `grayling release approve` of other people",
    )
    approvals: Approvers | None = Field(default=None, description="with gate: approval; one of anybody if not given")

    @model_validator(mode="after")
    def _approvals_are_of_their_gate(self) -> Self:
        if self.approvals is not None and self.gate is not Gate.APPROVAL:
            raise ValueError(NO_GATE)
        return self

    @property
    def approvers(self) -> Approvers | None:
        """Who has to approve it; None where nobody has to."""
        return (self.approvals or Approvers()) if self.gate is Gate.APPROVAL else None


class DriverName(StrEnum):
    """How the pods of a version run, and so what a share of it is. What is not built is refused before it begins."""

    GATEWAY = "gateway"
    REPLICAS = "replicas"
    ORDINAL = "ordinal"
    NODES = "nodes"


BUILT = frozenset({DriverName.GATEWAY})
"""The drivers of this version."""


def not_built(driver: DriverName, built: Collection[str] = BUILT) -> str:
    """What is said where a driver is not built; empty where it is."""
    known = ", ".join(sorted(built))
    return "" if driver in built else f"strategy.driver: {driver} is not built in this version; write {known}"


class Strategy(Model):
    """How a version is brought in."""

    driver: DriverName = Field(
        default=DriverName.GATEWAY,
        description="gateway: Deployments, a share is a weight of the HTTPRoute; no other is built in this version",
    )
    steps: Annotated[list[Step], Field(min_length=1, max_length=MOST_STEPS)] = Field(
        default_factory=lambda: [Step(weight=5), Step(weight=20), Step(weight=50)]
    )
    ready_deadline: Seconds = Field(default=300.0, description="pods not ready within this time: taken back")
    verify_deadline: Seconds = Field(default=60.0, description="route not accepted within this time: taken back")
    bake: Seconds = Field(default=300.0, description="how long the old version stays at full scale after promotion")
    drain: Seconds = Field(default=5.0, description="time between weight 0 and scaling a version down")

    @model_validator(mode="after")
    def _weights_rise(self) -> Self:
        weights = [step.weight for step in self.steps]
        if any(later <= earlier for earlier, later in pairwise(weights)):
            raise ValueError(f"steps: weights must rise from step to step, found {weights}")
        return self
