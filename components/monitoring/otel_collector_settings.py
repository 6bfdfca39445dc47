"""What a stack file may say of a collector, and the numbers that its parts agree on."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from components.model.pods import Resources, Sizes
from components.model.profiles import Size
from components.model.quantities import size_from
from components.model.settings import ComponentSettings, Request, WorkloadSettings
from components.model.values import HostPort, Image, Label, Namespace, ObjectName, said, whole
from components.workloads.encryption import Tls

IMAGE = "docker.io/otel/opentelemetry-collector-contrib:0.165.0"
GRPC_PORT, HTTP_PORT, METRICS_PORT, HEALTH_PORT = 4317, 4318, 8888, 13133
SIZES: Sizes = {
    Size.SMALL: Resources("100m", "256Mi"),
    Size.MEDIUM: Resources("250m", "512Mi"),
    Size.LARGE: Resources("1000m", "2Gi"),
}
SIEM = "siem"
"""How a rule names the sink outside of the stack."""

QUEUE = "/var/lib/otelcol"
CONFIG = "/etc/otelcol"
POD_LOGS = "/var/log/pods"

FieldName = Annotated[
    str,
    said(
        whole(r"[A-Za-z0-9]+([._-][A-Za-z0-9]+){0,7}", 80),
        "is no name of a field",
        "write it like email or patient.name",
    ),
]
Text = Annotated[str, Field(min_length=1, max_length=200)]
Url = Annotated[
    str,
    said(
        whole(r"https?://[^\s/@?#]+(/[^\s@?#]*)?", 500),
        "is no address",
        "write it like https://siem.example.com:8443/logs, the login in tokenSecret",
    ),
]
Severity = Literal["trace", "debug", "info", "warn", "error", "fatal"]


class CollectorRequest(Request):
    """Of the collector: one that starts."""

    memory: Annotated[str, size_from("128Mi", "512Mi")] = Field(description="at least 128Mi")


class Siem(ComponentSettings):
    """A sink outside of the stack: syslog (RFC 5424 over TCP with TLS), or HTTP (OTLP as JSON)."""

    syslog: HostPort | None = Field(default=None, description="host:port; always encrypted")
    http: Url | None = Field(default=None, description="address that takes OTLP as JSON")
    ca_secret: ObjectName | None = Field(
        default=None, description="existing Secret whose `ca.crt` is trusted; the system's authorities if not given"
    )
    token_secret: ObjectName | None = Field(
        default=None, description="existing Secret with `authorization`, the header that is sent; for http"
    )

    @model_validator(mode="after")
    def _one_way(self) -> Siem:
        if (self.syslog is None) == (self.http is None):
            raise ValueError("give one of syslog: host:port and http: address")
        if self.syslog and self.token_secret:
            raise ValueError("tokenSecret: syslog has no header; leave it out")
        return self


class Match(ComponentSettings):
    """Which lines a rule is for; all that is given must fit."""

    services: list[Text] = Field(default_factory=list, description="names of services (service.name)")
    severity: Severity | None = Field(default=None, description="this or worse")
    attributes: dict[Text, Text] = Field(default_factory=dict, description="attributes of the line and their values")

    @model_validator(mode="after")
    def _says_something(self) -> Match:
        if not (self.services or self.severity or self.attributes):
            raise ValueError("would fit every line; give services, severity or attributes")
        return self


class Rule(ComponentSettings):
    """What becomes of a class of lines."""

    match: Match
    days: Annotated[int, Field(ge=1, le=3650)] = Field(description="how long they are kept; a store keeps as many")
    to: Annotated[list[Label], Field(min_length=1, max_length=10)] = Field(
        description="stores of the stack by name, `siem` for the sink outside"
    )


class OtelCollectorSettings(WorkloadSettings):
    """Settings of a collector."""

    image: Image = IMAGE
    mode: Literal["gateway", "agent"] = Field(
        default="gateway", description="agent: on every node, reads the logs of the pods there"
    )
    replicas: Annotated[int, Field(ge=1, le=50)] | None = Field(
        default=None, description="of a gateway; the tier's if not given"
    )
    storage: Annotated[str, size_from("64Mi", "2Gi")] = Field(
        default="2Gi", description="what waits for its sinks: a volume of a gateway, a folder of an agent's node"
    )
    resources: CollectorRequest | None = Field(
        default=None, description="of the main container; the tier's size if not given"
    )
    tls: Tls | None = Field(default=None, description="encrypted where it is given; {} makes a certificate")
    mask: Annotated[list[FieldName], Field(max_length=50)] = Field(
        default_factory=list, description="fields with personal data, that no sink gets"
    )
    traces: Label | None = Field(default=None, description="the component that keeps traces")
    logs: Label | None = Field(default=None, description="the component that keeps lines which no rule is for")
    gateway: Label | None = Field(default=None, description="of an agent: the collector that everything is sent to")
    siem: Siem | None = Field(default=None, description="a sink outside of the stack")
    retention: Annotated[list[Rule], Field(max_length=20)] = Field(
        default_factory=list, description="classes of lines; the first rule that fits holds"
    )
    namespaces: list[Namespace] = Field(
        default_factory=list, description="of an agent: whose pods are read; the stack's own if not given"
    )

    @field_validator("replicas", "tls")
    @classmethod
    def _of_a_gateway(cls, value: object, info: ValidationInfo) -> object:
        if value is not None and info.data.get("mode") == "agent":
            raise ValueError("an agent has one pod on each node, and nobody connects to it; leave it out")
        return value

    @model_validator(mode="after")
    def _has_a_sink(self) -> OtelCollectorSettings:
        agent = self.mode == "agent"
        if not agent and (self.gateway or self.namespaces):
            raise ValueError("gateway and namespaces are of an agent; set mode: agent, or leave them out")
        if self.gateway and (self.traces or self.logs or self.siem or self.retention):
            raise ValueError("gateway: has sinks and rules of its own; leave traces, logs, siem and retention out here")
        if agent and self.traces:
            raise ValueError("traces: an agent reads logs alone; leave it out, and send traces to a gateway")
        if not (self.gateway or self.traces or self.logs):
            raise ValueError("sends nothing anywhere; give logs, traces or gateway, the name of a component")
        if self.retention and not self.logs:
            raise ValueError("retention: has no store for the lines that no rule is for; give logs")
        if any(SIEM in rule.to for rule in self.retention) != (self.siem is not None):
            raise ValueError("siem: is a sink that a rule names in `to`; give both, or neither")
        return self
