"""What a stack file may say of a trace store, and the numbers that its parts agree on."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from components.model.pods import Resources, Sizes
from components.model.profiles import Size
from components.model.quantities import size_from
from components.model.settings import ComponentSettings, Request, WorkloadSettings
from components.model.values import Image, ObjectName, said, whole
from components.workloads.encryption import Tls
from rollout.api.durations import Seconds

IMAGE = "docker.io/jaegertracing/jaeger:2.13.0"
GRPC_PORT, HTTP_PORT, QUERY_PORT, METRICS_PORT, HEALTH_PORT = 4317, 4318, 16686, 8888, 13133
SIZES: Sizes = {
    Size.SMALL: Resources("100m", "256Mi"),
    Size.MEDIUM: Resources("250m", "1Gi"),
    Size.LARGE: Resources("1000m", "4Gi"),
}
CONFIG, DATA, LOGIN = "/etc/jaeger", "/badger", "/run/login"
INDEX_CA = "/etc/grayling/index"
MOST_IN_MEMORY = 50_000
"""Traces; the oldest go first."""

Url = Annotated[
    str,
    said(
        whole(r"https?://[^\s/@?#]+(:[0-9]{1,5})?", 300),
        "is no address",
        "write it like https://opensearch.example.com:9200, the login in authSecret",
    ),
]


class JaegerRequest(Request):
    """Of the store: one that starts, and answers."""

    memory: Annotated[str, size_from("128Mi", "1Gi")] = Field(description="at least 128Mi")


class Index(ComponentSettings):
    """An OpenSearch or Elasticsearch that somebody else runs."""

    program: Literal["opensearch", "elasticsearch"] = "opensearch"
    urls: Annotated[list[Url], Field(min_length=1, max_length=10)] = Field(description="addresses of its nodes")
    auth_secret: ObjectName | None = Field(default=None, description="existing Secret with `username` and `password`")
    ca_secret: ObjectName | None = Field(
        default=None, description="existing Secret whose `ca.crt` is trusted; the system's authorities if not given"
    )
    prefix: Annotated[str, said(whole(r"[a-z][a-z0-9-]*", 50), "is no prefix", "use a-z, 0-9 and -")] = Field(
        default="jaeger", description="of its indexes"
    )


class JaegerSettings(WorkloadSettings):
    """Settings of a trace store."""

    image: Image = IMAGE
    store: Literal["memory", "badger", "index"] = Field(
        default="badger", description="memory forgets at a restart; badger has a volume; index is somebody else's"
    )
    storage: Annotated[str, size_from("256Mi", "10Gi")] = Field(default="10Gi", description="volume of badger")
    retention: Annotated[Seconds, Field(ge=3600, le=365 * 86400)] = Field(
        default=7 * 86400.0, description="of badger; an index has rules of its own"
    )
    index: Index | None = None
    replicas: Annotated[int, Field(ge=1, le=20)] | None = Field(
        default=None, description="with an index; the tier's if not given"
    )
    resources: JaegerRequest | None = Field(
        default=None, description="of the main container; the tier's size if not given"
    )
    auth_secret: ObjectName | None = Field(
        default=None,
        description="existing Secret with `username`, `password`, `users`, `url` and `authorization`; "
        "one is generated if not given",
    )
    tls: Tls | None = Field(default=None, description="encrypted where it is given; {} makes a certificate")

    @model_validator(mode="after")
    def _one_store(self) -> JaegerSettings:
        if (self.store == "index") != (self.index is not None):
            raise ValueError("index: goes with store: index; give both, or neither")
        if self.replicas is not None and self.store != "index":
            raise ValueError(f"replicas: store {self.store} has one pod; leave it out, or set store: index")
        return self
