"""What a stack file may say of a system that others run: where it is, who answers for it, how its health is asked."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, field_validator, model_validator

from components.externals.prober.target import DEFAULT_PORTS, ENCRYPTED, SCHEMES, How
from components.model.environment import Owner
from components.model.pods import Resources as PodResources
from components.model.pods import SecretKey, Sizes
from components.model.profiles import Size
from components.model.settings import ComponentSettings, WorkloadSettings
from components.model.values import (
    HttpPath,
    Image,
    Label,
    ObjectName,
    SecretField,
    choice,
    is_hostname,
)
from components.workloads.egress import Cidr
from rollout.api.durations import Seconds, seconds_of

SYSTEMS = (
    "erp", "crm", "mes", "his", "plc", "database", "broker", "http", "apigee", "mulesoft", "talend", "other",
)  # fmt: skip
METRICS_PORT = 9466
SIZES: Sizes = dict.fromkeys(Size, PodResources("10m", "96Mi"))
_SECRET = re.compile(r"://[^/?#]*@|[?&;](password|passwd|pwd|token|api[-_]?key|secret)=", re.IGNORECASE)
INSIDE = (".svc", ".svc.cluster")
"""How names end that only the search path of a pod completes."""


def address_of(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address that a host is; None for a name."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _url(text: str) -> str:
    """An address as users need it, in its one form.

    Raises:
        ValueError: it is none, or holds what belongs into a Secret.
    """
    example = "write it like https://erp.example.com/api or mllp://10.20.0.7:2575"
    scheme, separator, _ = text.partition("://")
    if not separator or not re.fullmatch(r"[!-~]+", text):
        raise ValueError(f"is no URL; {example}")
    if scheme not in SCHEMES:
        raise ValueError(f"has the scheme {scheme!r}; there are {', '.join(sorted(SCHEMES))}")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ValueError(f"is no URL; {example}") from None
    _host(parts.hostname or "", example)
    if port is None and scheme not in DEFAULT_PORTS:
        raise ValueError(f"has no port, and {scheme} has none of its own; {example}")
    return text


def _host(host: str, example: str) -> None:
    if found := address_of(host):
        if found.is_loopback or found.is_link_local or found.is_multicast or found.is_unspecified:
            raise ValueError(f"{host} is an address of the machine itself; name the one others reach it at")
    elif not is_hostname(host) or "*" in host:
        raise ValueError(f"has no host; {example}")
    elif "." not in host or host.endswith(INSIDE):
        raise ValueError(f"{host} is no full name; write it out, in a cluster like x.namespace.svc.cluster.local")


Url = Annotated[str, Field(max_length=500), AfterValidator(_url)]


class Credentials(ComponentSettings):
    """An existing Secret; each user gets its keys as variables ``<NAME>_<KEY>``."""

    secret: ObjectName = Field(description="existing Secret")
    keys: Annotated[list[SecretField], Field(min_length=1, max_length=20)] = Field(
        default_factory=lambda: ["username", "password"], description="what users get of it, as <NAME>_<KEY>"
    )


class Authority(ComponentSettings):
    """Who signed the system's certificate, where that is nobody whom everybody trusts."""

    secret: ObjectName = Field(description="existing Secret")
    key: SecretField = Field(default="ca.crt", description="in it")


class Health(ComponentSettings):
    """How the system is asked whether it is well."""

    kind: How | None = Field(default=None, description="tcp, http, mllp or opcua; by the URL's scheme if not given")
    path: HttpPath | None = Field(default=None, description="of the HTTP request; that of the URL if not given")
    statuses: Annotated[list[Annotated[int, Field(ge=100, le=599)]], Field(max_length=50)] = Field(
        default_factory=list, description="of HTTP that count as well; all below 500 if not given"
    )
    interval: Annotated[Seconds, Field(ge=1, le=3600)] = Field(default=15.0, description="from one look to the next")
    timeout: Annotated[Seconds, Field(ge=0.1, le=60)] = Field(default=5.0, description="until an answer is there")
    slow: Annotated[Seconds, Field(gt=0, le=60)] = Field(default=2.0, description="slower than this is an alert")
    expires_within: Annotated[Seconds, Field(ge=3600, le=31_536_000)] = Field(
        default=seconds_of("21d"), description="a certificate that ends within this is an alert"
    )

    @model_validator(mode="after")
    def _in_time(self) -> Health:
        if self.timeout > self.interval:
            raise ValueError("timeout: is longer than the interval; make it shorter, or the interval longer")
        return self


class ExternalSettings(WorkloadSettings):
    """Settings of a system that others run."""

    system: Annotated[str, choice(SYSTEMS, "system")] = Field(
        default="other", description=f"what it is: {', '.join(SYSTEMS)}"
    )
    url: Url = Field(description="where it is; the scheme says what it speaks")
    endpoints: Annotated[dict[Label, Url], Field(max_length=20)] = Field(
        default_factory=dict, description="further addresses by name; users get <NAME>_<ENDPOINT>_URL"
    )
    networks: Annotated[list[Cidr], Field(max_length=32)] = Field(
        default_factory=list,
        description="where its addresses are: egress goes there alone. Without it, and with a name in the URL, egress "
        "of its users is open to every address at its ports: a NetworkPolicy knows no names",
    )
    owner: Owner = Field(description="who answers for it, and is called when it is down")
    contact: Annotated[str, Field(max_length=200)] = Field(default="", description="how they are reached")
    contract: Annotated[str, Field(max_length=300)] | None = Field(
        default=None, description="what was agreed with them: a file of the project (OpenAPI, AsyncAPI), or a URL"
    )
    credentials: Credentials | None = None
    authority: Authority | None = Field(default=None, description="of its certificate, where it is a private one")
    health: Health | None = Field(default=Health(), description="null: nobody asks it")
    image: Image | None = Field(
        default=None, description="of the prober: that of Grayling's engine; the controller's if not given"
    )

    @model_validator(mode="before")
    @classmethod
    def _no_secret_is_repeated(cls, data: Any) -> Any:
        """Before anything else, since what is wrong with a value is told with the value."""
        if isinstance(data, dict):
            further = data.get("endpoints")
            urls = {f"endpoints.{name}": url for name, url in further.items()} if isinstance(further, dict) else {}
            for key, url in {"url": data.get("url"), **urls}.items():
                if isinstance(url, str) and _SECRET.search(url):
                    raise ValueError(f"{key}: holds credentials; name a Secret in `credentials`")
        return data

    @field_validator("endpoints")
    @classmethod
    def _main_is_the_url(cls, endpoints: dict[str, str]) -> dict[str, str]:
        if "main" in endpoints:
            raise ValueError("main: is the name of `url`; use another")
        return endpoints

    @model_validator(mode="after")
    def _fits(self) -> ExternalSettings:
        if self.authority and not any(urlsplit(each).scheme in ENCRYPTED for each in self.addresses.values()):
            raise ValueError("authority: no address begins with TLS; leave it out, or use a scheme that does")
        if self.health and self.health.kind is How.HTTP and urlsplit(self.url).scheme not in {"http", "https"}:
            raise ValueError("health.kind: the URL speaks no HTTP; leave it out, or use tcp")
        return self

    @property
    def addresses(self) -> dict[str, str]:
        """All URLs by name; ``main`` first."""
        return {"main": self.url, **dict(sorted(self.endpoints.items()))}

    @property
    def trusted(self) -> SecretKey | None:
        """The private authority, where there is one."""
        return SecretKey(self.authority.secret, self.authority.key) if self.authority else None
