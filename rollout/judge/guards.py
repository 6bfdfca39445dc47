"""Catastrophes that need no waiting for statistics: crash loops, dead canaries, and a spent blast budget.

None of them speaks when stable suffers alike. They sit beside the e-processes; each is set so high that a healthy
canary meets it far less often than the false-rollback rate allows.
"""

import math

from rollout.judge.ledger import Ledger
from rollout.judge.policy import SignalKind, SignalPolicy

CRASH_LOOP = 2.0
"""Crashes of the canary within a step, stable having none, that convict."""

GUARD_SIZE = 20.0
"""Requests lately (faded) of either arm before a share of failures may convict."""

BUDGET_SIGMAS = 3.0
"""Standard deviations by which an excess must be sure before it counts against the budget."""


def guard_reason(signal: SignalPolicy, book: Ledger) -> str | None:
    """Why a hard guard convicts; None when it does not."""
    if signal.kind is SignalKind.CRASHES:
        return _crash_loop(signal.hard_guard or CRASH_LOOP, book)
    if signal.kind is SignalKind.ERRORS and signal.hard_guard is not None:
        return _dead(signal.hard_guard, book)
    return None


def _crash_loop(limit: float, book: Ledger) -> str | None:
    if book.step_canary < limit or book.step_stable > 0:
        return None
    return f"canary pods crashed or lost readiness {book.step_canary:.0f} times in this step, stable's not once"


def _dead(limit: float, book: Ledger) -> str | None:
    canary, stable = book.canary_lately, book.stable_lately
    if canary.size < GUARD_SIZE or canary.failed < limit * canary.size:
        return None
    if stable.failed > 0.25 * limit * stable.size:
        return None
    return f"{canary.failed / canary.size:.0%} of the canary's last requests failed, the guard is {limit:.0%}"


def sure_excess(book: Ledger, spread: float) -> float:
    """Excess failures after subtracting what chance and healthy pods may explain.

    Args:
        book: an errors signal's ledger.
        spread: standard deviation of the log rate between healthy pods.
    """
    variance = book.expected + (spread * book.expected) ** 2
    return book.excess - BUDGET_SIGMAS * math.sqrt(variance)
