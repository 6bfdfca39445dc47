"""What a stack file may say about a NiFi: how large it is, and who may draw its flows."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from components.model.pods import Resources, Sizes
from components.model.profiles import Size
from components.model.quantities import bytes_of, size_from
from components.model.settings import ComponentSettings, Request, WorkloadSettings
from components.model.values import Hostname, Image, ObjectName, said, whole
from components.workloads.egress import Egress
from components.workloads.encryption import Tls

PORT, METRICS_PORT = 8443, 9106
HOME, CONFIG, DATA = "/opt/nifi/nifi-current", "/etc/nifi", "/data"
HEAP_SHARE = 0.5
"""Of the memory: NiFi works outside of its heap as well."""

SIZES: Sizes = {
    Size.SMALL: Resources("250m", "2Gi"),
    Size.MEDIUM: Resources("1000m", "4Gi"),
    Size.LARGE: Resources("2000m", "8Gi"),
}
KEYS = ("username", "password", "sensitive-key")
_Word = Annotated[
    str,
    said(whole(r"[A-Za-z0-9@._:/+-]+", 256), "is no word for a line of NiFi's files", "use letters, digits, @._:/+-"),
]


class NifiRequest(Request):
    """Of the server: one that starts."""

    memory: Annotated[str, size_from("1536Mi", "4Gi")] = Field(description="at least 1536Mi")


class NifiOidc(ComponentSettings):
    """People log in elsewhere."""

    discovery_url: Annotated[
        str,
        said(
            whole(r"https://[!-~]+", 512), "is no address of HTTPS", "write it with /.well-known/openid-configuration"
        ),
    ] = Field(description="of the issuer")
    client_id: _Word
    client_secret: ObjectName = Field(description="Secret with the key client-secret")
    admin: _Word = Field(description="who may do all from the first day on, as the issuer calls them")
    claim: _Word = Field(default="email", description="of the token, that says who it is")


class NifiSettings(WorkloadSettings):
    """Settings of a NiFi."""

    image: Image = "docker.io/apache/nifi:2.9.0"
    metrics_image: Image = "docker.io/library/python:3.13.7-slim"
    resources: NifiRequest | None = Field(default=None, description="of the server; the tier's size if not given")
    storage: Annotated[str, size_from("4Gi", "50Gi")] = Field(
        default="20Gi", description="flows, what is under way, and what became of it"
    )
    auth_secret: ObjectName | None = Field(
        default=None, description=f"existing Secret with {', '.join(KEYS)}; made once if not given"
    )
    tls: Tls = Field(default=Tls(), description="it is always there: without it nobody could log in")
    oidc: NifiOidc | None = Field(default=None, description="one user with a password if not given")
    hostnames: Annotated[list[Hostname], Field(max_length=16)] = Field(
        default_factory=list, description="names that its page is reached under, besides its own in the cluster"
    )
    egress: Annotated[list[Egress], Field(max_length=64)] = Field(
        default_factory=list, description="where its flows may connect to, besides what the stack knows"
    )

    @property
    def part_mb(self) -> int:
        """A quarter of the volume: what each repository may take, at most."""
        return bytes_of(self.storage) // (4 * 1024 * 1024)
