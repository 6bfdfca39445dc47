"""What a stack file may say of Prometheus, and the numbers that its parts agree on."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator
from pydantic.alias_generators import to_camel

from components.model.pods import Resources, Sizes
from components.model.profiles import Size
from components.model.quantities import (
    RetentionSize,
    bytes_of,
    retention_bytes,
    share_of,
    size_from,
)
from components.model.settings import Request, WorkloadSettings
from components.model.values import (
    HostPort,
    Image,
    Label,
    Namespace,
)
from components.monitoring.prometheus_additions import (
    OwnAlert,
    Scrape,
    Word,
)
from components.monitoring.prometheus_operator import Existing
from components.monitoring.receivers import Url
from rollout.api.durations import Seconds

IMAGE = "quay.io/prometheus/prometheus:v3.13.2"
DISCOVERY_IMAGE = "docker.io/library/python:3.13.7-slim"
PORT = 9090
OWN_JOB = "pods"
SIZES: Sizes = {
    Size.SMALL: Resources("100m", "384Mi"),
    Size.MEDIUM: Resources("500m", "2Gi"),
    Size.LARGE: Resources("1000m", "8Gi"),
}


FULL = 0.9
"""Share of the volume that may be asked for: the log and a compaction need the rest."""


class PrometheusRequest(Request):
    """Of the monitor: one that starts, and holds something."""

    memory: Annotated[str, size_from("128Mi", "2Gi")] = Field(description="at least 128Mi")


class PrometheusSettings(WorkloadSettings):
    """Settings of a monitor."""

    image: Image = IMAGE
    scrape_interval: Annotated[Seconds, Field(ge=0.25, le=120)] = 15.0
    retention: Annotated[Seconds, Field(ge=60)] | None = Field(default=None, description="the tier's if not given")
    storage: Annotated[str, size_from("256Mi", "2Gi")] | None = Field(
        default="2Gi", description="volume; at least 256Mi; null forgets everything at a restart"
    )
    resources: PrometheusRequest | None = Field(
        default=None, description="of the main container; the tier's size if not given"
    )
    retention_size: RetentionSize | None = Field(
        default=None, description="at most so much; four fifths of the volume if not given, 1GB without one"
    )
    discovery: Literal["kubernetes", "sidecar"] = Field(
        default="kubernetes", description="sidecar: for builds of Prometheus that cannot ask Kubernetes themselves"
    )
    discovery_image: Image = Field(default=DISCOVERY_IMAGE, description="of the sidecar: any Python 3")
    existing: Existing | None = Field(
        default=None, description="one that is there is told with objects of the Prometheus Operator; none is run"
    )
    alertmanager: HostPort | None = Field(default=None, description="host:port that alerts are sent to")
    runbooks: Url | None = Field(
        default=None, description="URL of the folder with runbooks, noted on every alert; docs/runbooks if not given"
    )
    namespaces: list[Namespace] = Field(default_factory=list, description="scraped besides the stack's own")
    alerts: Annotated[dict[Word, OwnAlert], Field(max_length=200)] = Field(
        default_factory=dict, description="alerts of your own by name"
    )
    scrape: Annotated[dict[Label, Scrape], Field(max_length=50)] = Field(
        default_factory=dict, description="targets outside of the stack, by the name of their job"
    )

    @field_validator("retention_size")
    @classmethod
    def _fits_its_volume(cls, kept: str | None, info: ValidationInfo) -> str | None:
        storage = info.data.get("storage")
        if kept and storage and retention_bytes(kept) > FULL * bytes_of(storage):
            raise ValueError(f"is more than nine tenths of storage {storage}; give less, or leave it out")
        return kept

    @model_validator(mode="after")
    def _of_somebody_else(self) -> PrometheusSettings:
        ours = sorted({"alertmanager", "image", "retention", "retention_size", "storage"} & self.model_fields_set)
        if self.existing and ours:
            key = to_camel(ours[0])
            raise ValueError(f"{key}: whoever runs the existing Prometheus decides that; leave out {key}, or existing")
        return self

    @field_validator("scrape")
    @classmethod
    def _has_names_of_its_own(cls, scrape: dict[str, Scrape]) -> dict[str, Scrape]:
        if OWN_JOB in scrape:
            raise ValueError(f"{OWN_JOB} is the job of the stack's own pods; use another name")
        return scrape

    @property
    def kept_size(self) -> str:
        """How much is kept at most; the log of the newest samples comes on top."""
        if self.retention_size:
            return self.retention_size
        return f"{share_of(self.storage, 0.8)}MB" if self.storage else "1GB"
