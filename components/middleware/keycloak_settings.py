"""What a stack file may say of a Keycloak, and the numbers that its parts agree on."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, field_validator, model_validator

from components.model.pods import Resources, Sizes
from components.model.profiles import Size
from components.model.quantities import size_from
from components.model.settings import ComponentSettings, Request, WorkloadSettings
from components.model.values import Image, Label, ObjectName, SecretField, said, whole
from components.workloads.encryption import Tls
from rollout.api.durations import Seconds

IMAGE = "quay.io/keycloak/keycloak:26.7.3"
REALM_IMAGE = "docker.io/library/python:3.13.7-slim"
HTTP_PORT, HTTPS_PORT, MANAGEMENT_PORT = 8080, 8443, 9000
CLUSTER_PORT, FAILURE_PORT = 7800, 57800
HOME = "/opt/keycloak"
BUILT, DATA = f"{HOME}/lib/quarkus", f"{HOME}/data"
COPIED = "/run/built"
CREDENTIALS, REALM, DATABASE = "/run/credentials", "/etc/realm", "/run/database"
SERVER, KEEPER = "server", "realm"
ADMIN, ADMIN_CLIENT = "admin", "grayling"
PATIENCE_S = 600
BUILTIN = frozenset(
    {"account", "account-console", "admin-cli", "broker", "realm-management", "security-admin-console", ADMIN_CLIENT}
)
"""Clients that every realm has, and the one that keeps the realm."""

SIZES: Sizes = {
    Size.SMALL: Resources("100m", "768Mi"),
    Size.MEDIUM: Resources("500m", "1280Mi"),
    Size.LARGE: Resources("1000m", "2Gi"),
}
Name = Annotated[
    str, said(whole(r"[A-Za-z0-9][A-Za-z0-9_.-]*", 100), "is no name", "use letters, digits, _, . and -, no sign first")
]
Redirect = Annotated[
    str,
    said(
        whole(r"https://[!-)+-~]+\*?|http://localhost[!-)+-~]*\*?", 512),
        "is no address to come back to",
        "write it like https://shop.example.com/callback; a * may stand at its end, and http at localhost alone",
    ),
]
Public = Annotated[
    str,
    said(
        whole(r"https://[a-z0-9][a-z0-9.-]*(:[0-9]{1,5})?", 253),
        "is no address of HTTPS without a path",
        "write it like https://id.example.com",
    ),
]


class KeycloakRequest(Request):
    """Of a server: one that starts, and is made ready before."""

    memory: Annotated[str, size_from("640Mi", "1Gi")] = Field(description="at least 640Mi")


class Signer(ComponentSettings):
    """Who signed the database's certificate."""

    secret: ObjectName = Field(description="existing Secret")
    key: SecretField = Field(default="ca.crt", description="in it")


class Database(ComponentSettings):
    """The PostgreSQL that holds everything, which others run; always encrypted, and its certificate is checked."""

    external: Label = Field(
        description="component `external` with postgresql://host/database and the credentials `username`, `password`"
    )
    authority: Signer | None = Field(
        default=None, description="of its certificate; those that Java trusts if not given"
    )


class Client(ComponentSettings):
    """What gets tokens: a program with a secret, or a page that people log in to."""

    roles: Annotated[list[Name], Field(max_length=50)] = Field(
        default_factory=list, description="of the realm, that its own tokens bear"
    )
    audiences: Annotated[list[Name], Field(max_length=20)] = Field(
        default_factory=list, description="for whom its tokens are (claim `aud`)"
    )
    redirects: Annotated[list[Redirect], Field(max_length=20)] = Field(
        default_factory=list, description="where people come back to; with any they may log in through it (with PKCE)"
    )
    public: bool = Field(default=False, description="it can keep no secret, as a page in a browser")

    @model_validator(mode="after")
    def _fits(self) -> Client:
        if self.public and not self.redirects:
            raise ValueError("public: without a secret it has no tokens of its own; give redirects, or leave it out")
        if self.public and self.roles:
            raise ValueError("roles: are of its own account, and a public client has none; leave them out")
        return self

    def wire(self) -> dict[str, Any]:
        """As the program that keeps the realm reads it."""
        settings = {
            "publicClient": self.public,
            "serviceAccountsEnabled": not self.public,
            "standardFlowEnabled": bool(self.redirects),
            "directAccessGrantsEnabled": False,
            "redirectUris": list(self.redirects),
            "webOrigins": ["+"] if self.public else [],
            "attributes": {"pkce.code.challenge.method": "S256"} if self.redirects else {},
        }
        return {"settings": settings, "audiences": sorted(self.audiences), "roles": sorted(self.roles)}


class KeycloakSettings(WorkloadSettings):
    """Settings of an issuer of tokens, with one realm."""

    image: Image = IMAGE
    realm_image: Image = Field(default=REALM_IMAGE, description="any with Python: of the Job that keeps the realm")
    replicas: Annotated[int, Field(ge=1, le=9)] | None = Field(
        default=None, description="servers; the tier's if not given, one without `database`"
    )
    database: Database | None = Field(
        default=None,
        description="without it a file on a volume, for one server and no other tiers than local and dev",
    )
    storage: Annotated[str, size_from("256Mi", "1Gi")] = Field(
        default="1Gi", description="volume of that file; at least 256Mi"
    )
    resources: KeycloakRequest | None = Field(
        default=None, description="of the main container; the tier's size if not given"
    )
    hostname: Public | None = Field(
        default=None,
        description="where browsers find it, if a gateway leads there; tokens name it as their issuer, else its "
        "address inside the cluster",
    )
    realm: Name | None = Field(default=None, description="name of the realm; the stack's namespace if not given")
    roles: Annotated[list[Name], Field(max_length=200)] = Field(default_factory=list, description="of the realm")
    clients: Annotated[dict[Label, Client], Field(max_length=200)] = Field(
        default_factory=dict,
        description="by name; each service that uses it has one anyway, and an entry of its name says more of it",
    )
    token_lifetime: Annotated[Seconds, Field(ge=30, le=86400)] = Field(
        default=300.0, description="how long an access token is good for"
    )
    auth_secret: ObjectName | None = Field(
        default=None,
        description="existing Secret with `username` and `password` of the first administrator, and `client-secret` "
        "of the account that keeps the realm; generated if not given",
    )
    tls: Tls | None = Field(default=None, description="encrypted where it is given; {} makes a certificate")

    @field_validator("realm")
    @classmethod
    def _its_own(cls, realm: str | None) -> str | None:
        if realm == "master":
            raise ValueError("is of Keycloak's administrators; take another name")
        return realm

    @field_validator("clients")
    @classmethod
    def _not_builtin(cls, clients: dict[str, Client]) -> dict[str, Client]:
        for name in sorted(clients.keys() & BUILTIN):
            raise ValueError(f"{name}: is a client that every realm has; take another name")
        return clients

    @model_validator(mode="after")
    def _fits(self) -> KeycloakSettings:
        if self.database is None and (self.replicas or 1) > 1:
            raise ValueError("replicas: a file is of one server; give a database, or leave replicas out")
        for name, client in self.clients.items():
            for role in client.roles:
                if role not in self.roles:
                    raise ValueError(f"clients.{name}.roles: {role!r} is no role of the realm; add it to roles")
        return self
