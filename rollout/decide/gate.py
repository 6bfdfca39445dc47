"""What a gate is: its row, what it may look at, and what it says while it is closed.

A gate in a module of its own takes these from here; the table (:mod:`rollout.decide.gates`) imports that module.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from rollout.api.spec import Spec
    from rollout.api.status import Status
    from rollout.decide.moves import Move
    from rollout.decide.observation import Observation


class Facts(NamedTuple):
    """What a gate may look at beside spec and status: one look at the world, and its time."""

    seen: Observation
    now: float


@dataclass(frozen=True, slots=True)
class Blocked:
    """What holds a release.

    Attributes:
        gate: name of the row.
        reason: for people, in one sentence.
        until: when it opens by itself; None where it does not.
        unblock: what lets the release go on: a verb or an event, as it is told after "waits for".
        since: when it began to hold; None where nobody noted it.
    """

    gate: str
    reason: str
    until: float | None = None
    unblock: str = ""
    since: float | None = None


@dataclass(frozen=True, slots=True)
class Gate:
    """A row.

    Attributes:
        name: in plans and in `status.waiting.gate`.
        condition: reason of the condition `Waiting` while it holds.
        holds: the moves that it can keep from being made.
        closed: the predicate: what is said while it is closed; None while it is open.
    """

    name: str
    condition: str
    holds: frozenset[Move]
    closed: Callable[[Spec, Status, Facts], Blocked | None]
