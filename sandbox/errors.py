"""What can go wrong in the sandbox, as one tree.

    SandboxError             1   below :class:`kube.errors.GraylingError`; the number is what a shell sees
    ├── RefusedError         1   the machine or the request does not allow it; nothing was changed
    ├── BuildError           1   a program could not be compiled
    ├── PackageError         1   a Debian, PyPI or Go package could not be had
    ├── ImageError           1   containerd did not take an image
    ├── ApiError             1   the API server refused a call (has ``status``)
    ├── UnreachableError     12  the API server does not answer
    └── StartError           1   the node did not come up in time

Every message says what was found where, and what to do about it.
"""

from __future__ import annotations

from kube.errors import GraylingError

INSTEAD = "use a cluster you have with --context"


class SandboxError(GraylingError):
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

    exit_code = 12


class ApiError(SandboxError):
    """The API server refused a call; ``status`` is the HTTP status."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
