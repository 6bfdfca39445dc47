"""What a stack file may say of a Consul, and the numbers that its parts agree on."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from components.model.pods import Resources, Sizes
from components.model.profiles import Size
from components.model.quantities import size_from
from components.model.settings import ComponentSettings, Request, WorkloadSettings
from components.model.values import Image, Label, ObjectName, SecretField
from components.workloads.encryption import Tls

IMAGE = "docker.io/hashicorp/consul:1.21.5"
METRICS_IMAGE = "docker.io/library/python:3.13.7-slim"
HTTP_PORT, HTTPS_PORT, RPC_PORT, GOSSIP_PORT, METRICS_PORT = 8500, 8501, 8300, 8301, 9107
CONFIG, SECRETS, DATA, PROGRAM = "/etc/consul", "/run/consul", "/consul/data", "/etc/metrics"
SIZES: Sizes = {
    Size.SMALL: Resources("100m", "256Mi"),
    Size.MEDIUM: Resources("250m", "512Mi"),
    Size.LARGE: Resources("1000m", "2Gi"),
}


class ConsulRequest(Request):
    """Of a server: one that starts, and holds something."""

    memory: Annotated[str, size_from("128Mi", "512Mi")] = Field(description="at least 128Mi")


class Token(ComponentSettings):
    """A token that somebody made for a service, with the rights that it needs."""

    secret: ObjectName = Field(description="existing Secret")
    key: SecretField = Field(default="token", description="in it")


class ConsulSettings(WorkloadSettings):
    """Settings of a Consul: servers alone, no agents."""

    image: Image = IMAGE
    metrics_image: Image = Field(default=METRICS_IMAGE, description="any with Python: its metrics ask for a token")
    members: Literal[1, 3, 5] | None = Field(
        default=None, description="servers, an odd number, so that a majority exists; the tier's if not given"
    )
    storage: Annotated[str, size_from("256Mi", "10Gi")] = Field(
        default="1Gi", description="volume of each server; at least 256Mi"
    )
    resources: ConsulRequest | None = Field(
        default=None, description="of the main container; the tier's size if not given"
    )
    datacenter: Label = Field(default="dc1", description="as Consul calls it; never change it")
    tokens: dict[Label, Token] = Field(
        default_factory=dict, description="by service: each that uses it needs one, for nothing is allowed without"
    )
    log_level: Literal["trace", "debug", "info", "warn", "error"] = "info"
    auth_secret: ObjectName | None = Field(
        default=None,
        description="existing Secret (`token` of the first administrator, `secrets.json`); generated if not given",
    )
    tls: Tls | None = Field(default=None, description="encrypted where it is given; {} makes a certificate")
