"""The one decision of the engine, pure: no clock, no I/O, no random.

    status, actions = decide(spec, status, observation, now)

The caller persists the status before it carries out the actions, and calls again; each call makes at most one
transition of :data:`rollout.decide.transitions.TRANSITIONS`. Actions are derived from the status that was persisted and
from the world as it is, so that whoever comes next after a crash does exactly what is left to do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from rollout.api.status import Outcome, Phase, Weight
from rollout.decide.commands import is_new, obey
from rollout.decide.context import Context, can_return, roll_back
from rollout.decide.desired_state import actions_of
from rollout.decide.drains import note_threat
from rollout.decide.drift import note_drift
from rollout.decide.memory import with_pair
from rollout.decide.phases import PHASES
from rollout.decide.waiting import waiting_of

if TYPE_CHECKING:
    from rollout.api.spec import Spec
    from rollout.api.status import Status
    from rollout.decide.actions import Action
    from rollout.decide.observation import Observation

UNDER_WAY = frozenset({Phase.PREPARING, Phase.STEPPING, Phase.PROMOTING})
WITHOUT_TRAFFIC = (
    "traffic was taken out of the spec while the release was under way; "
    "`release retry` brings the version in without a share"
)


class Decision(NamedTuple):
    """The status to persist, then the actions to carry out, in this order."""

    status: Status
    actions: tuple[Action, ...]


def decide(spec: Spec, status: Status, observation: Observation, now: float) -> Decision:
    """What should be true next, and what must be done for it.

    Args:
        spec: what is asked for.
        status: what was persisted last.
        observation: one look at the world.
        now: seconds since the epoch.
    """
    ctx = Context(spec, _running(status, observation, now), observation, now)
    if observation.deleted:
        return Decision(status, actions_of(ctx))
    changed = with_pair(ctx, note_threat(ctx, note_drift(ctx, _next(ctx))))
    changed = changed.model_copy(
        update={
            "observed_generation": observation.generation,
            "desired_revision": observation.desired_revision,
            "spec_digest": observation.digest,
            "replicas": sum(facts.replicas for facts in observation.revisions.values()),
            "selector": observation.selector,
            "looked_at": now,
            "weight": _with_what_is_written(changed, observation),
        }
    )
    changed = changed.model_copy(update={"waiting": waiting_of(ctx.with_status(changed))})
    return Decision(changed, actions_of(ctx.with_status(changed)))


def _with_what_is_written(status: Status, seen: Observation) -> Weight:
    """The weight with what the route gives the canary now."""
    written = seen.share.weights.get(status.canary.revision, 0) if status.canary else 0
    return status.weight if status.weight.written == written else status.weight.model_copy(update={"written": written})


def _running(status: Status, seen: Observation, now: float) -> Status:
    """The status with clocks that count: a hold's stood still while nobody looked, and one that was lost begins now."""
    if status.in_flight and status.phase_since is None:
        status = status.model_copy(update={"phase_since": now})
    missed = 0.0 if status.looked_at is None else seen.watching_since - status.looked_at
    if missed <= 0:
        return status
    held = {name: getattr(status, name) for name in ("doubt_since", "held_since")}
    return status.model_copy(update={name: min(now, at + missed) for name, at in held.items() if at is not None})


def _next(ctx: Context) -> Status:
    command, phase = ctx.seen.command, ctx.status.phase
    if command is not None and is_new(ctx.status, command):
        ctx = ctx.with_status(obey(ctx, command))
        if ctx.status.phase is not phase:
            return ctx.status
    if overtaken := _overtaken(ctx):
        return overtaken
    return PHASES[ctx.status.phase](ctx)


def _overtaken(ctx: Context) -> Status | None:
    """A release whose revision is no longer the one desired is taken back before anything else is looked at."""
    status, desired = ctx.status, ctx.seen.desired_revision
    if status.phase in UNDER_WAY and status.canary and status.canary.revision != desired:
        if status.stable and desired == status.stable.revision:
            return roll_back(ctx, Outcome.CANCELLED, "the stable version is desired again")
        return roll_back(ctx, Outcome.SUPERSEDED, f"{ctx.seen.desired_image or desired} is desired now")
    if status.phase in UNDER_WAY and ctx.shared and not ctx.asked.divisible:
        return roll_back(ctx, Outcome.ROLLED_BACK, WITHOUT_TRAFFIC)
    if status.phase is Phase.BAKING and status.previous and status.previous.revision == desired and can_return(ctx):
        return roll_back(ctx, Outcome.CANCELLED, "the version before is desired again")
    return None
