"""What is known of a box, as data that a shell or a program reads."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Status:
    """What is known of a box. ``state`` is ``absent``, ``stopped``, ``starting`` or ``running``."""

    name: str
    state: str
    address: str = ""
    kubeconfig: str = ""
    context: str = ""
    pid: int = 0
    daemons: list[dict[str, Any]] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Return the status as JSON-ready data."""
        return asdict(self)
