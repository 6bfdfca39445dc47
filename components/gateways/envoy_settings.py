"""What a stack file may say about an Envoy Gateway: how it stands, whom it lets in, and how much of it."""

from __future__ import annotations

import json
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from components.gateways.contour_settings import ENVOY_IMAGE, ISSUED_WHERE, Exposure, ProxyRequest
from components.model.pods import Resources, Sizes
from components.model.profiles import Size
from components.model.quantities import size_from
from components.model.settings import ComponentSettings, Placement
from components.model.values import Image, Label, Limit, Namespace, ObjectName, said, whole
from components.workloads.egress import Egress
from components.workloads.encryption import Issuer

CONTROL_IMAGE = "docker.io/envoyproxy/gateway:v1.9.1"
XDS_PORT, HEALTH_PORT, CONTROL_METRICS_PORT = 18000, 8081, 19001
STATS_PORT, HTTP_PORT, HTTPS_PORT = 19001, 10080, 10443
"""Where Envoy Gateway lets its proxies listen: theirs for statistics, and 10000 above a port that needs rights."""

CONTROL_SIZES: Sizes = {
    Size.SMALL: Resources("50m", "256Mi"),
    Size.MEDIUM: Resources("100m", "512Mi"),
    Size.LARGE: Resources("250m", "1Gi"),
}
IDEMPOTENT = ("DELETE", "GET", "HEAD", "OPTIONS", "PUT", "TRACE")
"""Asked twice, they do what they did once (RFC 9110, 9.2.2)."""

Method = Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
USUAL_METHODS: tuple[Method, ...] = ("GET", "HEAD", "POST")
HeaderName = Annotated[
    str, said(whole(r"[A-Za-z0-9-]+", 128), "is no name of a header", "use letters, digits and -, like X-Request-Id")
]
FieldName = Annotated[
    str, said(whole(r"[A-Za-z0-9_.-]+", 128), "is no name of a query field", "use letters, digits, _, . and -")
]
Origin = Annotated[
    str,
    said(
        whole(r"\*|https?://(\*\.)?[A-Za-z0-9][A-Za-z0-9.-]*(:[0-9]{1,5})?", 253),
        "is no origin",
        "write it like https://shop.example.com, https://*.example.com or *",
    ),
]
HttpsUrl = Annotated[
    str,
    said(whole(r"https://[!-~]+", 512), "is no address of HTTPS", "write it like https://id.example.com/realms/shop"),
]
Word = Annotated[str, said(whole(r"[!-~]+", 512), "is no word", "use letters, digits and signs without spaces")]
_SECRET_PARTS = {"d", "p", "q", "dp", "dq", "qi", "k"}


def problem_of_keys(text: str) -> str:
    """What is wrong with a set of keys that tokens are checked with; empty where nothing is."""
    try:
        keys = json.loads(text)["keys"]
        parts = {part for key in keys for part in key}
    except (ValueError, KeyError, TypeError):
        return 'is no set of keys; write {"keys": [...]}, as the issuer shows it'
    if not keys:
        return "has no keys, so that no token would be taken; write those of the issuer"
    if _SECRET_PARTS & parts:
        return "has secret parts of keys; write the public ones alone, and give the issuer new keys"
    return ""


class Jwt(ComponentSettings):
    """One issuer whose tokens are taken: signed by its keys, not over, and made for one of the audiences."""

    name: ObjectName = Field(description="for the log")
    keycloak: Label | None = Field(
        default=None, description="component of this stack that is the issuer; it says its name, keys and authority"
    )
    issuer: Word | None = Field(default=None, description="claim `iss` of its tokens")
    audiences: Annotated[list[Word], Field(min_length=1, max_length=8)] = Field(
        description="a token must name one of them in `aud`: those that were made for others are refused"
    )
    jwks_uri: HttpsUrl | None = Field(default=None, description="where its keys are; needs `egress` for the proxies")
    jwks: str | None = Field(default=None, description="its public keys themselves, as JSON")
    claims: dict[HeaderName, Word] = Field(
        default_factory=dict, description="headers that services get, by name, each from a claim"
    )

    @model_validator(mode="after")
    def _one_place(self) -> Jwt:
        if self.keycloak is not None:
            if self.issuer or self.jwks_uri or self.jwks:
                raise ValueError("keycloak: says issuer and keys itself; leave issuer, jwksUri and jwks out")
            return self
        if self.issuer is None:
            raise ValueError("issuer: is missing; write the claim `iss` of its tokens, or name a component as keycloak")
        if (self.jwks_uri is None) == (self.jwks is None):
            raise ValueError("jwksUri: give the place of the keys, or the keys as jwks, and not both")
        if self.jwks is not None and (problem := problem_of_keys(self.jwks)):
            raise ValueError(f"jwks: {problem}")  # here, where no value is shown beside it: it may be a secret
        return self


class Oidc(ComponentSettings):
    """People are sent to log in, and come back with a session in a cookie (OAuth2 authorization code)."""

    issuer: HttpsUrl
    client_id: Word
    client_secret: ObjectName = Field(description="Secret with the key client-secret")
    redirect_url: HttpsUrl = Field(description="at this gateway; the issuer has to know it")
    logout_path: Annotated[str, said(whole(r"/[!-~]*", 512), "is no path", "write it like /logout")] = "/logout"
    scopes: Annotated[list[Word], Field(max_length=16)] = Field(default_factory=list, description="besides openid")


