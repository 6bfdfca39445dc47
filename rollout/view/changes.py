"""What became of a release since the last look, one line a change: the view for logs and CI."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rollout.api.durations import about
from rollout.api.status import Phase
from rollout.view.scene import journal_line, phase_of, signal_line, signals_of
from rollout.view.words import clipped, clock, percent

if TYPE_CHECKING:
    from rollout.api.status import JournalEntry, Release, Status


def changes(before: Status | None, after: Status, now: float) -> list[str]:
    """Lines to print when `before` became `after`; the first look tells where things stand."""
    if before is None:
        return [f"{clock(now)} {phase_of(after)}"]
    told = [journal_line(entry) for entry in _news(before, after)]
    if phase_of(before) != phase_of(after):
        told.append(f"{clock(now)} {phase_of(before)} -> {phase_of(after)}")
    told += _waits(before, after, now)
    if before.weight.observed != after.weight.observed and after.weight.observed is not None:
        told.append(f"{clock(now)} {percent(after.weight.observed)} % observed, {after.weight.desired} % desired")
    verdicts = before.analysis.get("verdict"), after.analysis.get("verdict")
    if verdicts[0] != verdicts[1] and verdicts[1]:
        told.append(f"{clock(now)} verdict {verdicts[1]}: {_numbers(after)}")
    return told


def _waits(before: Status, after: Status, now: float) -> list[str]:
    """What is waited for, once for as long as it is the same but for its numbers."""
    waiting, known = after.waiting, before.waiting
    usual = after.doubt == "" and (after.verified_at is not None or after.phase is Phase.BAKING)
    if waiting is None or usual or not after.in_flight or (known and _gist(known.reason) == _gist(waiting.reason)):
        return []
    until = "" if waiting.until is None else f" ({about(waiting.until - now)} left)"
    return [f"{clock(now)} waits: {clipped(waiting.reason)}{until}"]


def _gist(text: str) -> str:
    return re.sub(r"[0-9.]+", "#", text)


def _numbers(status: Status) -> str:
    lines = [signal_line(signal) for signal in signals_of(status)]
    return "; ".join(
        f"{line.name} {line.verdict}, canary {line.canary}, stable {line.stable}, ln e {line.log_e}" for line in lines
    ) or str(status.analysis.get("reason", ""))


def _news(before: Status, after: Status) -> list[JournalEntry]:
    seen = {(entry.at, entry.text) for entry in _journal(before)}
    return [entry for entry in _journal(after) if (entry.at, entry.text) not in seen]


def _journal(status: Status) -> list[JournalEntry]:
    releases: list[Release | None] = [status.last, status.release]
    return [entry for release in releases if release for entry in release.journal]
