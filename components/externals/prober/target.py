"""What a prober is told: which address, how it is asked, and what counts as well."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

if TYPE_CHECKING:
    from pathlib import Path


class How(StrEnum):
    """How an address is asked."""

    TCP = "tcp"
    HTTP = "http"
    MLLP = "mllp"
    OPCUA = "opcua"


ENCRYPTED = frozenset({"https", "tls", "mllps", "amqps", "ldaps"})
"""Schemes of addresses that begin with a TLS handshake."""

DEFAULT_PORTS = {
    "http": 80, "https": 443, "mllp": 2575, "mllps": 2576, "opc.tcp": 4840, "postgresql": 5432, "mysql": 3306,
    "sqlserver": 1433, "oracle": 1521, "mongodb": 27017, "amqp": 5672, "amqps": 5671, "ldap": 389, "ldaps": 636,
    "sftp": 22,
}  # fmt: skip
SCHEMES = (*DEFAULT_PORTS, "tcp", "tls")


class Target(BaseModel):
    """One address.

    Attributes:
        endpoint: its name, as metrics bear it.
        url: where it is.
        how: it is asked.
        path: of an HTTP request.
        statuses: of HTTP that count as well; every one below 500 where empty.
        every: seconds from one question to the next.
        timeout: seconds until an answer has to be there.
        authority: file of the authority to trust; those of the system where empty.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    endpoint: str
    url: str
    how: How
    path: str = "/"
    statuses: tuple[int, ...] = ()
    every: float = 15.0
    timeout: float = 5.0
    authority: str = ""

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        parts = urlsplit(self.url)
        return parts.hostname or "", parts.port or DEFAULT_PORTS.get(parts.scheme, 0)

    @property
    def encrypted(self) -> bool:
        """Whether it begins with a TLS handshake."""
        return urlsplit(self.url).scheme in ENCRYPTED


def targets_in(path: Path) -> list[Target]:
    """What a file tells to ask.

    Raises:
        ValueError: it cannot be read, or is no list of addresses.
    """
    try:
        return TypeAdapter(list[Target]).validate_json(path.read_bytes())
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ValueError(f"{path}: {where}: {first['msg']}") from error