class RateLimit(ComponentSettings):
    """So many requests are answered by each proxy; what is more gets 429."""

    requests: Annotated[int, Field(ge=1, le=1_000_000)]
    per: Literal["second", "minute", "hour", "day"] = "second"
    header: HeaderName | None = Field(
        default=None, description="counted for each value of it; all together if not given"
    )


class Cors(ComponentSettings):
    """Which pages of other origins may read answers."""

    origins: Annotated[list[Origin], Field(min_length=1, max_length=64)]
    methods: Annotated[list[Method], Field(min_length=1)] = Field(default_factory=lambda: list(USUAL_METHODS))
    headers: Annotated[list[HeaderName], Field(max_length=64)] = Field(
        default_factory=list, description="they may send"
    )
    exposed: Annotated[list[HeaderName], Field(max_length=64)] = Field(
        default_factory=list, description="they may read"
    )
    max_age: Limit = Field(default=600.0, description="how long a browser remembers the answer")
    credentials: bool = Field(default=False, description="cookies and Authorization are sent along")

    @model_validator(mode="after")
    def _not_everybody_as_everybody(self) -> Cors:
        if self.credentials and "*" in self.origins:
            raise ValueError("origins: with credentials every page could act for whoever visits it; name the origins")
        return self


class Retries(ComponentSettings):
    """Requests that may be sent twice are tried again when a pod cannot be reached or answers 502, 503 or 504."""

    attempts: Annotated[int, Field(ge=1, le=5)] = 2
    idempotency_header: HeaderName = Field(
        default="Idempotency-Key", description="with it a POST or PATCH is tried again too; services must honour it"
    )


class EnvoyGatewaySettings(Placement):
    """Settings of an Envoy Gateway."""

    control_image: Image = Field(default=CONTROL_IMAGE, description="of the control plane, and beside each proxy")
    envoy_image: Image = ENVOY_IMAGE
    exposure: Exposure = Exposure()
    namespaces: list[Namespace] = Field(default_factory=list, description="whose routes it carries too")
    control_replicas: Annotated[int, Field(ge=1, le=5)] | None = None
    envoy_replicas: Annotated[int, Field(ge=1, le=100)] | None = None
    control_resources: ProxyRequest | None = Field(default=None, description="the tier's size if not given")
    envoy_resources: ProxyRequest | None = Field(default=None, description="the tier's size if not given")
    egress: Annotated[list[Egress], Field(max_length=32)] = Field(
        default_factory=list, description="where proxies and control plane may connect to: issuers of tokens"
    )
    tls_secret: ObjectName | None = Field(default=None, description="Secret with a certificate: opens port 443 as well")
    tls_issuer: Issuer | None = Field(default=None, description="of cert-manager, which makes and renews `tlsSecret`")
    tls_min_version: Literal["1.2", "1.3"] = Field(default="1.3", description="older clients are refused")
    request_timeout: Limit = Field(
        default=0.0,
        description="until an answer is there, else 504; 0s or infinity for no limit; a service may say another",
    )
    jwt: Annotated[list[Jwt], Field(max_length=8)] = Field(
        default_factory=list, description="with any, every request needs a token of one of them, else 401"
    )
    oidc: Oidc | None = None
    rate_limits: Annotated[list[RateLimit], Field(max_length=16)] = Field(default_factory=list)
    cors: Cors | None = None
    max_request: Annotated[str, size_from("1Ki", "1Mi")] | None = Field(
        default=None, description="larger bodies get 413; each is held in memory until it is whole"
    )
    retries: Retries | None = None
    access_log: bool = Field(default=True, description="a line a request, without headers that hold secrets")
    logged_query: Annotated[list[FieldName], Field(max_length=16)] = Field(
        default_factory=list, description="query fields that the access log has; of others nothing is written"
    )
    trusted_hops: Annotated[int, Field(ge=0, le=10)] = Field(default=0, description="proxies in front of this one")
    drain_seconds: Annotated[int, Field(ge=1, le=3600)] = Field(
        default=30, description="how long a proxy that stops waits for its open connections"
    )

    @property
    def answers_within(self) -> float:
        """Seconds until an answer has to be there; 0 for no limit."""
        return self.request_timeout

    @field_validator("jwt")
    @classmethod
    def _names_differ(cls, found: list[Jwt]) -> list[Jwt]:
        names = [each.name for each in found]
        for index, name in enumerate(names):
            if name in names[:index]:
                raise ValueError(f"{index}.name: {name!r} is there twice; give each issuer a name of its own")
        return found

    @field_validator("namespaces")
    @classmethod
    def _named(cls, found: list[str]) -> list[str]:
        if "all" in found:
            raise ValueError("all: Envoy Gateway would need the right to read the Secrets of all; name the namespaces")
        return found

    @model_validator(mode="after")
    def _parts_fit(self) -> EnvoyGatewaySettings:
        if self.exposure.http_node_port and self.exposure.type == "ClusterIP":
            raise ValueError("exposure.httpNodePort: a ClusterIP has no node port; set exposure.type: NodePort")
        if self.tls_issuer and not self.tls_secret:
            raise ValueError(ISSUED_WHERE)
        if self.oidc and not self.tls_secret:
            raise ValueError("oidc: a session must not travel in the clear; give tlsSecret too")
        return self
