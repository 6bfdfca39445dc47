"""Every error Grayling raises on purpose, as one tree, each with the exit code a shell sees.

::

    GraylingError                 1
    ├── UsageError                2   a flag, a file or a value is wrong; nothing was changed
    └── KubeError                 1   the API server said no
        ├── NotFoundError         1
        ├── ConflictError         11  somebody else wrote first, or holds the lock
        ├── InvalidError          2   the object breaks its schema or an admission policy
        ├── ForbiddenError        1
        └── ClusterUnreachableError 12

The base lives here because every room that talks to a cluster may import this one.
"""

from __future__ import annotations

from typing import Any, ClassVar


class GraylingError(Exception):
    """Something a person can act on; ``str()`` of it is a whole sentence for the terminal."""

    exit_code: ClassVar[int] = 1


class UsageError(GraylingError):
    """A flag, a file or a value is wrong. Nothing was changed."""

    exit_code = 2


class KubeError(GraylingError):
    """The API server refused a request.

    Attributes:
        status: HTTP status code.
        reason: Kubernetes' own machine-readable reason, for example ``AlreadyExists``.
        details: the rest of the Status object.
    """

    def __init__(
        self, message: str, *, status: int = 0, reason: str = "", details: dict[str, Any] | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.reason, self.details = status, reason, details or {}


class NotFoundError(KubeError):
    """The object, its kind or its namespace does not exist."""


class ConflictError(KubeError):
    """Somebody else wrote the object first, owns the field, or holds the lock."""

    exit_code = 11


class InvalidError(KubeError):
    """The object breaks its schema, a JSON Patch test failed, or an admission policy said no."""

    exit_code = 2


class ForbiddenError(KubeError):
    """The credentials in use may not do this."""


class ClusterUnreachableError(KubeError):
    """No answer from the API server: name resolution, connection, TLS or time-out."""

    exit_code = 12


_BY_STATUS: dict[int, type[KubeError]] = {
    400: InvalidError,
    401: ForbiddenError,
    403: ForbiddenError,
    404: NotFoundError,
    409: ConflictError,
    422: InvalidError,
}


def error_for(status: int, body: dict[str, Any], what: str) -> KubeError:
    """The exception for an HTTP ``status`` with Kubernetes' Status object ``body``; ``what`` names the request."""
    kind = _BY_STATUS.get(status, ClusterUnreachableError if status in {502, 503, 504} else KubeError)
    message = str(body.get("message") or f"HTTP {status}")
    return kind(f"{what}: {message}", status=status, reason=str(body.get("reason", "")), details=body)
