"""What became of a release since the last look, one line a change: the view for logs and CI."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rollout.view.scene import journal_line, phase_of, signal_line
from rollout.view.words import clock, percent

if TYPE_CHECKING:
    from rollout.status import JournalEntry, Release, Status


def changes(before: Status | None, after: Status, now: float) -> list[str]:
    """Lines to print when `before` became `after`; the first look tells where things stand."""
    if before is None:
        return [f"{clock(now)} {phase_of(after)}"]
    told = [journal_line(entry) for entry in _news(before, after)]
    if phase_of(before) != phase_of(after):
        told.append(f"{clock(now)} {phase_of(before)} -> {phase_of(after)}")
    if before.weight.observed != after.weight.observed and after.weight.observed is not None:
        told.append(f"{clock(now)} {percent(after.weight.observed)} % observed, {after.weight.desired} % desired")
    verdicts = before.analysis.get("verdict"), after.analysis.get("verdict")
    if verdicts[0] != verdicts[1] and verdicts[1]:
        told.append(f"{clock(now)} verdict {verdicts[1]}: {_numbers(after)}")
    return told


def _numbers(status: Status) -> str:
    lines = [signal_line(signal) for signal in status.analysis.get("signals", ())]
    return "; ".join(
        f"{line.name} {line.verdict}, canary {line.canary}, stable {line.stable}, ln e {line.log_e}" for line in lines
    ) or str(status.analysis.get("reason", ""))


def _news(before: Status, after: Status) -> list[JournalEntry]:
    seen = {(entry.at, entry.text) for entry in _journal(before)}
    return [entry for entry in _journal(after) if (entry.at, entry.text) not in seen]


def _journal(status: Status) -> list[JournalEntry]:
    releases: list[Release | None] = [status.last, status.release]
    return [entry for release in releases if release for entry in release.journal]
