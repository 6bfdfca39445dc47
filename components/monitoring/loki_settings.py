"""What a stack file may say of a Loki, and the numbers that its parts agree on."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator

from components.model.pods import Resources, Sizes
from components.model.profiles import Size
from components.model.quantities import size_from
from components.model.settings import Request, WorkloadSettings
from components.model.values import Image, said, whole
from components.workloads.encryption import Tls
from rollout.api.durations import Seconds

IMAGE = "docker.io/grafana/loki:3.6.3"
PORT, METRICS_PORT, GRPC_PORT = 3100, 3101, 9095
CONFIG, DATA = "/etc/loki", "/loki"
SIZES: Sizes = {
    Size.SMALL: Resources("100m", "512Mi"),
    Size.MEDIUM: Resources("500m", "1Gi"),
    Size.LARGE: Resources("1000m", "4Gi"),
}
DAY = 86400.0


class LokiRequest(Request):
    """Of the store: one that starts, and answers."""

    memory: Annotated[str, size_from("256Mi", "1Gi")] = Field(description="at least 256Mi")


class LokiSettings(WorkloadSettings):
    """Settings of a log store."""

    image: Image = IMAGE
    retention: Annotated[Seconds, Field(ge=DAY, le=3650 * DAY)] = Field(
        default=30 * DAY, description="older lines go; whole days, at least one"
    )
    storage: Annotated[str, size_from("1Gi", "20Gi")] = Field(default="10Gi", description="volume; at least 1Gi")
    tenant: Annotated[str, said(whole(r"[a-z0-9][a-z0-9-]*", 60), "is no tenant", "use a-z, 0-9 and -")] = Field(
        default="stack", description="under which lines are kept; readers send it as X-Scope-OrgID"
    )
    resources: LokiRequest | None = Field(
        default=None, description="of the main container; the tier's size if not given"
    )
    tls: Tls | None = Field(default=None, description="encrypted where it is given; {} makes a certificate")

    @field_validator("retention")
    @classmethod
    def _whole_days(cls, retention: float) -> float:
        if retention % DAY:
            raise ValueError("is not in whole days, and indexes are by day; write it like 7d or 30d")
        return retention

    @property
    def days(self) -> int:
        """How long a line is kept."""
        return round(self.retention / DAY)
