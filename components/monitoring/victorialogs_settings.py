"""What a stack file may say of a log store, and the numbers that its parts agree on."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, ValidationInfo, field_validator

from components.model.pods import Resources, Sizes
from components.model.profiles import Size
from components.model.quantities import bytes_of, size_from
from components.model.settings import Request, WorkloadSettings
from components.model.values import Image, ObjectName
from components.workloads.encryption import Tls
from rollout.api.durations import Seconds

IMAGE = "docker.io/victoriametrics/victoria-logs:v1.52.1"
METRICS_IMAGE = "docker.io/library/python:3.13.7-slim"
PORT = 9428
METRICS_PORT = 9429
DATA = "/data"
LOGIN = "/run/login"
PROGRAM = "/etc/grayling"
SIZES: Sizes = {
    Size.SMALL: Resources("100m", "256Mi"),
    Size.MEDIUM: Resources("500m", "1Gi"),
    Size.LARGE: Resources("1000m", "4Gi"),
}
FULL = 0.9
"""Share of the volume that logs may take: merges need the rest."""

DAY = 86400.0
STREAM_FIELDS = "service.name,k8s.namespace.name"
"""What tells the streams of lines apart: few values each."""

MESSAGE_FIELDS = "message,msg,event,text"
"""Where the sentence of a structured line is looked for."""


class LogsRequest(Request):
    """Of the store: one that starts, and answers."""

    memory: Annotated[str, size_from("128Mi", "1Gi")] = Field(description="at least 128Mi")


class VictoriaLogsSettings(WorkloadSettings):
    """Settings of a log store."""

    image: Image = IMAGE
    metrics_image: Image = Field(default=METRICS_IMAGE, description="of the sidecar with the metrics: any Python 3")
    retention: Annotated[Seconds, Field(ge=DAY, le=3650 * DAY)] = Field(
        default=30 * DAY, description="older days go; whole days, at least one"
    )
    storage: Annotated[str, size_from("256Mi", "20Gi")] = Field(default="10Gi", description="volume; at least 256Mi")
    max_disk_usage: Annotated[str, size_from("64Mi", "16Gi")] | None = Field(
        default=None, description="the oldest day goes beyond it; four fifths of the volume if not given"
    )
    resources: LogsRequest | None = Field(
        default=None, description="of the main container; the tier's size if not given"
    )
    auth_secret: ObjectName | None = Field(
        default=None,
        description="existing Secret with `username`, `password`, `url` and `authorization`; generated if not given",
    )
    tls: Tls | None = Field(default=None, description="encrypted where it is given; {} makes a certificate")

    @field_validator("retention")
    @classmethod
    def _whole_days(cls, retention: float) -> float:
        if retention % DAY:
            raise ValueError("is not in whole days, and logs are kept by day; write it like 7d or 30d")
        return retention

    @field_validator("max_disk_usage")
    @classmethod
    def _fits_its_volume(cls, most: str | None, info: ValidationInfo) -> str | None:
        storage = info.data.get("storage")
        if most and storage and bytes_of(most) > FULL * bytes_of(storage):
            raise ValueError(f"is more than nine tenths of storage {storage}; give less, or leave it out")
        return most

    @property
    def most_bytes(self) -> int:
        """Bytes that all logs may take."""
        return bytes_of(self.max_disk_usage) if self.max_disk_usage else int(bytes_of(self.storage) * 0.8)

    @property
    def days(self) -> int:
        """How long a line is kept."""
        return round(self.retention / DAY)
