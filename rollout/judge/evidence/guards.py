"""Catastrophes that need no waiting for statistics: crash loops, dead canaries, and a spent blast budget.

None of them speaks when stable suffers alike. They stand beside the evidence of the signals, and each has a part of the
false-rollback rate of its own (`JudgePolicy.guard_shares`), which the signals' weights lack.
"""

import math

from scipy.special import xlogy

from rollout.judge.baseline.sums import SignalState
from rollout.judge.evidence.battery import Evidence
from rollout.judge.evidence.blast_budget import BELIEVED_CLUMP, sure_excess
from rollout.judge.evidence.crash_guard import Healthy, Loop, crash_loop, healthy_rates
from rollout.judge.evidence.healthy_canary import UNKNOWN_BURST, upper_rate
from rollout.judge.model.onset_prior import Floats
from rollout.judge.model.policy import JudgePolicy, SignalPolicy
from rollout.signals.figures import rough
from rollout.signals.kinds import HOUR, SIGNAL_KINDS, Family, Guard
from rollout.signals.looks import Arm, SignalLook

GUARD_SIZE = 20.0
"""Requests lately (faded) of either arm before a share of failures may convict."""

MOMENTS = 100.0
"""Moments of a release, each with its own last requests, that a guard of failures looks at."""


def is_guarded(signal: SignalPolicy, policy: JudgePolicy) -> bool:
    """Whether a signal has a guard."""
    counted, kind = signal.hard_guard is not None or policy.blast_budget is not None, SIGNAL_KINDS[signal.kind]
    return kind.guard is not None or (kind.family is Family.FAILURES and counted)


def note_crashes(state: SignalState, look: SignalLook, counts: Floats) -> None:
    """Note the crashes of a look; ``counts`` are the canary's crashes and pod-seconds, and stable's, shape (4,)."""
    canary, seconds, stable, _ = counts.tolist()
    if state.crashes.began is None and seconds > 0:
        state.crashes.began = look.at
    if canary <= 0 and stable <= 0:
        return
    of_arms = [{name: pod.crashes for name, pod in look.pods.items() if pod.arm is arm} for arm in Arm]
    crashed = [{name: times for name, times in each.items() if times > 0} for each in of_arms]
    arms = {arm: (fell, len(each)) for arm, fell, each in zip(Arm, crashed, of_arms, strict=True)}
    (ours, pods), (others, beside) = arms[Arm.CANARY], arms[Arm.STABLE]
    state.crashes.see(look.at, ours, others, (pods, beside))


def guard_reason(policy: JudgePolicy, at: int, evidence: Evidence, index: int, state: SignalState) -> str | None:
    """Why a guard convicts; None when none does.

    Args:
        policy: what is promised.
        at: which of its signals is asked; it has a guard.
        evidence: of all signals.
        index: the signal's among them.
        state: what else is known of it.
    """
    signal, row = policy.signals[at], evidence.columns.reserved[index].start
    alpha = policy.false_rollback_rate * policy.guard_shares()[at]
    if (guard := SIGNAL_KINDS[signal.kind].guard) is not None:
        rate, again = (signal.tolerance * x for x in healthy_rates(signal.effective_floor, evidence.sums.history[row]))
        least = math.ceil(signal.hard_guard or guard.most)
        loop = crash_loop(
            state.crashes, state.seen_at, Healthy(rate, again, alpha, policy.horizon_seconds, max(least, 2))
        )
        return None if loop is None else _too_often(guard, loop, rate)
    reason = _dead(signal.hard_guard, evidence, row, alpha) if signal.hard_guard is not None else None
    budget = policy.blast_budget
    return reason or (_spent(budget, evidence, row, alpha) if budget is not None else None)


def _too_often(guard: Guard, loop: Loop, rate: float) -> str:
    whose = "a canary pod" if loop.pods == 1 else f"{loop.pods} canary pods"
    others = {0: "not once", 1: "once"}.get(loop.stable, f"{loop.stable} times")
    usual = rough(1 / (rate * HOUR))
    return (
        f"{whose} {guard.what} {loop.times} times within {loop.seconds:.0f} s, all of stable's {others} meanwhile: "
        f"too soon for pods that may do so once in {usual} h"
    )


def _dead(limit: float, evidence: Evidence, row: int, alpha: float) -> str | None:
    failed, size, stable_failed, stable_size = evidence.sums.lately[row].tolist()
    if size < GUARD_SIZE or failed < limit * size or stable_failed > 0.25 * limit * stable_size:
        return None
    # Nor is it a burst of healthy pods: nats that so many failures tell against the most that those were seen to fail.
    variation, where = evidence.pod_variation, slice(row, row + 1)
    known = evidence.sums.known[row]
    usual = upper_rate(known[:1], known[1:], evidence.columns.whole[where])[0]
    unknown = UNKNOWN_BURST * (1 - float(variation.knowledge()[row]))
    most, share = min(max(usual, float(variation.worst[row]), unknown, 1e-6), 1 - 1e-6), min(failed / size, 1.0)
    nats = float(xlogy(share, share / most) + xlogy(1 - share, (1 - share) / (1 - most))) if share > most else 0.0
    nats *= size * float(variation.one_by_one(where, BELIEVED_CLUMP)[0])
    if nats < math.log(MOMENTS / alpha):
        return None
    return f"{share:.0%} of the canary's last requests failed, the guard is {limit:.0%}"


def _spent(budget: int, evidence: Evidence, row: int, alpha: float) -> str | None:
    """Whether the excess, less what chance and healthy pods may explain, is above the budget."""
    if evidence.sums.excess[row] <= budget:
        return None
    sure = sure_excess(evidence, row, alpha)
    if sure <= budget:
        return None
    least = math.floor(sure)
    return f"at least {least} failed requests more than stable would have had, chance left out; the budget is {budget}"
