"""What a stack file may say of NATS, and the numbers that its parts agree on."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from components.middleware.nats_topology import NatsTopology
from components.model.pods import Resources, Sizes
from components.model.profiles import Size
from components.model.quantities import size_from
from components.model.settings import ComponentSettings, Request, WorkloadSettings
from components.model.values import Image, Label, ObjectName, said, whole
from components.workloads.encryption import Tls
from components.workloads.extra_config import Keyword

IMAGE = "docker.io/library/nats:2.15.2-alpine"
EXPORTER_IMAGE = "docker.io/library/python:3.13.7-slim"
PORT = 4222
CLUSTER_PORT = 6222
MONITOR_PORT = 8222
METRICS_PORT = 7777
SIZES: Sizes = {
    Size.SMALL: Resources("50m", "128Mi"),
    Size.MEDIUM: Resources("250m", "512Mi"),
    Size.LARGE: Resources("1000m", "2Gi"),
}
PID_FILE = "/tmp/nats.pid"  # noqa: S108 - in the pod
STORE = "/data"
SYSTEM = "SYS"
SHARED = "SERVICES"
"""The account of services that no other one names."""

ROUTE_USER = "route"
PASSWORDS = "PASSWORD_"
OF_VOLUME, OF_MEMORY = 0.8, 0.25
"""Parts that JetStream may fill: the rest is for its logs, and for the server."""

FLAG, DURATION, COUNT = r"true|false", r"[0-9]{1,9}(ms|s|m|h)", r"[0-9]{1,12}(KB|MB|GB)?"
FLAGS = ("debug", "disable_sublist_cache", "logtime", "logtime_utc", "no_header_support", "trace", "trace_verbose")
DURATIONS = ("ping_interval", "write_deadline")


class Limits(ComponentSettings):
    """Services that share subjects and streams, apart from all others, and how much they may keep."""

    services: Annotated[list[Label], Field(min_length=1, max_length=200)] = Field(description="those that use it")
    max_storage: Annotated[str, size_from("1Mi", "512Mi")] | None = Field(
        default=None, description="on each volume; as much as there is if not given"
    )
    max_memory: Annotated[str, size_from("1Mi", "64Mi")] | None = Field(
        default=None, description="in the memory of each member; as much as there is if not given"
    )
    max_streams: Annotated[int, Field(ge=1, le=100_000)] | None = None
    max_consumers: Annotated[int, Field(ge=1, le=1_000_000)] | None = None


class NatsRequest(Request):
    """Of a server: one that starts, and holds something."""

    memory: Annotated[str, size_from("64Mi", "512Mi")] = Field(description="at least 64Mi")


AccountName = Annotated[
    str,
    said(whole(r"[a-z][a-z0-9-]{0,62}", 63), "is no name of an account", "use a-z, 0-9 and -, a letter first"),
]


class NatsSettings(WorkloadSettings):
    """Settings of a NATS with JetStream."""

    image: Image = IMAGE
    exporter_image: Image = Field(default=EXPORTER_IMAGE, description="of the sidecar with the metrics: any Python 3")
    members: Literal[1, 3, 5] | None = Field(default=None, description="an odd number, so that a majority exists")
    storage: Annotated[str, size_from("64Mi", "10Gi")] = Field(
        default="1Gi", description="volume of each member, of which JetStream fills 80 %; at least 64Mi"
    )
    resources: NatsRequest | None = Field(
        default=None, description="of the main container; the tier's size if not given"
    )
    accounts: dict[AccountName, Limits] = Field(
        default_factory=dict, description="services that are kept apart from the others, by name of their account"
    )
    topology: NatsTopology | None = Field(
        default=None,
        description="streams, consumers, buckets; needs a component `topology`, which makes it true",
    )
    sync_always: bool = Field(
        default=False, description="each message is on the disk before its acknowledgement, and not only in its cache"
    )
    tls: Tls | None = Field(default=None, description="encrypted where it is given; {} makes a certificate")
    extra_config: Annotated[dict[Keyword, str | int | bool], Field(max_length=64)] = Field(
        default_factory=dict, description="further settings of nats.conf by key"
    )
    auth_secret: ObjectName | None = Field(
        default=None,
        description="existing Secret (username, password, route, url) of the administrator; generated if not given",
    )


def setting(key: str, value: str | int | bool) -> str:  # noqa: FBT001 - as the stack file has it
    """What the configuration says for ``key``; a number with a unit of time is a count of millions without quotes.

    Raises:
        ValueError: the server would not start with it.
    """
    written = str(value).lower() if isinstance(value, bool) else str(value)
    if key in FLAGS:
        pattern, example = FLAG, "true or false"
    elif key in DURATIONS:
        pattern, example = DURATION, "10s"
    else:
        pattern, example = COUNT, "1000 or 8MB"
    if not whole(pattern, 20)(written):
        raise ValueError(f"extraConfig.{key}: {written!r} is no value of it; write it like {example}")
    return f'"{written}"' if key in DURATIONS else written
