"""Kubernetes conditions: what `kubectl wait` and Pulumi's `waitFor` understand of a release."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from rollout.api.status import Condition, Phase, Status
from rollout.api.texts import told
from rollout.decide.drift import altered_of
from rollout.decide.gates import blocked, condition_of
from rollout.decide.memory import is_held, kept_out
from rollout.engine.judge_session import is_judged

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rollout.decide.context import Context

MOST_WORDS = 1000


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
    for said in (*_of_the_release(ctx), *_of_what_was_read(ctx)):
        status = "True" if said.true else "False"
        old = before.get(said.type)
        since = old.last_transition_time if old and old.status == status else ctx.now
        if old is not None and (old.status, old.reason, old.message) == (status, said.reason, said.message):
            made.append(old)
            continue
        made.append(
            Condition(
                type=said.type,
                status=status,
                reason=said.reason,
                message=told(said.message, MOST_WORDS),
                last_transition_time=since,
            )
        )
    return made


def with_conditions(ctx: Context) -> Status:
    """The status with its conditions brought up to date."""
    return ctx.change(conditions=conditions_of(ctx))


def _of_the_release(ctx: Context) -> Iterable[Said]:
    return _ready(ctx), _progressing(ctx), _paused(ctx), _waiting(ctx), _judged(ctx), _degraded(ctx)


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
    """`status.waiting`, with a reason that a script can tell apart."""
    status = ctx.status
    if status.waiting is None:
        return Said("Waiting", true=False, reason="NotWaiting", message="")
    held = blocked(ctx)
    if held is not None:
        reason = condition_of(held)
    elif status.withdrawn_at is not None:
        reason = "PlannedEvent"
    elif status.waiting.refused:
        reason = "ObjectRefused"
    else:
        reason = _in_one_word(status.doubt) if status.doubt else status.phase.value
    return Said("Waiting", true=True, reason=reason, message=status.waiting.reason)


def _judged(ctx: Context) -> Said:
    """Whether the judge was heard since what is judged began; that is what lets a step end."""
    if not is_judged(ctx.status) or not ctx.spec.analysis.signals:
        return Said("Judged", true=False, reason="NothingToJudge", message="")
    found = ctx.assessed
    if found is None:
        return Said("Judged", true=False, reason="NotHeard", message="nothing goes on before the judge is heard")
    return Said("Judged", true=True, reason=_in_one_word(str(found.verdict)), message="")


def _in_one_word(words: str) -> str:
    """``no-traffic`` as a condition's reason has to be written: ``NoTraffic``."""
    return "".join(word.capitalize() for word in words.split("-"))


def _degraded(ctx: Context) -> Said:
    status = ctx.status
    serves = status.stable is not None and status.stable.revision == status.desired_revision
    held, known = is_held(status, ctx.seen), None if serves else kept_out(ctx.seen)
    told = next((entry.reason for entry in status.refused if entry.revision == status.desired_revision), "")
    reason = "TakenBack" if held or known else "NotRefused"
    return Said("Refused", true=held or known is not None, reason=reason, message=known.told() if known else told)


def _of_what_was_read(ctx: Context) -> Iterable[Said]:
    """What could not be read, of the spec and of the status, and what else people should know."""
    notes = ctx.seen.notes
    spec = [note for note in notes if note.startswith("spec")]
    status = [note for note in notes if note.startswith("status")]
    others = [*(note for note in notes if note not in {*spec, *status}), *altered_of(ctx)]
    yield _of_notes("SpecValid", "Valid", "NotInForce", spec)
    yield _of_notes("StatusReadable", "Readable", "LeftOut", status)
    yield _of_notes("Undisturbed", "NothingFound", "Found", others)


def _of_notes(name: str, well: str, ill: str, notes: list[str]) -> Said:
    return Said(name, true=not notes, reason=ill if notes else well, message="; ".join(notes))
