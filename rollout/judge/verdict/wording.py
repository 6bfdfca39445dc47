"""One plain sentence for every verdict, with the numbers that made it."""

import math

from rollout.judge.model.policy import SignalKind, SignalPolicy
from rollout.judge.verdict.verdicts import Verdict


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
    if signal.kind is SignalKind.LATENCY:
        over = f"slower than {edge * 1000:g} ms" if edge is not None else "slow"
        return f"{share(canary)} of the canary's requests are {over}, {share(stable)} of stable's"
    if signal.kind is SignalKind.ERRORS:
        return f"canary fails {share(canary)} ({share(lately)} lately), stable {share(stable)}"
    if signal.kind is SignalKind.GAUGE:
        return f"the canary's is at {_value(canary)}, stable's at {_value(stable)}"
    noun = "crashes" if signal.kind is SignalKind.CRASHES else "events"
    return f"canary has {_hourly(canary)} {noun} per pod-hour, stable {_hourly(stable)}"


def _value(value: float | None) -> str:
    return "nothing" if value is None else f"{value:,.4g}"


def _hourly(rate: float | None) -> str:
    return "no" if not rate else f"{3600 * rate:.3g}"


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
