"""The judge of a gray release: looks in, one of six verdicts out, with a stated rate of false rollbacks.

    judge = Judge(JudgePolicy(signals=(SignalPolicy("errors", SignalKind.ERRORS),)))
    assessment = judge.look(now, looks)

`docs/explanation/judge.md` says what is promised and under which assumptions.
"""

from rollout.judge.checkpoint_format import StateError
from rollout.judge.judge import Judge
from rollout.judge.model.policy import JudgePolicy, SignalPolicy
from rollout.judge.model.power import (
    detection_limit_seconds,
    promotion_limit_seconds,
    smallest_detectable_ratio,
    worst_case_failed_requests,
)
from rollout.judge.verdict.verdicts import Assessment, SignalVerdict, Verdict
from rollout.signals.kinds import SignalKind

__all__ = [
    "Assessment",
    "Judge",
    "JudgePolicy",
    "SignalKind",
    "SignalPolicy",
    "SignalVerdict",
    "StateError",
    "Verdict",
    "detection_limit_seconds",
    "promotion_limit_seconds",
    "smallest_detectable_ratio",
    "worst_case_failed_requests",
]
