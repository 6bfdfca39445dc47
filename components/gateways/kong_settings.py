"""What a stack file may say about a Kong: how it stands, what goes where, whom it lets in, and how much of it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from components.gateways.contour_settings import ISSUED_WHERE, Exposure, refused
from components.gateways.envoy_settings import Cors, Method, RateLimit, Word, problem_of_keys
from components.gateways.kong_keys import unusable
from components.model.pods import Resources, Sizes
from components.model.profiles import Size
from components.model.quantities import size_from
from components.model.settings import ComponentSettings, WorkloadSettings
from components.model.values import Hostname, HttpPath, Image, Label, ObjectName, said, whole
from components.workloads.egress import Cidr
from components.workloads.encryption import Issuer
from rollout.api.durations import Seconds

HTTP_PORT, HTTPS_PORT, STATUS_PORT = 8000, 8443, 8100
SIZES: Sizes = {
    Size.SMALL: Resources("100m", "512Mi"),
    Size.MEDIUM: Resources("500m", "1Gi"),
    Size.LARGE: Resources("1000m", "2Gi"),
}
_ELSEWHERE = "use the kind envoy-gateway for it"
_CANNOT = {
    "oidc": f"Kong's free edition sends nobody to log in; {_ELSEWHERE}",
    "retries": f"Kong cannot tell by an Idempotency-Key what may be sent twice, and sends nothing twice; {_ELSEWHERE}",
    "trustedHops": "Kong trusts addresses, no number of proxies; name them in trustedProxies",
    "namespaces": f"Kong carries requests to services of its own stack alone; {_ELSEWHERE}",
}
_CANNOT_FOR_TOKENS = {
    "audiences": f"Kong's plugin checks no audience, services have to; leave it out, or {_ELSEWHERE}",
    "jwksUri": f"Kong's plugin fetches no keys; give the key as jwks, or {_ELSEWHERE}",
    "claims": f"Kong's plugin hands no claims on, services read the token; leave it out, or {_ELSEWHERE}",
}
"""What the other gateway has and Kong has not is told as such, not as a word that nobody knows."""

LogField = Annotated[str, said(whole(r"[A-Za-z0-9_]+", 128), "cannot be logged by nginx", "use letters, digits and _")]


class KongJwt(ComponentSettings):
    """One issuer whose tokens are taken: signed by its key, and not over."""

    name: ObjectName = Field(description="services get it as X-Consumer-Username")
    issuer: Word = Field(description="claim `iss` of its tokens")
    jwks: str = Field(description="its public key, as the issuer shows it: JSON with one key")

    @model_validator(mode="before")
    @classmethod
    def _can_be_done(cls, data: Any) -> Any:
        return refused(data, _CANNOT_FOR_TOKENS)

    @model_validator(mode="after")
    def _one_usable_key(self) -> KongJwt:
        if problem := problem_of_keys(self.jwks) or unusable(self.jwks):
            raise ValueError(f"jwks: {problem}")  # here, where no value is shown beside it: it may be a secret
        return self


class KongRoute(ComponentSettings):
    """Which requests go to which services of the stack."""

    hosts: Annotated[list[Hostname], Field(max_length=16)] = Field(
        default_factory=list, description="`<route>.<hostname suffix>` if none is given"
    )
    paths: Annotated[list[HttpPath], Field(min_length=1, max_length=16)] = Field(
        default_factory=lambda: ["/"], description="with which the path begins; services get it whole"
    )
    methods: Annotated[list[Method], Field(max_length=7)] = Field(
        default_factory=list, description="all if none is given"
    )
    to: Annotated[dict[Label, Annotated[int, Field(ge=1, le=1000)]], Field(min_length=1, max_length=8)] = Field(
        description="services of the stack by name, each with its weight: {orders: 1}"
    )


class KongSettings(WorkloadSettings):
    """Settings of a Kong."""

    image: Image = "docker.io/library/kong:3.9.1"
    replicas: Annotated[int, Field(ge=1, le=100)] | None = None
    exposure: Exposure = Exposure()
    routes: Annotated[dict[Label, KongRoute], Field(min_length=1, max_length=200)] = Field(
        description="what goes where, by name"
    )
    tls_secret: ObjectName | None = Field(default=None, description="Secret with a certificate: opens port 443 as well")
    tls_issuer: Issuer | None = Field(default=None, description="of cert-manager, which makes and renews `tlsSecret`")
    tls_min_version: Literal["1.2", "1.3"] = Field(default="1.3", description="older clients are refused")
    request_timeout: Annotated[Seconds, Field(ge=1, le=3600)] = Field(
        default=60.0, description="of silence between two parts of a request or an answer, else 504"
    )
    jwt: Annotated[list[KongJwt], Field(max_length=8)] = Field(
        default_factory=list, description="with any, every request needs a token of one of them, else 401"
    )
    rate_limits: Annotated[list[RateLimit], Field(max_length=4)] = Field(
        default_factory=list, description="one for each span of time, all counted alike; more gets 429"
    )
    cors: Cors | None = None
    max_request: Annotated[str, size_from("1Ki", "1Mi")] | None = Field(
        default=None, description="larger bodies get 413"
    )
    access_log: bool = Field(default=True, description="a line a request, without headers that hold secrets")
    logged_query: Annotated[list[LogField], Field(max_length=16)] = Field(
        default_factory=list, description="query fields that the access log has; of others nothing is written"
    )
    trusted_proxies: Annotated[list[Cidr], Field(max_length=32)] = Field(
        default_factory=list, description="whose X-Forwarded-For is believed"
    )
    drain_seconds: Annotated[int, Field(ge=5, le=3600)] = Field(
        default=30, description="how long a proxy that stops waits for its requests"
    )

    @model_validator(mode="before")
    @classmethod
    def _can_be_done(cls, data: Any) -> Any:
        return refused(data, _CANNOT)

    @field_validator("jwt")
    @classmethod
    def _issuers_differ(cls, found: list[KongJwt]) -> list[KongJwt]:
        for what in ("name", "issuer"):
            values = [getattr(each, what) for each in found]
            for index, value in enumerate(values):
                if value in values[:index]:
                    raise ValueError(f"{index}.{what}: {value!r} is there twice; give each issuer its own")
        return found

    @field_validator("rate_limits")
    @classmethod
    def _counted_once(cls, found: list[RateLimit]) -> list[RateLimit]:
        if len({each.header for each in found}) > 1:
            raise ValueError("header: Kong counts all of them by one header; use the same, or the kind envoy-gateway")
        if len({each.per for each in found}) < len(found):
            raise ValueError("per: Kong has one limit for each span of time; leave the larger one out")
        order = ("second", "minute", "hour", "day")
        counts = [each.requests for each in sorted(found, key=lambda each: order.index(each.per))]
        if counts != sorted(counts):
            raise ValueError("requests: a longer span of time cannot allow less than a shorter one; raise it")
        return found

    @model_validator(mode="after")
    def _parts_fit(self) -> KongSettings:
        if self.exposure.http_node_port and self.exposure.type == "ClusterIP":
            raise ValueError("exposure.httpNodePort: a ClusterIP has no node port; set exposure.type: NodePort")
        if self.tls_issuer and not self.tls_secret:
            raise ValueError(ISSUED_WHERE)
        return self
