"""What a stack file may say of Alertmanager: who is told of whose alerts, and how often."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from components.model.environment import Owner
from components.model.mistakes import nearest
from components.model.pods import Resources, Sizes
from components.model.profiles import Size
from components.model.quantities import size_from
from components.model.settings import ComponentSettings, WorkloadSettings
from components.model.values import Image, Label, Namespace
from components.monitoring.prometheus_additions import Word
from components.monitoring.receivers import Receiver, Url
from rollout.api.durations import Seconds

IMAGE = "quay.io/prometheus/alertmanager:v0.33.1"
PORT = 9093
GOSSIP_PORT = 9094
SIZES: Sizes = {
    Size.SMALL: Resources("20m", "64Mi"),
    Size.MEDIUM: Resources("50m", "128Mi"),
    Size.LARGE: Resources("100m", "256Mi"),
}

Told = Annotated[list[Label], Field(min_length=1, max_length=20)]


class OwnerRoute(ComponentSettings):
    """Who hears of an owner's alerts."""

    receivers: Told = Field(description="names of receivers")
    critical: Told | None = Field(default=None, description="of critical alerts instead; the same if not given")


class Watchdog(ComponentSettings):
    """Somebody who expects a sign of life, and is alarmed when it stays away."""

    receiver: Label = Field(description="name of a receiver")
    every: Annotated[Seconds, Field(ge=10, le=3600)] = Field(default=60.0, description="how often the sign is sent")


class AlertmanagerSettings(WorkloadSettings):
    """Settings of an Alertmanager."""

    image: Image = IMAGE
    members: Annotated[int, Field(ge=1, le=7)] | None = Field(
        default=None, description="pods that tell each other; the tier's if not given"
    )
    storage: Annotated[str, size_from("16Mi", "256Mi")] = Field(
        default="256Mi", description="volume of each member, with silences and what was sent; at least 16Mi"
    )
    receivers: Annotated[dict[Label, Receiver], Field(min_length=1, max_length=200)] = Field(
        description="who can be told, by name"
    )
    default: Told = Field(description="receivers of alerts whose owner is not in `owners`")
    owners: Annotated[dict[Owner, OwnerRoute], Field(max_length=50)] = Field(
        default_factory=dict, description="owners of the environment, and who hears of their alerts"
    )
    watchdog: Watchdog | None = Field(
        default=None, description="a dead man's switch: silence there means that no alert would arrive"
    )
    group_by: Annotated[list[Word], Field(min_length=1, max_length=20)] = Field(
        default=["owner", "namespace", "component"], description="alerts alike in these labels are one message"
    )
    group_wait: Annotated[Seconds, Field(ge=0, le=600)] = Field(
        default=30.0, description="how long the first message of a group waits for more"
    )
    group_interval: Annotated[Seconds, Field(ge=1, le=86400)] = Field(
        default=300.0, description="how long until what is new in a group is told"
    )
    repeat_interval: Annotated[Seconds, Field(ge=60, le=7 * 86400)] = Field(
        default=4 * 3600.0, description="how long until the same is told again"
    )
    namespaces: Annotated[list[Namespace], Field(max_length=200)] = Field(
        default_factory=list, description="other environments whose Prometheus sends its alerts here"
    )
    external_url: Url | None = Field(default=None, description="where people reach its page; links in messages")

    @model_validator(mode="after")
    def _all_are_there(self) -> AlertmanagerSettings:
        named = [("default", self.default)]
        for owner, route in self.owners.items():
            named.append((f"owners.{owner}.receivers", route.receivers))
            named.append((f"owners.{owner}.critical", route.critical or []))
        if self.watchdog is not None:
            named.append(("watchdog.receiver", [self.watchdog.receiver]))
        for where, names in named:
            for name in names:
                if name not in self.receivers:
                    raise ValueError(f"{where}: no receiver {name!r}; {nearest(name, sorted(self.receivers))}")
        return self
