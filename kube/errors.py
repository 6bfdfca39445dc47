"""Every error Grayling raises on purpose, as one tree, each with the exit code a shell sees.

::

    GraylingError                 1
    ├── UsageError                2   a flag, a file or a value is wrong; nothing was changed
    ├── StaleHolderError          11  another process holds the release by now; never tried again
    └── KubeError                 1   the API server said no
        ├── NotFoundError         1
        ├── ConflictError         11  somebody else wrote first, or holds the lock
        ├── InvalidError          13  the object breaks its schema or an admission policy
        │   └── UnsentError       2   it says so little or so wrongly of itself that it was not sent
        ├── ForbiddenError        1   the credentials may not do this
        │   └── DeniedError       13  a quota, an admission webhook or a policy will not have the object
        ├── TooLargeError         1   what was sent or answered is over a limit
        └── ClusterUnreachableError 12  no answer, or none that is whole
            └── ThrottledError    12  too many requests, or not just now: try again later

The base lives here because every room may import this one. What only one room raises stands there, below one of these;
a shell sees the code of the nearest that has one.
"""

from __future__ import annotations

import re
from typing import Any, ClassVar


class GraylingError(Exception):
    """Something a person can act on; ``str()`` of it is a whole sentence for the terminal."""

    exit_code: ClassVar[int] = 1


class UsageError(GraylingError):
    """A flag, a file or a value is wrong. Nothing was changed."""

    exit_code = 2


class StaleHolderError(GraylingError):
    """Another process holds the release, or the stack, by now: what this one still wants to write is out of date.

    No :class:`KubeError`, because trying again is exactly what must not happen.
    """

    exit_code = 11


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

    exit_code = 13


class UnsentError(InvalidError):
    """What was to be asked for has no name, or one that Kubernetes does not give. Nothing was sent."""

    exit_code = 2


class ForbiddenError(KubeError):
    """The credentials in use may not do this."""


class DeniedError(ForbiddenError):
    """The credentials may do this, and a quota, an admission webhook or a policy will not have this object."""

    exit_code = 13


class TooLargeError(KubeError):
    """What was sent is more than the server takes, or what it answers is more than was asked for."""


class ClusterUnreachableError(KubeError):
    """No answer from the API server: name resolution, connection, TLS, credentials or time-out; or a torn one."""

    exit_code = 12


class ThrottledError(ClusterUnreachableError):
    """The server asks to be left alone for a while.

    Attributes:
        retry_after: seconds; 0 where it does not say.
    """

    retry_after: float = 0.0


_BY_STATUS: dict[int, type[KubeError]] = {
    400: InvalidError,
    401: ForbiddenError,
    403: ForbiddenError,
    404: NotFoundError,
    409: ConflictError,
    413: TooLargeError,
    422: InvalidError,
    429: ThrottledError,
    502: ClusterUnreachableError,
    503: ClusterUnreachableError,
    504: ClusterUnreachableError,
}
UNTYPED = "failed to create typed patch object"
"""What a server says, with status 500, of an applied object that its own schema refuses."""
FORBIDDEN = 403
_DENIED = re.compile(r"is forbidden: |denied (?:the )?request")
"""What admission says with status 403: it is about the object."""
_AUTHORIZER = re.compile(r"\bcannot [a-z]+ (?:resource|path) |attempting to grant RBAC permissions")
"""What an authorizer says with the same status: it is about who asks."""
MOST_WAITED = 60.0
"""Seconds that a server's wish to be left alone is heeded at most."""


def error_for(status: int, body: dict[str, Any], what: str, retry_after: str = "") -> KubeError:
    """The exception for an HTTP ``status``.

    Args:
        status: of the answer.
        body: Kubernetes' Status object.
        what: names the request.
        retry_after: the header of that name.
    """
    kind = _BY_STATUS.get(status, KubeError)
    message = str(body.get("message") or f"HTTP {status}")
    if retry_after and kind is ClusterUnreachableError:
        kind = ThrottledError
    if "etcdserver: request is too large" in message:
        kind = TooLargeError
    if message.startswith(UNTYPED):
        kind = InvalidError
    if status == FORBIDDEN and _DENIED.search(message) and not _AUTHORIZER.search(message):
        kind = DeniedError
    error = kind(f"{what}: {message}", status=status, reason=str(body.get("reason") or ""), details=body)
    if isinstance(error, ThrottledError):
        error.retry_after = _seconds_in(retry_after)
    return error


def _seconds_in(retry_after: str) -> float:
    text = retry_after.strip()
    return min(float(text), MOST_WAITED) if text.isascii() and text.isdecimal() and len(text) < 10 else 0.0  # noqa: PLR2004 - digits
