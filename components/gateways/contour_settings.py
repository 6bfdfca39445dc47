"""What a stack file may say about the gateway, and the numbers its two parts agree on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from components.model.mistakes import nearest
from components.model.pods import Resources, Sizes
from components.model.profiles import Size
from components.model.quantities import size_from
from components.model.settings import ComponentSettings, Placement, Request
from components.model.values import (
    Annotations,
    Image,
    Limit,
    Namespace,
    ObjectName,
    choice,
)
from components.workloads.encryption import Issuer
from rollout.api.durations import duration_of

if TYPE_CHECKING:
    from collections.abc import Mapping

CONTOUR_IMAGE = "ghcr.io/projectcontour/contour:v1.33.8"
ENVOY_IMAGE = "docker.io/envoyproxy/envoy:distroless-v1.38.9"
CONTROLLER_NAME = "projectcontour.io/gateway-controller"
XDS_PORT = 8001
STATS_PORT = 8002
CONTOUR_METRICS_PORT = 8003
SHUTDOWN_PORT = 8090
HTTP_PORT = 8080
HTTPS_PORT = 8443
CONTOUR_SIZES: Sizes = {
    Size.SMALL: Resources("50m", "128Mi"),
    Size.MEDIUM: Resources("100m", "256Mi"),
    Size.LARGE: Resources("250m", "512Mi"),
}
ENVOY_SIZES: Sizes = {
    Size.SMALL: Resources("100m", "192Mi"),
    Size.MEDIUM: Resources("500m", "512Mi"),
    Size.LARGE: Resources("1000m", "1Gi"),
}
CONTOUR_KEYS = {
    "gateway", "accesslog-format", "accesslog-level", "json-fields", "disablePermitInsecure",
    "disableAllowChunkedLength", "timeouts", "cluster", "network", "tls",
}  # fmt: skip
"""Parts of Contour's configuration that are written from other settings."""

CONTOUR_KNOWS = {
    *CONTOUR_KEYS,
    "accesslog-format-string", "compression", "debug", "default-http-versions", "disableMergeSlashes",
    "enableExternalNameService", "envoy-service-name", "envoy-service-namespace", "featureFlags", "globalExtAuth",
    "incluster", "ingress-status-address", "json-fields", "kubeconfig", "kubernetesClientBurst", "kubernetesClientQPS",
    "listener", "metrics", "omEnforcedHealthListener", "policy", "rateLimitService", "runtime-settings", "server",
    "serverHeaderTransformation", "tls", "tracing",
}  # fmt: skip
"""First keys of Contour 1.33's configuration (its struct `Parameters`): with another one it does not start."""

LOGGED = (
    "@timestamp", "method", "authority", "path", "protocol", "response_code", "response_flags", "bytes_received",
    "bytes_sent", "duration", "request_id", "downstream_remote_address", "upstream_cluster", "upstream_host",
)  # fmt: skip
"""What a line of the access log has: no query, no Authorization, no cookie, nothing of a body."""

LOGGABLE = {
    **{name: name for name in LOGGED},
    "path": "path=%REQ_WITHOUT_QUERY(X-ENVOY-ORIGINAL-PATH?:PATH)%",
    **{
        name: name
        for name in (
            "user_agent", "x_forwarded_for", "x_trace_id", "upstream_service_time", "requested_server_name",
            "downstream_tls_version", "response_code_details", "grpc_status", "grpc_status_number",
            "upstream_transport_failure_reason",
        )
    },
}  # fmt: skip
"""Fields by name, as Contour writes them; it knows of no query field by its name."""

_ELSEWHERE = "use the kind envoy-gateway for it"
_CANNOT = {
    "jwt": f"Contour checks tokens for its own HTTPProxy alone, whose weights no release moves; {_ELSEWHERE}",
    "oidc": f"Contour sends nobody to log in; {_ELSEWHERE}",
    "rateLimits": "Contour counts for its own HTTPProxy alone, whose weights no release moves; "
    f"{_ELSEWHERE}, or a service of yours that counts: contourConfig.rateLimitService",
    "cors": f"Contour answers for other origins on its own HTTPProxy alone; {_ELSEWHERE}",
    "maxRequest": f"Contour limits no sizes; {_ELSEWHERE}",
    "retries": f"Contour cannot tell by an Idempotency-Key what may be sent twice, and sends nothing twice; "
    f"{_ELSEWHERE}",
    "loggedQuery": f"Contour writes no single fields of a query, and Grayling lets it write none at all; {_ELSEWHERE}",
}
"""What the other gateway has and Contour has not is told as such, not as a word that nobody knows."""

UNUSED = ("extensionservices", "tlsroutes", "tcproutes", "backendtlspolicies")


LOWEST_TLS = "minimum-protocol-version"
ISSUED_WHERE = "tlsIssuer: the certificate needs a Secret to be in; name it with tlsSecret"
IDLE_STREAM_SECONDS = 300.0
"""Silence after which Envoy ends a request by itself."""


