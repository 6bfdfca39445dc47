"""The judge's policy as a GrayRelease asks for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rollout.api.spec import SignalKind
from rollout.judge.model.policy import JudgePolicy, SignalPolicy
from rollout.judge.model.policy import SignalKind as JudgedKind

if TYPE_CHECKING:
    from rollout.api.spec import Analysis


def judge_policy_of(analysis: Analysis) -> JudgePolicy:
    """The judge's policy from the analysis that a GrayRelease asks for."""
    signals = tuple(
        SignalPolicy(
            name=signal.name,
            kind=JudgedKind(signal.kind.value),
            weight=signal.weight,
            tolerance=signal.tolerance,
            floor=signal.floor if signal.kind is SignalKind.ERRORS else None,
            threshold_seconds=signal.threshold,
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
