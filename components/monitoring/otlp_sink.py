"""What takes telemetry from a collector: where, in which protocol, and with which login."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from components.model.pods import SecretKey


@dataclass(frozen=True, slots=True)
class Sink:
    """One way in. ``address`` is host:port of gRPC, else the whole address that lines are posted to.

    ``authorization`` is the header of that name; ``days`` is how long lines are kept, 0 where nobody here knows.
    """

    protocol: Literal["grpc", "http"]
    address: str
    takes: frozenset[str]
    encrypted: bool
    authorization: SecretKey | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    days: int = 0


@runtime_checkable
class TakesTelemetry(Protocol):
    """A component that is a sink."""

    def sink(self, user: str) -> Sink:
        """Where ``user`` sends to."""
