"""What a tier means: how many, how large, how long kept. A stack file overrides single values under ``profile``."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from rollout.api.durations import Seconds
from rollout.api.spec import Model


class Tier(StrEnum):
    """How much an environment matters."""

    LOCAL = "local"
    DEV = "dev"
    STAGING = "staging"
    PROD = "prod"


class Size(StrEnum):
    """A row in a component's table of requests and limits."""

    SMALL = "small"
    MEDIUM = "medium"
    LARGE = "large"


class Profile(Model):
    """The values that differ by tier and nothing else."""

    replicas: Annotated[int, Field(ge=1, le=100)] = Field(description="of stateless workloads")
    members: Literal[1, 3, 5, 7] = Field(description="of systems that vote")
    size: Size = Field(description="row of every component's resource table")
    metrics_retention: Annotated[Seconds, Field(ge=60)] = Field(description="how long Prometheus keeps samples")
    spread: Literal["ScheduleAnyway", "DoNotSchedule"] = Field(description="when pods cannot be spread over zones")
    data: Literal["Delete", "Retain"] = Field(
        description="volumes, namespace and definitions when a stack is destroyed"
    )
    encrypt_control_plane: bool = Field(description="TLS between the gateway's control plane and its proxies")


PROFILES: dict[Tier, Profile] = {
    Tier.LOCAL: Profile(
        replicas=1,
        members=1,
        size=Size.SMALL,
        metrics_retention=2 * 3600.0,
        spread="ScheduleAnyway",
        data="Delete",
        encrypt_control_plane=False,
    ),
    Tier.DEV: Profile(
        replicas=1,
        members=1,
        size=Size.SMALL,
        metrics_retention=3 * 86400.0,
        spread="ScheduleAnyway",
        data="Delete",
        encrypt_control_plane=True,
    ),
    Tier.STAGING: Profile(
        replicas=2,
        members=3,
        size=Size.MEDIUM,
        metrics_retention=7 * 86400.0,
        spread="ScheduleAnyway",
        data="Retain",
        encrypt_control_plane=True,
    ),
    Tier.PROD: Profile(
        replicas=3,
        members=3,
        size=Size.LARGE,
        metrics_retention=15 * 86400.0,
        spread="DoNotSchedule",
        data="Retain",
        encrypt_control_plane=True,
    ),
}
