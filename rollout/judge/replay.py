"""Judging a recording again: the same judge, the same looks, perhaps another policy."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from rollout.judge.judge import Judge
from rollout.judge.policy import JudgePolicy, SignalKind, SignalPolicy
from rollout.judge.recording import RecordedLook, Recording
from rollout.judge.verdicts import Assessment, SignalVerdict, Verdict
from rollout.looks import PodLook, SignalLook, SourceStatus


@dataclass(frozen=True, slots=True)
class Replay:
    """What the judge says of a recording. JSON-serialisable by `dataclasses.asdict`.

    Attributes:
        verdict: bad if it ever was; else the last one.
        at: time of the look from which on the verdict held, in the recording's seconds; None without any look.
        onset_at: time of the look that began the run-up; None unless bad.
        culprits: signals to blame, the worst first.
        log_e: combined log evidence when it convicted, else at the end.
        excess_failed_requests: failures of the canary above stable's.
        looks: looks judged.
        signals: each signal's numbers, with its confidence sequence for the ratio.
        reason: one sentence.
    """

    verdict: Verdict
    at: float | None
    onset_at: float | None
    culprits: tuple[str, ...]
    log_e: float
    excess_failed_requests: float
    looks: int
    signals: tuple[SignalVerdict, ...]
    reason: str


def policy_for(recording: Recording, *, alpha: float = 0.01) -> JudgePolicy:
    """Default policy for what a recording holds: its named signals, else errors, latency, crashes and gauges."""
    by_signal: dict[str, list[PodLook]] = {}
    for look in recording.looks:
        by_signal.setdefault(look.signal, []).extend(look.pods.values())
    pods = by_signal.pop("", [])
    signals = [SignalPolicy(name, _kind_of(each)) for name, each in by_signal.items() if each]
    if pods or not signals:
        signals.append(SignalPolicy("errors", SignalKind.ERRORS))
    if recording.edges_seconds and any(pod.latency_counts for pod in pods):
        signals.append(SignalPolicy("latency", SignalKind.LATENCY))
    if any(pod.crashes for pod in pods):
        signals.append(SignalPolicy("crashes", SignalKind.CRASHES))
    gauges = sorted({name for pod in pods for name in pod.gauges})
    signals += [SignalPolicy(name, SignalKind.GAUGE) for name in gauges]
    return JudgePolicy(signals=tuple(signals), false_rollback_rate=alpha)


def _kind_of(pods: Sequence[PodLook]) -> SignalKind:
    """How the looks of a named signal are to be read, by what they hold."""
    if any(pod.latency_counts for pod in pods):
        return SignalKind.LATENCY
    if any(pod.gauges for pod in pods):
        return SignalKind.GAUGE
    if any(pod.requests for pod in pods):
        return SignalKind.ERRORS
    return SignalKind.EVENTS if any(pod.errors for pod in pods) else SignalKind.CRASHES


def replay(recording: Recording, policy: JudgePolicy | None = None, *, alpha: float | None = None) -> Replay:
    """Judge a recording from its first look to the conviction or the end.

    Args:
        recording: what was seen.
        policy: None takes `policy_for` the recording.
        alpha: replaces the policy's false-rollback rate.
    """
    policy = policy_for(recording) if policy is None else policy
    if alpha is not None:
        policy = dataclasses.replace(policy, false_rollback_rate=alpha)
    judge = Judge(policy)
    assessment, since = judge.look(0.0, []), None
    judged = 0
    for look in recording.looks:
        seen = _signals(recording, look, policy)
        if look.phase != "release":
            judge.learn(seen)
            continue
        if look.step:
            judge.begin_step(look.share)
        if not look.pods and look.step:
            continue
        later = judge.look(look.at, seen)
        judged += 1
        if since is None or later.verdict is not assessment.verdict:
            since = look.at
        assessment = later
        if assessment.verdict is Verdict.BAD:
            break
    if not judged and recording.looks:
        assessment = judge.look(recording.looks[-1].at, [])
    return _told(assessment, judge.signals(), since, judged)


def _told(assessment: Assessment, signals: tuple[SignalVerdict, ...], since: float | None, judged: int) -> Replay:
    return Replay(
        verdict=assessment.verdict,
        at=since,
        onset_at=assessment.evidence_at,
        culprits=assessment.culprits,
        log_e=assessment.log_e,
        excess_failed_requests=assessment.excess_failed_requests,
        looks=judged,
        signals=signals,
        reason=assessment.reason,
    )


def _signals(recording: Recording, look: RecordedLook, policy: JudgePolicy) -> list[SignalLook]:
    """One recorded look as every signal of the policy reads it that it is of."""
    return [
        SignalLook(
            signal=signal.name,
            at=look.at,
            status=SourceStatus.OK,
            pods=look.pods,
            edges_seconds=(look.edges_seconds or recording.edges_seconds) if signal.kind is SignalKind.LATENCY else (),
            starts=look.phase == "starts",
        )
        for signal in policy.signals
        if look.signal in {"", signal.name}
    ]