def written(seconds: float) -> str:
    """A limit as Contour's configuration wants it."""
    return duration_of(seconds) if seconds else "infinity"


def refused(data: Any, cannot: Mapping[str, str]) -> Any:
    """Settings as they came, if they have none of what ``cannot`` be done here, by key with the reason.

    Raises:
        ValueError: they have.
    """
    for key, why in cannot.items():
        if isinstance(data, dict) and key in data:
            raise ValueError(f"{key}: {why}")
    return data


class Exposure(ComponentSettings):
    """How the proxies are reached from outside."""

    type: Literal["NodePort", "LoadBalancer", "ClusterIP"] = "LoadBalancer"
    http_node_port: Annotated[int, Field(ge=30000, le=32767)] | None = None
    annotations: Annotations = Field(default_factory=dict, description="for the cloud's load balancer")


class ProxyRequest(Request):
    """Of the proxies and their control plane: one that starts, and holds something."""

    memory: Annotated[str, size_from("64Mi", "256Mi")] = Field(description="at least 64Mi")


class GatewaySettings(Placement):
    """Settings of a gateway."""

    contour_image: Image = CONTOUR_IMAGE
    envoy_image: Image = ENVOY_IMAGE
    exposure: Exposure = Exposure()
    namespaces: list[Namespace] = Field(
        default_factory=list,
        description="whose routes it carries too; `all` for every one of the cluster",
    )
    contour_replicas: Annotated[int, Field(ge=1, le=5)] | None = None
    envoy_replicas: Annotated[int, Field(ge=1, le=100)] | None = None
    contour_resources: ProxyRequest | None = Field(default=None, description="the tier's size if not given")
    envoy_resources: ProxyRequest | None = Field(default=None, description="the tier's size if not given")
    tls_secret: ObjectName | None = Field(default=None, description="Secret with a certificate: opens port 443 as well")
    tls_issuer: Issuer | None = Field(default=None, description="of cert-manager, which makes and renews `tlsSecret`")
    tls_min_version: Literal["1.2", "1.3"] = Field(default="1.3", description="older clients are refused")
    request_timeout: Limit = Field(
        default=0.0,
        description="until an answer is there, else 504; 0s or infinity for no limit; a service may say another",
    )
    contour_config: dict[str, Any] = Field(
        default_factory=dict, description="further parts of Contour's configuration file, by their first key"
    )
    access_log: Literal["info", "error", "critical", "disabled"] = "info"
    logged_fields: Annotated[list[Annotated[str, choice(tuple(LOGGABLE), "field")]], Field(min_length=1)] = Field(
        default_factory=lambda: list(LOGGED), description="of each request; its path comes without the query"
    )
    trusted_hops: Annotated[int, Field(ge=0, le=10)] = Field(default=0, description="proxies in front of this one")
    drain_seconds: Annotated[int, Field(ge=1, le=3600)] = Field(
        default=30, description="how long a proxy that stops waits for its open connections"
    )

    @property
    def answers_within(self) -> float:
        """Seconds until an answer has to be there; 0 for no limit, as the Gateway API writes it."""
        return self.request_timeout

    @model_validator(mode="before")
    @classmethod
    def _can_be_done(cls, data: Any) -> Any:
        return refused(data, _CANNOT)

    @field_validator("logged_fields")
    @classmethod
    def _once(cls, fields: list[str]) -> list[str]:
        if again := {name for name in fields if fields.count(name) > 1}:
            raise ValueError(f"{min(again)} is there twice; once is enough")
        return fields

    @field_validator("contour_config")
    @classmethod
    def _adds_and_replaces_nothing(cls, more: dict[str, Any]) -> dict[str, Any]:
        for key in sorted(more.keys() & (CONTOUR_KEYS - {"tls"})):
            raise ValueError(f"{key}: is set by Grayling from the other settings; leave it out")
        if "tls" in more and (not isinstance(more["tls"], dict) or LOWEST_TLS in more["tls"]):
            raise ValueError(f"tls: has keys of its own, and {LOWEST_TLS} is not one; use tlsMinVersion for that")
        for key in sorted(more.keys() - CONTOUR_KNOWS):
            fix = nearest(key, sorted(CONTOUR_KNOWS - CONTOUR_KEYS))
            raise ValueError(f"{key}: Contour knows no such key and would not start; {fix}")
        return more

    @model_validator(mode="after")
    def _port_has_a_type(self) -> GatewaySettings:
        if self.exposure.http_node_port and self.exposure.type == "ClusterIP":
            raise ValueError("exposure.httpNodePort: a ClusterIP has no node port; set exposure.type: NodePort")
        if self.tls_issuer and not self.tls_secret:
            raise ValueError(ISSUED_WHERE)
        return self
