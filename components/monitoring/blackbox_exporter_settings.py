"""What a stack file may say of probes: what is asked from inside the stack, and what a good answer is."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from components.model.pods import Resources, Sizes
from components.model.profiles import Size
from components.model.settings import ComponentSettings, WorkloadSettings
from components.model.values import Image, Label, ObjectName, host_and_port
from rollout.api.durations import Seconds, duration_of, seconds_of

IMAGE = "quay.io/prometheus/blackbox-exporter:v0.28.0"
PORT = 9115
CONFIG, TRUSTED_CAS = "/etc/blackbox", "/run/authorities"
SIZES: Sizes = dict.fromkeys(Size, Resources("20m", "64Mi"))
PORTS = {"http": 80, "https": 443, "tcp": 0, "tls": 0}
ENCRYPTED = {"https", "tls"}


def _target(text: str) -> str:
    """An address that can be asked.

    Raises:
        ValueError: it is none.
    """
    example = "write it like https://shop.example.com/health, tcp://db.example.com:5432 or tls://mail.example.com:993"
    if not text.isprintable() or " " in text or len(text) > 500:  # noqa: PLR2004 - of an address
        raise ValueError(f"is no address; {example}")
    parts = urlsplit(text)
    if parts.scheme not in PORTS or not parts.hostname:
        raise ValueError(f"is no address; {example}")
    if "@" in parts.netloc:
        raise ValueError("has a password in it, and Prometheus shows targets to all; ask without one")
    if not PORTS[parts.scheme] and (parts.port is None or parts.path):
        raise ValueError(f"has no port, or a path that {parts.scheme} does not know; {example}")
    host_and_port(address_of(text))
    return text


def address_of(target: str) -> str:
    """Its ``host:port``."""
    parts = urlsplit(target)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{host}:{parts.port or PORTS[parts.scheme]}"


class Asked(ComponentSettings):
    """One probe."""

    target: Annotated[str, AfterValidator(_target)] = Field(description="http, https, tcp or tls, with host and port")
    statuses: Annotated[list[Annotated[int, Field(ge=100, le=599)]], Field(max_length=50)] = Field(
        default_factory=list, description="of HTTP that are good; 200 to 299 if not given"
    )
    contains: Annotated[str, Field(min_length=1, max_length=500)] | None = Field(
        default=None, description="regular expression (RE2) that an HTTP answer must fit"
    )
    host: Annotated[str, Field(pattern=r"^[A-Za-z0-9.-]{1,253}$")] | None = Field(
        default=None, description="asked for instead of the target's, as a gateway tells services apart"
    )
    ca_secret: ObjectName | None = Field(
        default=None, description="existing Secret with ca.crt that the certificate is held against"
    )
    interval: Annotated[Seconds, Field(ge=1, le=3600)] = 30.0
    timeout: Annotated[Seconds, Field(ge=0.1, le=60)] = 5.0
    slow: Annotated[Seconds, Field(gt=0, le=60)] = Field(default=2.0, description="slower than this is an alert")
    expires_within: Annotated[Seconds, Field(ge=3600, le=31_536_000)] = Field(
        default=seconds_of("21d"), description="a certificate that ends within this is an alert"
    )

    @model_validator(mode="after")
    def _fits(self) -> Asked:
        if self.timeout > self.interval:
            raise ValueError("timeout: is longer than the interval; make it shorter, or the interval longer")
        if not self.spoken.startswith("http"):
            for key, given in (("statuses", self.statuses), ("contains", self.contains), ("host", self.host)):
                if given:
                    raise ValueError(f"{key}: {self.spoken} has no such thing; leave it out, or ask by http")
        if self.ca_secret and not self.encrypted:
            raise ValueError(f"caSecret: {self.spoken} has no certificate; leave it out, or ask by https or tls")
        return self

    @property
    def spoken(self) -> str:
        """The scheme of the target."""
        return urlsplit(self.target).scheme

    @property
    def encrypted(self) -> bool:
        """Whether there is a certificate to look at."""
        return self.spoken in ENCRYPTED

    def module(self, name: str) -> dict[str, Any]:
        """As the exporter's file has it."""
        trust = {"tls_config": {"ca_file": f"{TRUSTED_CAS}/{name}/ca.crt"}} if self.ca_secret else {}
        made: dict[str, Any] = {"timeout": duration_of(self.timeout)}
        if self.spoken in {"tcp", "tls"}:
            tcp = {"preferred_ip_protocol": "ip4", "tls": self.encrypted, **trust}
            return {**made, "prober": "tcp", "tcp": tcp}
        http: dict[str, Any] = {"preferred_ip_protocol": "ip4", "valid_status_codes": list(self.statuses), **trust}
        if self.contains:
            http["fail_if_body_not_matches_regexp"] = [self.contains]
        if self.host:
            http["headers"] = {"Host": self.host}
        return {**made, "prober": "http", "http": http}

    @property
    def asked(self) -> str:
        """The target as the exporter takes it."""
        return self.target if self.spoken in {"http", "https"} else address_of(self.target)


class BlackboxExporterSettings(WorkloadSettings):
    """Settings of what asks."""

    image: Image = IMAGE
    probes: Annotated[dict[Label, Asked], Field(min_length=1, max_length=100)] = Field(description="by name")
