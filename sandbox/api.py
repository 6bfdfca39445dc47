"""The few calls of the Kubernetes API that bringing up a node needs.

The supervisor is the first process of the box and lives as long as it does, so it
must stay small: this is the standard library, one connection, and JSON.
"""

from __future__ import annotations

import http.client
import json
import ssl
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sandbox.errors import ApiError, UnreachableError

if TYPE_CHECKING:
    from pathlib import Path

FIELD_MANAGER = "grayling-sandbox"
NOT_FOUND = 404
CONFLICT = 409


@dataclass
class Api:
    """A client of one API server with a client certificate below ``pki``."""

    host: str
    port: int
    pki: Path
    user: str = "admin"
    timeout_s: float = 10.0
    _connection: http.client.HTTPSConnection | None = field(default=None, repr=False)

    def get(self, path: str) -> dict[str, Any]:
        """Return the object or list at ``path``."""
        return self.call("GET", path)

    def healthy(self) -> bool:
        """Say whether the API server calls itself ready."""
        try:
            self._exchange("GET", "/readyz", None, "application/json")
        except (UnreachableError, ApiError):
            return False
        return True

    def apply(self, path: str, manifest: dict[str, Any]) -> dict[str, Any]:
        """Create or update the object at ``path`` so that it has the fields of ``manifest``."""
        query = f"{path}?fieldManager={FIELD_MANAGER}&force=true"
        return self.call("PATCH", query, manifest, "application/apply-patch+yaml")

    def call(
        self, method: str, path: str, body: dict[str, Any] | None = None, content_type: str = "application/json"
    ) -> dict[str, Any]:
        """Make one call and return the decoded answer.

        Raises:
            ApiError: the server answered with an error; its own message is kept.
            UnreachableError: no answer at all.
        """
        parsed: dict[str, Any] = json.loads(self._exchange(method, path, body, content_type) or b"{}")
        return parsed

    def close(self) -> None:
        """Close the connection; the next call opens a new one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _exchange(self, method: str, path: str, body: dict[str, Any] | None, content_type: str) -> bytes:
        payload = None if body is None else json.dumps(body).encode()
        try:
            if self._connection is None:
                self._connection = self._connect()
            self._connection.request(method, path, payload, {"Content-Type": content_type})
            answer = self._connection.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException) as error:
            self.close()
            message = f"no answer from the API server at {self.host}:{self.port} ({error})"
            raise UnreachableError(message) from error
        if answer.status >= http.client.BAD_REQUEST:
            raise ApiError(answer.status, f"{method} {path}: {answer.status} {_reason(content)}")
        return content

    def _connect(self) -> http.client.HTTPSConnection:
        context = ssl.create_default_context(cafile=str(self.pki / "ca.crt"))
        context.load_cert_chain(self.pki / f"{self.user}.crt", self.pki / f"{self.user}.key")
        return http.client.HTTPSConnection(self.host, self.port, timeout=self.timeout_s, context=context)


def _reason(content: bytes) -> str:
    """Return the message of a Kubernetes Status object, or the raw text."""
    try:
        return str(json.loads(content)["message"])
    except (ValueError, KeyError, TypeError):
        return content[:400].decode(errors="replace")
