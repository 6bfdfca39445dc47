"""What a person's verb does to a release. A verb that makes no sense now is answered, never ignored silently."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rollout.api.journal import JournalKind
from rollout.api.status import Outcome, Pause, Phase
from rollout.api.texts import clean, told
from rollout.decide.approval import ahead, note, shut
from rollout.decide.context import (
    NOT_HELD,
    REASON,
    SKIPPED,
    change_step,
    roll_back,
    write_journal,
)
from rollout.decide.gate import Facts
from rollout.decide.gates import MANUAL, holds
from rollout.decide.memory import kept_out

if TYPE_CHECKING:
    from collections.abc import Callable

    from rollout.api.status import Command, Status
    from rollout.decide.context import Context


MOST_ID = 100
COMMANDS_LIMIT = 50
"""So many ids of commands that were carried out are remembered, the newest."""


class NoEffect(str):
    """An answer that says why a verb met nothing it could act on."""

    __slots__ = ()


def is_new(status: Status, command: Command) -> bool:
    """Whether a command was not carried out yet."""
    return _id(command) != status.command and _id(command) not in status.commands


def obey(ctx: Context, command: Command) -> Status:
    """Carry out one command and note its id and answer. An id is carried out once, whenever it comes again.

    A manifest that is applied again brings the command along that was on it. What was said of an earlier spec than the
    release in flight began with is not carried out, however long ago it was.
    """
    verb = VERBS.get(command.verb)
    answer: str
    if _is_of_the_past(ctx, command):
        status, answer = ctx.status, NoEffect("it was said of an earlier spec, so there is nothing to do: say it again")
    elif verb is None:
        status, answer = ctx.status, NoEffect(f"unknown verb {clean(command.verb)!r}: {', '.join(sorted(VERBS))}")
    else:
        status, answer = verb(ctx, command)
    known = [*status.commands, _id(command)][-COMMANDS_LIMIT:]
    done = not isinstance(answer, NoEffect)
    noted = {"command": _id(command), "command_answer": str(answer), "command_done": done, "commands": known}
    return status.model_copy(update=noted)


def _id(command: Command) -> str:
    return clean(command.id, MOST_ID)


def _is_of_the_past(ctx: Context, command: Command) -> bool:
    release = ctx.status.release
    begun = release.generation if release is not None else ctx.seen.generation
    return command.generation is not None and command.generation < begun


def _said(command: Command) -> str:
    by = f" by {clean(command.by)}" if command.by else ""
    return f"{by}: {told(command.reason, REASON)}" if command.reason else by


def _pause(ctx: Context, command: Command) -> tuple[Status, str]:
    if ctx.status.paused:
        return ctx.status, "it is paused already"
    paused = ctx.change(paused=Pause(at=ctx.now, by=clean(command.by), reason=told(command.reason, REASON)))
    return write_journal(paused, ctx.now, JournalKind.PAUSED, f"paused{_said(command)}"), "paused"


def _resume(ctx: Context, command: Command) -> tuple[Status, str]:
    if not ctx.status.paused:
        return ctx.status, "it is not paused"
    status = ctx.change(paused=None, **NOT_HELD)
    return write_journal(status, ctx.now, JournalKind.RESUMED, f"resumed{_said(command)}"), "resumed"


def _promote(ctx: Context, command: Command) -> tuple[Status, str]:
    status = ctx.status
    if unapproved := _unapproved(ctx):
        return status, NoEffect(unapproved)
    if holds(ctx, MANUAL):
        opened = write_journal(
            ctx.change(gate_passed=status.step),
            ctx.now,
            JournalKind.GATE,
            f"step {status.step + 1} opened{_said(command)}",
        )
        return opened, f"gate of step {status.step + 1} opened"
    if status.phase is Phase.STEPPING:
        for index in ahead(ctx):
            ctx = ctx.with_status(note(ctx, ctx.status, index))
        status = change_step(ctx.change(step=len(ctx.steps), paused=None), verdict=SKIPPED)
        return write_journal(
            status, ctx.now, JournalKind.PROMOTED_EARLY, f"promoted in full{_said(command)}"
        ), "promoting in full"
    if status.phase is Phase.BAKING:
        ended = ctx.change(phase_since=ctx.now - ctx.spec.strategy.bake, paused=None)
        return write_journal(ended, ctx.now, JournalKind.BAKE_ENDED, f"bake ended{_said(command)}"), "bake ended"
    return status, NoEffect(f"nothing to promote: the phase is {status.phase}")


def _unapproved(ctx: Context) -> str:
    """What a step ahead is still to be approved by; a person who says promote is not that. Empty where none is."""
    if ctx.status.phase not in {Phase.PREPARING, Phase.STEPPING} or holds(ctx, MANUAL):
        return ""
    facts = Facts(ctx.seen, ctx.now)
    found = (shut(ctx.spec, ctx.status, facts, index) for index in ahead(ctx))
    block = next(filter(None, found), None)
    return f"promote opens no gate of approvals: {block.reason}" if block else ""


def _abort(ctx: Context, command: Command) -> tuple[Status, str]:
    if ctx.status.phase is Phase.ROLLING_BACK:
        return ctx.status, NoEffect("nothing to abort: it is being taken back already")
    if not ctx.status.in_flight:
        return ctx.status, NoEffect(f"nothing to abort: the phase is {ctx.status.phase}")
    return roll_back(ctx, Outcome.ABORTED, f"aborted{_said(command)}"), "rolling back"


def _retry(ctx: Context, _: Command) -> tuple[Status, str]:
    wanted = ctx.seen.desired_revision
    if (known := kept_out(ctx.seen)) is not None:
        return ctx.status, NoEffect(f"{known.told()}; {known.way_out()}")
    refused = [entry for entry in ctx.status.refused if entry.revision != wanted]
    if len(refused) == len(ctx.status.refused):
        return ctx.status, NoEffect(f"{wanted} was not refused: nothing to retry")
    return ctx.change(refused=refused), f"{wanted} will be tried again"


VERBS: dict[str, Callable[[Context, Command], tuple[Status, str]]] = {
    "pause": _pause,
    "resume": _resume,
    "promote": _promote,
    "abort": _abort,
    "retry": _retry,
}
