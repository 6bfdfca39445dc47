"""The judge's policy as a GrayRelease asks for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rollout.judge.model.policy import JudgePolicy, SignalPolicy
from rollout.signals.kinds import SIGNAL_KINDS, Family

if TYPE_CHECKING:
    from rollout.api.spec import Analysis


def judge_policy_of(analysis: Analysis) -> JudgePolicy:
    """The judge's policy from the analysis that a GrayRelease asks for."""
    signals = tuple(
        SignalPolicy(
            name=signal.name,
            kind=signal.kind,
            weight=signal.weight,
            tolerance=signal.tolerance,
            floor=signal.floor if SIGNAL_KINDS[signal.kind].family is Family.FAILURES else None,
            threshold_seconds=signal.threshold,
            metric=signal.metric or "",
        )
        for signal in analysis.signals
    )
    return JudgePolicy(
        signals=signals,
        false_rollback_rate=analysis.false_rollback_rate,
        horizon_seconds=analysis.horizon,
        promotion_margin=analysis.promotion_margin,
        missed_rate=analysis.missed_rate,
        blast_budget=analysis.blast_budget,
    )
