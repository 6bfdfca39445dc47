"""What holds a release until somebody or something outside it lets it go on: one table, one question.

    blocked_by(spec, status, facts) -> Blocked(gate, reason, until, unblock) or None

The phases, `status.waiting`, the conditions, `plan` and `status` all ask it. A gate is one predicate and one row of
:data:`GATES`; what it needs of the world comes with the observation. It never keeps a release from turning back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rollout.api.spec import Gate as StepGate
from rollout.decide import approval
from rollout.decide.approval import APPROVAL
from rollout.decide.capabilities import capabilities_of
from rollout.decide.context import Context
from rollout.decide.gate import Blocked, Facts, Gate
from rollout.decide.memory import is_held, kept_out
from rollout.decide.moves import Move, moves_ahead

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rollout.api.spec import Spec
    from rollout.api.status import Status


def _paused(_: Spec, status: Status, _facts: Facts) -> Blocked | None:
    paused = status.paused
    if paused is None:
        return None
    by = f" by {paused.by}" if paused.by else ""
    why = f": {paused.reason}" if paused.reason else ""
    told = f"paused{by}{why}; `release resume` goes on"
    return Blocked(PAUSE, told, unblock="a person's `release resume`", since=paused.at)


def _known_bad(_: Spec, status: Status, facts: Facts) -> Blocked | None:
    """Also of a version that has begun: its pods tell which image it is, whatever its tag says."""
    serves = status.stable is not None and status.stable.revision == facts.seen.desired_revision
    known = None if serves else kept_out(facts.seen)
    if known is None:
        return None
    told = f"{known.told()}; {known.way_out()}"
    return Blocked(TAKEN_BACK, told, unblock="another version, or a person's `release forgive`", since=known.at)


def _taken_back(spec: Spec, status: Status, facts: Facts) -> Blocked | None:
    desired = facts.seen.desired_revision
    if status.stable is not None and status.stable.revision == desired:
        return None
    if facts.seen.memory.unreadable:
        told = f"what was taken back cannot be read: {facts.seen.memory.unreadable[0]}"
        return Blocked(TAKEN_BACK, told, unblock="a memory that can be read")
    if (known := _known_bad(spec, status, facts)) is not None:
        return known
    if not is_held(status, facts.seen):
        return None
    last = next(entry for entry in status.refused if entry.revision == desired)
    told = f"{last.image or last.revision} was taken back ({last.reason}); `release retry` tries it again"
    return Blocked(TAKEN_BACK, told, unblock="another version, or a person's `release retry`", since=last.at)


def _still_routed(spec: Spec, status: Status, facts: Facts) -> Blocked | None:
    """A spec without traffic still has its route: that goes first, then versions are replaced without one."""
    stable = status.stable
    served = stable is not None and stable.revision == facts.seen.desired_revision
    routed = stable is not None and stable.revision in facts.seen.share.weights
    if capabilities_of(spec).divisible or served or not routed:
        return None
    failure = facts.seen.failures.get("RetireRoute")
    said = f": {failure.text}" if failure else ""
    told = f"the spec has no traffic, and the route is still there: it is removed first{said}"
    return Blocked(ROUTE, told, unblock="the removal of the route")


def _no_room(_: Spec, status: Status, facts: Facts) -> Blocked | None:
    if not facts.seen.no_room:
        return None
    return Blocked(ROOM, facts.seen.no_room, unblock="a release before it to end", since=status.phase_since)


def _unopened(spec: Spec, status: Status, _: Facts) -> Blocked | None:
    steps = spec.strategy.steps
    if status.step >= len(steps) or steps[status.step].gate is not StepGate.MANUAL or status.gate_passed >= status.step:
        return None
    told = f"step {status.step + 1} waits for `release promote`"
    return Blocked(MANUAL, told, unblock="a person's `release promote`", since=status.phase_since)


PAUSE, TAKEN_BACK, ROUTE, ROOM, MANUAL = "pause", "taken-back", "route", "room", "manual"
GOING_ON = frozenset({Move.START, Move.STEP, Move.END, Move.ALL, Move.RETURN, Move.REST})
"""What a pause stops: pods that come up change nothing, and what all traffic has reached already is not unsaid."""

GATES: tuple[Gate, ...] = (
    Gate(PAUSE, "Paused", GOING_ON, _paused),
    Gate(TAKEN_BACK, "TakenBack", frozenset({Move.START}), _taken_back),
    Gate(TAKEN_BACK, "TakenBack", frozenset({Move.STEP, Move.ALL}), _known_bad),
    Gate(ROUTE, "RouteRemains", frozenset({Move.START}), _still_routed),
    Gate(ROOM, "NoRoom", frozenset({Move.PODS}), _no_room),
    Gate(MANUAL, "Gate", frozenset({Move.STEP}), _unopened),
    Gate(APPROVAL, "Approval", frozenset({Move.STEP}), approval.closed),
)
"""All gates; where several are closed, the first is told."""


def blocked_by(spec: Spec, status: Status, facts: Facts, *moves: Move) -> Blocked | None:
    """What holds a release in its phase; None where it may go on.

    Args:
        spec: in force.
        status: where it stands.
        facts: what is seen, and when. Where nobody looked (:meth:`Observation.unseen`), a gate that only a look can
            see is as the engine told it last.
        moves: what it is kept from; all that the phase has ahead where none is named.
    """
    return next(every_block(spec, status, facts, *moves), None)


def every_block(spec: Spec, status: Status, facts: Facts, *moves: Move) -> Iterator[Blocked]:
    """All that holds it, what is told first comes first."""
    ahead = moves or moves_ahead(Context(spec, status, facts.seen, facts.now))
    for gate in GATES:
        found = gate.closed(spec, status, facts) if gate.holds.intersection(ahead) else None
        if found is not None:
            yield found
    known = status.waiting
    if facts.seen.blind and known is not None and known.gate and not moves:
        yield Blocked(known.gate, known.reason, known.until, known.unblock, known.since)


def blocked(ctx: Context, *moves: Move) -> Blocked | None:
    """The same of a decision in the making."""
    return blocked_by(ctx.spec, ctx.status, Facts(ctx.seen, ctx.now), *moves)


def holds(ctx: Context, gate: str) -> bool:
    """Whether the gate of this name holds it, among others or alone."""
    return any(each.gate == gate for each in every_block(ctx.spec, ctx.status, Facts(ctx.seen, ctx.now)))


def condition_of(block: Blocked) -> str:
    """The reason of the condition `Waiting` while it holds."""
    return next((gate.condition for gate in GATES if gate.name == block.gate), "Gate")


def before_step(spec: Spec, status: Status, facts: Facts, index: int) -> Blocked | None:
    """What stands before a step that was not reached yet, as far as that can be told now."""
    nothing = {"paused": None, "gate_passed": max(status.gate_passed, index - 1), "waiting": None}
    there = status.model_copy(update={"step": index, **nothing})
    return blocked_by(spec, there, facts, Move.STEP)
