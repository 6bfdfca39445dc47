"""Kubernetes conditions: what `kubectl wait` and Pulumi's `waitFor` understand of a release."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from rollout.context import is_refused
from rollout.status import Condition, Phase, Status
from rollout.verbs import waiting_gate

if TYPE_CHECKING:
    from rollout.context import Context


class Said(NamedTuple):
    """A condition without its time."""

    type: str
    true: bool
    reason: str
    message: str


def conditions_of(ctx: Context) -> list[Condition]:
    """Conditions of a status, each keeping the time of its last change."""
    before = {condition.type: condition for condition in ctx.status.conditions}
    made = []
    for said in (_ready(ctx), _progressing(ctx), _paused(ctx), _waiting(ctx), _degraded(ctx)):
        status = "True" if said.true else "False"
        old = before.get(said.type)
        since = old.last_transition_time if old and old.status == status else ctx.now
        if old is not None and (old.status, old.reason, old.message) == (status, said.reason, said.message):
            made.append(old)
            continue
        made.append(
            Condition(
                type=said.type, status=status, reason=said.reason, message=said.message, last_transition_time=since
            )
        )
    return made


def with_conditions(ctx: Context) -> Status:
    """The status with its conditions brought up to date."""
    return ctx.change(conditions=conditions_of(ctx))


def _ready(ctx: Context) -> Said:
    status = ctx.status
    stable = status.stable
    serves = stable is not None and stable.revision == status.desired_revision
    if serves and status.phase is Phase.IDLE:
        return Said("Ready", true=True, reason="Serving", message=f"{stable.image if stable else ''} serves")
    return Said("Ready", true=False, reason=status.phase.value, message="the desired version does not serve alone yet")


def _progressing(ctx: Context) -> Said:
    status = ctx.status
    told = f"step {min(status.step + 1, status.steps)} of {status.steps}" if status.in_flight else "nothing to do"
    return Said("Progressing", true=status.in_flight, reason=status.phase.value, message=told)


def _paused(ctx: Context) -> Said:
    paused = ctx.status.paused
    told = f"by {paused.by or 'somebody'}: {paused.reason}".rstrip(": ") if paused else ""
    return Said("Paused", true=paused is not None, reason="Paused" if paused else "Running", message=told)


def _waiting(ctx: Context) -> Said:
    if waiting_gate(ctx):
        return Said(
            "Waiting", true=True, reason="Gate", message=f"step {ctx.status.step + 1} waits for `release promote`"
        )
    doubt = ctx.status.doubt
    return Said("Waiting", true=bool(doubt), reason="Doubt" if doubt else "NotWaiting", message=doubt)


def _degraded(ctx: Context) -> Said:
    status = ctx.status
    refused = is_refused(status, status.desired_revision)
    told = next((entry.reason for entry in status.refused if entry.revision == status.desired_revision), "")
    return Said("Refused", true=refused, reason="TakenBack" if refused else "NotRefused", message=told)
