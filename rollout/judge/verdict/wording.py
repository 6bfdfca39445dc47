"""One plain sentence for every verdict, with the numbers that made it."""

import math
from typing import assert_never

from rollout.api.durations import about
from rollout.judge.model.policy import SignalPolicy
from rollout.judge.verdict.verdicts import Verdict
from rollout.signals.kinds import HOUR, SIGNAL_KINDS, Family


def odds(log_e: float) -> str:
    """An e-value as people read it: ``3.2``, ``1,500`` or ``10^12``."""
    if log_e > math.log(1e6):
        return f"10^{log_e / math.log(10):.0f}"
    value = math.exp(log_e)
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"  # noqa: PLR2004 - two digits below ten


def share(rate: float | None) -> str:
    """A share of requests in per cent with three digits."""
    return "nothing" if rate is None else f"{100 * rate:.3g} %"


def observed(
    signal: SignalPolicy, canary: float | None, stable: float | None, edge: float | None, lately: float | None
) -> str:
    """What the two arms did, without judging it.

    Args:
        signal: the signal.
        canary: the canary's rate since the start.
        stable: stable's rate in the same time.
        edge: latency only: the bucket edge the rates are about, in seconds.
        lately: the canary's rate in the last seconds.
    """
    kind = SIGNAL_KINDS[signal.kind]
    match kind.family:
        case Family.LATENCY:
            over = f"slower than {edge * 1000:g} ms" if edge is not None else "slow"
            return f"{share(canary)} of the canary's requests are {over}, {share(stable)} of stable's"
        case Family.FAILURES:
            return f"canary fails {share(canary)} ({share(lately)} lately), stable {share(stable)}"
        case Family.GAUGE:
            at, others = ("nothing" if value is None else kind.written(value) for value in (canary, stable))
            return f"the canary's is at {at}, stable's at {others}"
        case Family.COUNT:
            return f"canary has {_hourly(canary)} {kind.noun} per pod-hour, stable {_hourly(stable)}"
        case _:
            assert_never(kind.family)


def _hourly(rate: float | None) -> str:
    return "no" if not rate else f"{HOUR * rate:.3g}"


def drift(hourly: float, error: float) -> str:
    """How a gauge of the canary's drifts away from stable's, with as many digits as are known.

    Args:
        hourly: what it gains in an hour, as a part of stable's level.
        error: standard error of that.
    """
    digits = -math.floor(math.log10(100 * error)) if error > 0 else 0
    percent, about = (f"{round(100 * value, digits):,.{max(digits, 0)}f}" for value in (hourly, error))
    return f" and gains {percent} (± {about}) % of that an hour"


def unjudged(seconds: float) -> str:
    """Why a gauge is shown and not judged.

    Args:
        seconds: of stable's history that are missing; 0 where the canary is what is waited for.
    """
    if seconds > 0:
        return f"not judged before stable's pods have shown {about(seconds)} more: only then is it known what is usual"
    return "not judged while the canary's pods are young or its share has just changed"


def judged(seen: str, log_e: float, verdict: Verdict, wanted: float, proven: float) -> str:
    """Sentence of a verdict that rests on evidence.

    Args:
        seen: what the arms did.
        log_e: evidence against the canary.
        verdict: bad, good or undecided.
        wanted: evidence that the verdict needs, 1/alpha for bad or 1/beta for good.
        proven: log evidence for non-inferiority.
    """
    if verdict is Verdict.BAD:
        return f"{seen}: evidence {odds(log_e)} against the canary"
    if verdict is Verdict.GOOD:
        return f"{seen}: not worse by evidence {odds(proven)}, {wanted:.0f} was needed"
    return f"{seen}: evidence {odds(log_e)} against, {odds(proven)} for the canary, neither is enough"
