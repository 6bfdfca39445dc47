"""What a stack file may say of a Grafana, and the numbers that its parts agree on."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from components.model.pods import Resources, Sizes
from components.model.profiles import Size
from components.model.quantities import size_from
from components.model.settings import ComponentSettings, Request, WorkloadSettings
from components.model.values import Hostname, HostPort, Image, Label, ObjectName, said, whole
from components.monitoring.receivers import Url
from components.workloads.encryption import Tls

IMAGE = "docker.io/grafana/grafana:13.1.3"
METRICS_IMAGE = "docker.io/library/python:3.13.7-slim"
PORT, METRICS_PORT = 3000, 9464
CONFIG, DATA, DASHBOARDS, PROGRAM = "/etc/grafana", "/var/lib/grafana", "/dashboards", "/etc/grafana-metrics"
DATABASE_CA = "/run/database-ca"
LOGS_PLUGIN = "victoriametrics-logs-datasource"
SIZES: Sizes = {
    Size.SMALL: Resources("100m", "384Mi"),
    Size.MEDIUM: Resources("250m", "512Mi"),
    Size.LARGE: Resources("500m", "1Gi"),
}

Group = Annotated[
    str, said(whole(r"[A-Za-z0-9 _./:@-]+", 200), "is no group", "use letters, digits, spaces and _ . / : @ -")
]
Scope = Annotated[str, said(whole(r"[!-~]+", 100), "is no scope", "write it like openid")]
Secure = Annotated[Url, said(lambda url: url.startswith("https://"), "is not encrypted", "give an https:// address")]


class GrafanaRequest(Request):
    """Of the server: one that starts, and draws."""

    memory: Annotated[str, size_from("256Mi", "512Mi")] = Field(description="at least 256Mi")


class Oidc(ComponentSettings):
    """People log in where they always do; what they may here follows from their groups there."""

    auth_url: Secure = Field(description="where people are sent to log in")
    token_url: Secure = Field(description="where a code becomes a token")
    user_url: Secure = Field(description="who it is")
    secret: ObjectName = Field(description="existing Secret with client-id and client-secret")
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=20)] = Field(
        default=["openid", "profile", "email", "groups"], description="asked for at the login"
    )
    admins: Group = Field(description="group whose members may do everything")
    editors: Group | None = Field(default=None, description="group whose members may draw dashboards of their own")
    viewers: Group | None = Field(
        default=None, description="group whose members may look; all who can log in there, if not given"
    )

    @property
    def roles(self) -> str:
        """JMESPath of a person's role; none for whoever is in no group that counts."""
        found = [("Admin", self.admins), ("Editor", self.editors), ("Viewer", self.viewers)]
        made = [f"contains(groups[*], '{group}') && '{role}'" for role, group in found if group]
        return " || ".join([*made, *(() if self.viewers else ("'Viewer'",))])


class Database(ComponentSettings):
    """A PostgreSQL of somebody else that holds what people make by hand; with it, several pods share the work."""

    address: HostPort
    name: Label = "grafana"
    secret: ObjectName = Field(description="existing Secret with username and password")
    ca_secret: ObjectName = Field(description="existing Secret with ca.crt, of whoever signed its certificate")


class GrafanaSettings(WorkloadSettings):
    """Settings of the pages that people look at."""

    image: Image = IMAGE
    metrics_image: Image = Field(
        default=METRICS_IMAGE, description="of the sidecar that shows its metrics: any Python 3"
    )
    sources: list[Label] | None = Field(
        default=None,
        description="members whose data is shown; every prometheus, jaeger, loki and victorialogs if not given",
    )
    auth_secret: ObjectName | None = Field(
        default=None,
        description="existing Secret with username, password, secret-key and metrics-password; generated if not given",
    )
    hostname: Hostname | None = Field(
        default=None, description="under which the environment's gateway carries requests here; no route without it"
    )
    url: Secure | None = Field(default=None, description="as people see it, where that is not https://<hostname>")
    tls: Tls | None = Field(
        default=None, description="encrypted at the pod, for those in the cluster that use it; {} makes a certificate"
    )
    oidc: Oidc | None = Field(
        default=None, description="login by OpenID Connect; with it the form for passwords is off"
    )
    database: Database | None = Field(
        default=None, description="keeps what people make by hand; without it a restart forgets that"
    )
    replicas: Annotated[int, Field(ge=1, le=20)] | None = Field(
        default=None, description="the tier's if not given; 1 without a database"
    )
    install_plugins: bool = Field(
        default=True, description="fetches the plugin for victorialogs at the start; off where the image has it"
    )
    resources: GrafanaRequest | None = Field(
        default=None, description="of the main container; the tier's size if not given"
    )

    @model_validator(mode="after")
    def _fits_together(self) -> GrafanaSettings:
        if self.replicas and self.replicas > 1 and not self.database:
            raise ValueError(
                "replicas: several pods would each know their own logins; give a database, or leave it out"
            )
        if self.hostname and self.tls:
            raise ValueError("hostname: the gateway talks to pods in plain; encrypt at the gateway, or leave tls out")
        if self.oidc and not (self.hostname or self.url):
            raise ValueError("oidc: people are sent back after the login, and nobody says where; give hostname or url")
        return self

    @property
    def root_url(self) -> str:
        """As people see it; empty where nobody says."""
        return self.url or (f"https://{self.hostname}" if self.hostname else "")
