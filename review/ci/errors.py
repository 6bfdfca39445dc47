"""What a host can answer, below the tree of errors.

::

    GraylingError
    └── HostError         1   the host of the repository refused a request, or does not answer
        └── BusyError     1   it cannot just now (in `review.ci.forge`)
"""

from __future__ import annotations

from kube.errors import GraylingError


class HostError(GraylingError):
    """The host of the repository said no, or nothing at all.

    Attributes:
        status: HTTP status code; 0 where there was no answer.
    """

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status
