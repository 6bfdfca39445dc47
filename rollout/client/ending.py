"""When a wait is over and what a shell learns: pure, so that the number CI acts on is tested without a cluster."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rollout.api.durations import about
from rollout.api.status import Outcome, Phase
from terminal.exits import ExitCode

if TYPE_CHECKING:
    from rollout.api.status import Release, Status

TAKEN_BACK = "taken-back"
"""`status.waiting.gate` of what stays out."""

CODES = {
    Outcome.PROMOTED: ExitCode.DONE,
    Outcome.PROMOTED_NOT_PROVEN: ExitCode.DONE,
    Outcome.ROLLED_BACK: ExitCode.ROLLED_BACK,
    Outcome.ABORTED: ExitCode.ABORTED,
    Outcome.SUPERSEDED: ExitCode.ABORTED,
    Outcome.CANCELLED: ExitCode.ABORTED,
}


@dataclass(frozen=True, slots=True)
class Awaited:
    """What is waited for.

    Attributes:
        revision: the release that brings this revision in.
        generation: looks at an older spec than this do not count.
        release_id: that very release, once it is known.
        baked: wait for the end of the bake; otherwise all traffic at the new version is enough.
        started: only what began with this generation counts, and no record of before.
    """

    revision: str
    generation: int = 0
    release_id: str = ""
    baked: bool = True
    started: bool = False


@dataclass(frozen=True, slots=True)
class Ending:
    """The end of a wait: exit code, one sentence, and the release it is about, if any."""

    code: ExitCode
    text: str
    release: Release | None = None


def learn(awaited: Awaited, status: Status) -> Awaited:
    """The same, with the release's id once it has begun."""
    release = status.release
    if awaited.release_id or release is None or release.to_version.revision != awaited.revision:
        return awaited
    return awaited if status.observed_generation < awaited.generation else replace(awaited, release_id=release.id)


def ending_of(awaited: Awaited, status: Status) -> Ending | None:
    """The end, or None while it goes on."""
    return _of_release(awaited, status) if awaited.release_id else _of_revision(awaited, status)


def _of_release(awaited: Awaited, status: Status) -> Ending | None:
    current, last = status.release, status.last
    if current and current.id == awaited.release_id:
        if status.phase is Phase.BAKING and not awaited.baked:
            return Ending(ExitCode.DONE, "promoted: all traffic is at the new version; the bake goes on", current)
        return None
    if last and last.id == awaited.release_id:
        return _ended(last)
    return Ending(ExitCode.ABORTED, "another release has come and gone since; see `release history`")


def _ended(release: Release) -> Ending:
    outcome = release.outcome or Outcome.ABORTED
    if release.incomplete:
        told = f"{outcome.value}: {release.outcome_reason}; not seen to be complete: {release.incomplete}"
        return Ending(ExitCode.ROLLBACK_INCOMPLETE, told, release)
    return Ending(_code(release), f"{outcome.value}: {release.outcome_reason}", release)


def _code(release: Release) -> ExitCode:
    """Of a release that ended: one whose objects were not taken is told apart from one that was found bad."""
    outcome = release.outcome or Outcome.ABORTED
    return ExitCode.REFUSED if release.refused and outcome is Outcome.ROLLED_BACK else CODES[outcome]


def _of_revision(awaited: Awaited, status: Status) -> Ending | None:
    if status.observed_generation < awaited.generation or status.in_flight:
        return None
    last = status.last if status.last and _is_of(status.last, awaited) else None
    if status.stable and status.stable.revision == awaited.revision:
        return _ended(last) if last else Ending(ExitCode.DONE, f"{awaited.revision} serves already")
    refused = next((entry for entry in status.refused if entry.revision == awaited.revision), None)
    if refused is None:
        return _kept_out(awaited, status)
    text = f"{awaited.revision} was taken back before ({refused.reason}); `release retry` allows another try"
    if (kept := _kept_out(awaited, status)) is not None:
        text = kept.text
    return Ending(_refused_code(last), text, last)


def _kept_out(awaited: Awaited, status: Status) -> Ending | None:
    """What was taken back on evidence elsewhere, or by a release that is gone, is not even begun."""
    waiting = status.waiting
    if waiting is None or waiting.gate != TAKEN_BACK or status.desired_revision != awaited.revision:
        return None
    return Ending(ExitCode.POLICY, f"{awaited.revision} stays out: {waiting.reason}")


def _is_of(release: Release, awaited: Awaited) -> bool:
    of_now = not awaited.started or release.generation >= awaited.generation
    return of_now and release.to_version.revision == awaited.revision


def _refused_code(last: Release | None) -> ExitCode:
    return _code(last) if last and last.outcome else ExitCode.ROLLED_BACK


def refusal_in(awaited: Awaited, status: Status) -> str:
    """What the API server says of an object that it does not take, while what is awaited waits for that; else empty."""
    waiting, release = status.waiting, status.release
    wanted = release.to_version.revision if release else status.desired_revision
    if waiting is None or not waiting.refused or status.phase is Phase.ROLLING_BACK:
        return ""
    return waiting.reason if wanted == awaited.revision else ""


def out_of_patience(status: Status, seconds: float, now: float) -> Ending:
    """The end of a wait for what the API server has not taken for so long."""
    waiting = status.waiting
    reason, end = (waiting.reason, waiting.until) if waiting else ("", None)
    until = "" if end is None else f" for {about(end - now)} more, then takes it back"
    text = (
        f"refused for {seconds:g} s: {reason}; "
        f"the engine tries on{until}; `release abort` ends it now, `release watch` waits again"
    )
    return Ending(ExitCode.REFUSED, text, status.release)


def out_of_time(status: Status | None, seconds: float) -> Ending:
    """The end of a wait that took too long: a rollback that is not complete is told apart."""
    if status is not None and status.phase is Phase.ROLLING_BACK:
        reason = status.release.outcome_reason if status.release else ""
        text = f"rollback not complete after {seconds:g} s: {reason}"
        return Ending(ExitCode.ROLLBACK_INCOMPLETE, text, status.release)
    where = "nothing was heard" if status is None else f"the phase is {status.phase.value}"
    return Ending(ExitCode.TIMEOUT, f"no outcome after {seconds:g} s: {where}", status.release if status else None)
