"""What can go wrong in the sandbox, as one tree.

    SandboxError
    ├── RefusedError         the machine or the request does not allow it; nothing was changed
    ├── BuildError           a program could not be compiled
    ├── PackageError         a Debian, PyPI or Go package could not be had
    ├── ImageError           containerd did not take an image
    ├── ApiError             the API server refused a call (has ``status``)
    ├── UnreachableError     the API server does not answer
    └── StartError           the node did not come up in time

Every message says what was found where, and what to do about it.
"""

from __future__ import annotations

INSTEAD = "use a cluster you have with --context"


class SandboxError(Exception):
    """Any failure of the sandbox that a person can act on."""


class RefusedError(SandboxError):
    """The machine or the request does not allow it; nothing was changed."""


class BuildError(SandboxError):
    """A program could not be compiled; the message ends with the compiler's last lines."""


class PackageError(SandboxError):
    """A package could not be had from its registry; the message ends with what the installer said."""


class ImageError(SandboxError):
    """Containerd did not take an image; the message is its own."""


class StartError(SandboxError):
    """The node did not come up; the message names the daemon and its log."""


class UnreachableError(SandboxError):
    """Nothing answers at the API server's address (yet)."""


class ApiError(SandboxError):
    """The API server refused a call; ``status`` is the HTTP status."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
