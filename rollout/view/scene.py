"""One release as plain facts for the eye: what the text view prints and the live view paints."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rollout.api.durations import about, duration_of
from rollout.api.status import Phase, Status, name_of
from rollout.decide.capabilities import capabilities_of
from rollout.decide.gate import Facts
from rollout.decide.gates import before_step
from rollout.decide.observation import Observation
from rollout.forecast.next_step import Outlook, outlook
from rollout.view.words import ABSENT, clipped, clock, measured, number, or_absent, percent, ratio

if TYPE_CHECKING:
    from rollout.api.spec import Spec, Step
    from rollout.api.status import JournalEntry, Release, StepRecord
    from rollout.decide.gate import Blocked

JOURNAL_LINES = 6
NOTED = {"SpecValid", "StatusReadable", "Undisturbed"}
"""Conditions whose messages people should know; each has one only where something is wrong."""


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


def describe(name: str, spec: Spec, status: Status, now: float, *, known: bool = True) -> Scene:
    """The scene of release `name` at `now` (seconds since the epoch); without a known spec, of what its status says."""
    shown = status.release or status.last
    planned = spec.strategy.steps if capabilities_of(spec).divisible and known else []
    facts = Facts(Observation.unseen(status), now)
    gates = [before_step(spec, Status(), facts, index) for index in range(len(planned))]
    return Scene(
        name=name,
        phase=phase_of(status),
        headline=_headline(status),
        facts=tuple(_facts(status, shown, now)),
        steps=tuple(_step(step, gates[index], index, status, shown, now) for index, step in enumerate(planned)),
        verdict=_verdict(status),
        signals=tuple(signal_line(signal) for signal in signals_of(status)),
        next=outlook(spec, status, now) if known else Outlook("cannot be told: the spec in force is not known"),
        journal=tuple(journal_line(entry) for entry in (shown.journal if shown else ())[-JOURNAL_LINES:]),
    )


def phase_of(status: Status) -> str:
    """The phase with what qualifies it: its step, and whether somebody paused it."""
    told = status.phase.value
    if status.phase is Phase.STEPPING:
        told += f" {min(status.step + 1, status.steps)}/{status.steps}"
    return f"{told} (paused)" if status.paused else told


def _headline(status: Status) -> str:
    stable, canary, previous = names(status)
    serves = f"{stable} serves" if status.stable else "nothing serves yet"
    if status.phase is Phase.BAKING:
        return f"{stable} has all traffic, {previous} stands by"
    if status.phase is Phase.ROLLING_BACK:
        return f"{canary} is being taken back; {serves}"
    if status.in_flight:
        return f"{stable} -> {canary}" if status.stable else f"{canary}, the first version"
    if status.phase is Phase.ROLLED_BACK and status.last:
        return f"{serves}; {name_of(status.last.to_version, status.stable)} was taken back"
    return serves


def names(status: Status) -> tuple[str, str, str]:
    """What people call stable, canary and previous; told apart where only their configuration differs."""
    versions = status.stable, status.canary, status.previous
    return (
        or_absent(name_of(status.stable, *versions)),
        or_absent(name_of(status.canary, *versions)),
        or_absent(name_of(status.previous, *versions)),
    )


def weight_of(status: Status) -> str:
    """Desired, accepted and observed percent in one cell; and what the route says, where that is another."""
    weight = status.weight
    accepted = ABSENT if weight.accepted is None else str(weight.accepted)
    route = "" if weight.written in {None, weight.desired} else f"{weight.written} on the route, "
    return f"{weight.desired} % desired, {route}{accepted} accepted, {percent(weight.observed)} observed"


def _facts(status: Status, shown: Release | None, now: float) -> list[tuple[str, str]]:
    facts = [*_waiting(status, now)]
    if status.in_flight and status.phase is not Phase.BAKING:
        facts.append(("weight", weight_of(status)))
    if shown and (shown.requested_by or shown.reason):
        facts.append(("asked for", f"by {or_absent(shown.requested_by)}: {or_absent(shown.reason)}"))
    if shown and shown.outcome:
        facts.append(("outcome", f"{shown.outcome.value}: {clipped(shown.outcome_reason)}"))
        facts += _reaction(shown)
    if shown and shown.incomplete:
        facts.append(("incomplete", clipped(shown.incomplete)))
    facts += [("note", clipped(each.message)) for each in status.conditions if each.type in NOTED and each.message]
    facts.append(("engine", status.holder or "none has taken charge"))
    return facts


def _waiting(status: Status, now: float) -> list[tuple[str, str]]:
    """What the engine says that it waits for: in flight always, at rest where something keeps it from resting."""
    waiting = status.waiting
    if waiting is None or status.phase is Phase.ROLLED_BACK:
        return []
    until = "" if waiting.until is None else f", {about(waiting.until - now)} left"
    return [("waits", f"{clipped(waiting.reason)} (for {about(now - waiting.since)}{until})")]


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


def _step(step: Step, gate: Blocked | None, index: int, status: Status, shown: Release | None, now: float) -> StepLine:
    record = next((each for each in (shown.steps if shown else ()) if each.index == index), None)
    planned = f"{step.weight:>3} % for {duration_of(step.hold)}" + (", gate" if gate else "")
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


def signals_of(status: Status) -> list[dict[str, Any]]:
    """The judge's words on each signal: whatever else was persisted in their place is left out."""
    signals = status.analysis.get("signals")
    return [each for each in signals if isinstance(each, dict)] if isinstance(signals, list | tuple) else []


def signal_line(signal: dict[str, Any]) -> SignalLine:
    """A signal of `status.analysis` in words."""
    get, log_e = signal.get, _figure(signal.get("log_e"))
    return SignalLine(
        name=str(get("signal", "")),
        verdict=str(get("verdict", "")),
        stable=measured(_figure(get("stable_rate")), get("kind")),
        canary=measured(_figure(get("canary_rate")), get("kind")),
        ratio=ratio(_figure(get("ratio_low")), _figure(get("ratio_high"))),
        requests=number(_figure(get("canary_requests"))),
        log_e=ABSENT if log_e is None else f"{log_e:.2f}",
        reason=str(get("reason", "")),
    )


def _figure(value: Any) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def journal_line(entry: JournalEntry) -> str:
    """One entry of the journal."""
    return f"{clock(entry.at)} {clipped(entry.text)}"
