"""One release as plain facts for the eye: what the text view prints and the live view paints."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rollout.spec import Gate
from rollout.status import Phase
from rollout.units import duration_of
from rollout.view.outlook import Outlook, outlook
from rollout.view.words import ABSENT, clipped, clock, number, or_absent, percent, rate, ratio

if TYPE_CHECKING:
    from rollout.spec import Spec, Step
    from rollout.status import JournalEntry, Release, Status, StepRecord, Version

JOURNAL_LINES = 6


@dataclass(frozen=True, slots=True)
class StepLine:
    """A step: `state` is ``done``, ``now``, ``next`` or ``back``; `progress` is the share of its hold, 0 to 1."""

    number: int
    state: str
    progress: float
    planned: str
    told: str


@dataclass(frozen=True, slots=True)
class SignalLine:
    """The judge's word on one signal, in words."""

    name: str
    verdict: str
    stable: str
    canary: str
    ratio: str
    requests: str
    log_e: str
    reason: str


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything a person wants to know of one release at one moment."""

    name: str
    phase: str
    headline: str
    facts: tuple[tuple[str, str], ...]
    steps: tuple[StepLine, ...]
    verdict: str
    signals: tuple[SignalLine, ...]
    next: Outlook
    journal: tuple[str, ...]


def describe(name: str, spec: Spec, status: Status, now: float) -> Scene:
    """The scene of release `name` at `now` (seconds since the epoch)."""
    shown = status.release or status.last
    planned = spec.strategy.steps if spec.traffic else []
    return Scene(
        name=name,
        phase=phase_of(status),
        headline=_headline(status),
        facts=tuple(_facts(status, shown)),
        steps=tuple(_step(step, index, status, shown, now) for index, step in enumerate(planned)),
        verdict=_verdict(status),
        signals=tuple(signal_line(signal) for signal in status.analysis.get("signals", ())),
        next=outlook(spec, status, now),
        journal=tuple(journal_line(entry) for entry in (shown.journal if shown else ())[-JOURNAL_LINES:]),
    )


def phase_of(status: Status) -> str:
    """The phase with what qualifies it: its step, and whether somebody paused it."""
    told = status.phase.value
    if status.phase is Phase.STEPPING:
        told += f" {min(status.step + 1, status.steps)}/{status.steps}"
    return f"{told} (paused)" if status.paused else told


def _headline(status: Status) -> str:
    if status.phase is Phase.BAKING:
        return f"{image(status.stable)} has all traffic, {image(status.previous)} stands by"
    if status.phase is Phase.ROLLING_BACK:
        return f"{image(status.canary)} is being taken back; {image(status.stable)} serves"
    if status.in_flight:
        origin = f"{image(status.stable)} -> " if status.stable else ""
        return f"{origin}{image(status.canary)}"
    if status.phase is Phase.ROLLED_BACK and status.last:
        return f"{image(status.stable)} serves; {image(status.last.to_version)} was taken back"
    return f"{image(status.stable)} serves" if status.stable else "nothing serves yet"


def image(version: Version | None) -> str:
    """The name people know a version by."""
    return ABSENT if version is None else version.image or version.revision


def weight_of(status: Status) -> str:
    """Desired, accepted and observed percent in one cell."""
    weight = status.weight
    accepted = ABSENT if weight.accepted is None else str(weight.accepted)
    return f"{weight.desired} % desired, {accepted} accepted, {percent(weight.observed)} observed"


def _facts(status: Status, shown: Release | None) -> list[tuple[str, str]]:
    facts = []
    if status.in_flight and status.phase is not Phase.BAKING:
        facts.append(("weight", weight_of(status)))
    if shown and (shown.requested_by or shown.reason):
        facts.append(("asked for", f"by {or_absent(shown.requested_by)}: {or_absent(shown.reason)}"))
    if shown and shown.outcome:
        facts.append(("outcome", f"{shown.outcome.value}: {clipped(shown.outcome_reason)}"))
        facts += _reaction(shown)
    facts.append(("engine", status.holder or "none has taken charge"))
    return facts


def _reaction(release: Release) -> list[tuple[str, str]]:
    reaction = release.reaction
    if reaction.decided_at is None or reaction.written_at is None:
        return []
    start = reaction.evidence_at or reaction.decided_at
    words = (
        ("decided", reaction.decided_at),
        ("weight 0 written", reaction.written_at),
        ("seen", reaction.observed_at),
    )
    told = [f"{word} after {at - start:.2f} s" for word, at in words if at is not None]
    return [("reaction", ", ".join(told)), ("excess failures", number(round(release.excess_failed_requests, 1)))]


def _step(step: Step, index: int, status: Status, shown: Release | None, now: float) -> StepLine:
    record = next((each for each in (shown.steps if shown else ()) if each.index == index), None)
    planned = f"{step.weight:>3} % for {duration_of(step.hold)}" + (", gate" if step.gate is Gate.MANUAL else "")
    return StepLine(
        index + 1,
        _state(record, index, status),
        _progress(record, step.hold, now),
        planned,
        _told(record, step.hold, now),
    )


def _state(record: StepRecord | None, index: int, status: Status) -> str:
    if record is None:
        return "next"
    if record.ended_at is None and status.in_flight:
        return "now"
    turned = status.phase in {Phase.ROLLING_BACK, Phase.ROLLED_BACK}
    return "back" if turned and _is_last(index, status) else "done"


def _is_last(index: int, status: Status) -> bool:
    shown = status.release or status.last
    return bool(shown and shown.steps and shown.steps[-1].index == index)


def _progress(record: StepRecord | None, hold: float, now: float) -> float:
    if record is None or record.verified_at is None:
        return 0.0
    passed = (record.ended_at or now) - record.verified_at
    return 1.0 if hold <= 0 else max(0.0, min(1.0, passed / hold))


def _told(record: StepRecord | None, hold: float, now: float) -> str:
    if record is None:
        return ""
    seen = "" if record.observed is None else f"{percent(record.observed)} % seen"
    if record.ended_at is not None:
        return ", ".join(part for part in (seen, or_absent(record.verdict)) if part)
    if record.verified_at is None:
        return "not verified yet" if record.accepted_at is None else "accepted, not seen yet"
    held = min(hold, max(0.0, now - record.verified_at))
    return ", ".join(part for part in (seen, f"{duration_of(round(held))} of {duration_of(hold)}") if part)


def _verdict(status: Status) -> str:
    analysis = status.analysis
    if not analysis.get("verdict"):
        return ""
    reason = analysis.get("reason")
    return f"{analysis['verdict']}: {reason}" if reason else str(analysis["verdict"])


def signal_line(signal: dict[str, Any]) -> SignalLine:
    """A signal of `status.analysis` in words."""
    get = signal.get
    return SignalLine(
        name=str(get("signal", "")),
        verdict=str(get("verdict", "")),
        stable=rate(get("stable_rate")),
        canary=rate(get("canary_rate")),
        ratio=ratio(get("ratio_low"), get("ratio_high")),
        requests=number(get("canary_requests")),
        log_e=ABSENT if get("log_e") is None else f"{get('log_e'):.2f}",
        reason=str(get("reason", "")),
    )


def journal_line(entry: JournalEntry) -> str:
    """One entry of the journal."""
    return f"{clock(entry.at)} {clipped(entry.text)}"
