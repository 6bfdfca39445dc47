"""What `decide` may ask the shell to do. Every action is idempotent: done twice, it is done once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rollout.api.status import Release


@dataclass(frozen=True, slots=True)
class Shift:
    """Make the route's weights these (percent per revision; revisions not named lose their place in it)."""

    weights: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class RetireRoute:
    """Remove the route: there is nothing it could lead to."""


@dataclass(frozen=True, slots=True)
class EnsureRevision:
    """Make the objects of the desired revision exist, with this many pods."""

    revision: str
    replicas: int


@dataclass(frozen=True, slots=True)
class Scale:
    """Give an existing revision this many pods, of which so many are there only while a drain is expected."""

    revision: str
    replicas: int
    spare: int = 0


@dataclass(frozen=True, slots=True)
class Guard:
    """Let a revision's disruption budget keep its last ready pod until there is another, or no longer."""

    revision: str
    keeps_last: bool


@dataclass(frozen=True, slots=True)
class Retire:
    """Remove a revision that no traffic reaches any more, with everything it owns."""

    revision: str


@dataclass(frozen=True, slots=True)
class KeepRecord:
    """Write down how a release ended."""

    release: Release


@dataclass(frozen=True, slots=True)
class Remember:
    """Keep in memory what a release took back on evidence, so that it stays out when the release is gone."""

    release: Release


@dataclass(frozen=True, slots=True)
class Finalize:
    """The GrayRelease is being deleted: clean up (or leave everything running) and let it go."""

    orphan: bool


Action: TypeAlias = Shift | RetireRoute | EnsureRevision | Scale | Guard | Retire | KeepRecord | Remember | Finalize
