"""Catastrophes that need no waiting for statistics: crash loops, dead canaries, and a spent blast budget.

None of them speaks when stable suffers alike. They sit beside the e-processes; each is set so high that a healthy
canary meets it far less often than the false-rollback rate allows.
"""

import math
from typing import TypeVar

from rollout.judge.baseline.sums import Sums
from rollout.judge.model.onset_prior import Floats
from rollout.judge.model.policy import SignalPolicy
from rollout.signals.kinds import SIGNAL_KINDS, Family, Guard

Count = TypeVar("Count", float, Floats)

GUARD_SIZE = 20.0
"""Requests lately (faded) of either arm before a share of failures may convict."""

HEALTHY_SPREAD = 0.3
"""Standard deviation of the log rate between healthy pods that a blast budget allows for."""

BUDGET_SIGMAS = 3.0
"""Standard deviations by which an excess must be sure before it counts against the budget."""


def is_guarded(signal: SignalPolicy, budget: int | None) -> bool:
    """Whether a signal has a guard, given the failed requests above stable's that convict."""
    counted, kind = signal.hard_guard is not None or budget is not None, SIGNAL_KINDS[signal.kind]
    return kind.guard is not None or (kind.family is Family.FAILURES and counted)


def guard_reason(signal: SignalPolicy, row: int, sums: Sums, budget: int | None) -> str | None:
    """Why a guard convicts; None when none does.

    Args:
        signal: whose guard is asked; it has one.
        row: its first column.
        sums: of all columns.
        budget: failed requests above stable's that convict; None for no limit.
    """
    if (guard := SIGNAL_KINDS[signal.kind].guard) is not None:
        return _too_often(guard, signal.hard_guard or guard.most, sums.step[row])
    reason = _dead(signal.hard_guard, sums.lately[row]) if signal.hard_guard is not None else None
    return reason or (_spent(budget, row, sums) if budget is not None else None)


def _too_often(guard: Guard, limit: float, step: Floats) -> str | None:
    canary, stable = step
    enough = step_limit(stable, limit)
    if canary < enough:
        return None
    others = _times(stable) if stable else "not once"
    return f"canary pods {guard.what} {_times(canary)} in this step, all of stable's {others}: {enough:g} convict"


def _times(count: float) -> str:
    return "once" if count == 1 else f"{count:.0f} times"


def step_limit(stable: Count, limit: float) -> Count:
    """Events of the canary within a step that convict, beside so many of stable; shape kept."""
    return limit * (1 + stable)


def _dead(limit: float, lately: Floats) -> str | None:
    failed, size, stable_failed, stable_size = lately
    if size < GUARD_SIZE or failed < limit * size or stable_failed > 0.25 * limit * stable_size:
        return None
    return f"{failed / size:.0%} of the canary's last requests failed, the guard is {limit:.0%}"


def _spent(budget: int, row: int, sums: Sums) -> str | None:
    """Whether the excess, less what chance and healthy pods may explain, is above the budget."""
    excess, expected = float(sums.excess[row]), float(sums.expected[row])
    sure = excess - BUDGET_SIGMAS * math.sqrt(expected + (HEALTHY_SPREAD * expected) ** 2)
    if sure <= budget:
        return None
    least = math.floor(sure)
    return f"at least {least} failed requests more than stable would have had, chance left out; the budget is {budget}"
