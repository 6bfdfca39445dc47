"""Judging a recording again: the same judge, the same looks, perhaps another policy."""

import dataclasses
from dataclasses import dataclass

from rollout.judge.judge import Judge
from rollout.judge.policy import JudgePolicy, SignalKind, SignalPolicy
from rollout.judge.recording import RecordedLook, Recording
from rollout.judge.verdicts import Assessment, SignalVerdict, Verdict
from rollout.looks import SignalLook, SourceStatus


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
    """Default policy for the signals a recording holds: errors, latency where there is a histogram, crashes if any."""
    pods = [pod for look in recording.looks for pod in look.pods.values()]
    signals = [SignalPolicy("errors", SignalKind.ERRORS)]
    if recording.edges_seconds and any(pod.latency_counts for pod in pods):
        signals.append(SignalPolicy("latency", SignalKind.LATENCY))
    if any(pod.crashes for pod in pods):
        signals.append(SignalPolicy("crashes", SignalKind.CRASHES))
    return JudgePolicy(signals=tuple(signals), false_rollback_rate=alpha)


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
    history = [look for look in recording.looks if look.phase == "history"]
    judge.learn([seen for look in history for seen in _signals(recording, look, policy)])
    present = [look for look in recording.looks if look.phase == "release"]
    assessment, since = judge.look(0.0, []), None
    judged = 0
    for look in present:
        later = judge.look(look.at, _signals(recording, look, policy))
        judged += 1
        if since is None or later.verdict is not assessment.verdict:
            since = look.at
        assessment = later
        if assessment.verdict is Verdict.BAD:
            break
    return _told(assessment, since, judged)


def _told(assessment: Assessment, since: float | None, judged: int) -> Replay:
    return Replay(
        verdict=assessment.verdict,
        at=since,
        onset_at=assessment.evidence_at,
        culprits=assessment.culprits,
        log_e=assessment.log_e,
        excess_failed_requests=assessment.excess_failed_requests,
        looks=judged,
        signals=assessment.signals,
        reason=assessment.reason,
    )


def _signals(recording: Recording, look: RecordedLook, policy: JudgePolicy) -> list[SignalLook]:
    """One recorded look as every signal of the policy reads it."""
    return [
        SignalLook(
            signal=signal.name,
            at=look.at,
            status=SourceStatus.OK,
            pods=look.pods,
            edges_seconds=recording.edges_seconds if signal.kind is SignalKind.LATENCY else (),
        )
        for signal in policy.signals
    ]
