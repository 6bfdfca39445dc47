"""What a component says of its topology: what it should hold, and with which account that is made true."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from topology.api.spec import TopologySpec


@dataclass(frozen=True, slots=True)
class DeclaredTopology:
    """One component's.

    Attributes:
        spec: of the object that the reconciler makes true.
        files: sources of a projected volume, which the reconciler finds as `username`, `password`, `users/<name>`.
    """

    spec: TopologySpec
    files: Sequence[Mapping[str, Any]] = field(default=())


def key_file(secret: str, key: str, path: str) -> dict[str, Any]:
    """One key of a Secret as a file of the reconciler."""
    return {"secret": {"name": secret, "items": [{"key": key, "path": path}]}}
