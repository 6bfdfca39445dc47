"""One plain sentence for every verdict, with the numbers that made it.

Evidence is told on one scale: a signal's times its weight, so that those of all signals add up to the release's, which
convicts at 1/alpha. No number has more digits than it is known to.
"""

import math
from typing import assert_never

from rollout.api.durations import about
from rollout.judge.baseline.missing import Missing
from rollout.judge.data.ages import YOUNG_SECONDS
from rollout.judge.model.blocks import BLOCK_SECONDS
from rollout.judge.model.policy import SignalPolicy
from rollout.judge.verdict.shown import Counted, Shown, error_of
from rollout.signals import figures
from rollout.signals.kinds import HOUR, SIGNAL_KINDS, Family

_LARGE = math.log(1e6)
_LEAST = 0.01
_FINEST = 15


def odds(log_e: float, limit: float = math.inf) -> str:
    """Evidence as people read it: ``3.2``, ``1,500`` or ``10^12``.

    Args:
        log_e: its natural logarithm.
        limit: what it is told beside: it has as many digits as are needed to be on its side of that.
    """
    if log_e > _LARGE:
        return f"10^{log_e / math.log(10):.0f}"
    value = math.exp(log_e)
    if value < min(_LEAST, limit):
        return f"less than {_LEAST:g}"
    told = (figures.rough(value, digits) for digits in range(2, _FINEST))
    return next((each for each in told if (float(each.replace(",", "")) >= limit) is (value >= limit)), f"{value:g}")


def wanted(limit: float) -> str:
    """Evidence that a policy asks for: as exact as it is, to the third digit."""
    return figures.rough(limit, 3)


def share(counted: Counted) -> str:
    """A share of requests in per cent, with the digits that are known."""
    rate = counted.rate
    if rate is None:
        return "nothing"
    return f"{figures.known(100 * rate, min(100 * error_of(counted), 1.0))} %" if rate else "0 %"


def observed(signal: SignalPolicy, shown: Shown, *, convicted: bool = False) -> str:
    """What the two arms did, without judging it.

    Args:
        signal: the signal.
        shown: what is shown of it.
        convicted: the evidence at the edge that is shown is what convicted.
    """
    kind = SIGNAL_KINDS[signal.kind]
    canary, stable = shown.canary, shown.stable
    match kind.family:
        case Family.LATENCY:
            over = f"slower than {shown.edge * 1000:g} ms" if shown.edge is not None else "slow"
            first = "slower as a whole: " if convicted and shown.whole else ""
            return f"{first}{share(canary)} of the canary's requests are {over}, {share(stable)} of stable's"
        case Family.FAILURES:
            return f"canary fails {share(canary)} ({share(shown.lately)} lately), stable {share(stable)}"
        case Family.GAUGE:
            at, others = ("nothing" if value is None else kind.written(value) for value in shown.levels)
            return f"the canary's is at {at}, stable's at {others}"
        case Family.COUNT:
            return f"canary has {_hourly(canary)} {kind.noun} per pod-hour, stable {_hourly(stable)}"
        case _:
            assert_never(kind.family)


def _hourly(counted: Counted) -> str:
    rate = counted.rate
    return figures.known(HOUR * rate, HOUR * error_of(counted)) if rate else "no"


def drift(hourly: float, error: float) -> str:
    """How a gauge of the canary's drifts away from stable's, with as many digits as are known.

    Args:
        hourly: what it gains in an hour, as a part of stable's level.
        error: standard error of that.
    """
    digits = -math.floor(math.log10(100 * error)) if error > 0 else 0
    percent, known_to = (figures.rounded(100 * value, digits) for value in (hourly, error))
    return f" and gains {percent} (± {known_to}) % of that an hour"


def unjudged(seconds: float) -> str:
    """Why a gauge is shown and not judged.

    Args:
        seconds: of stable's history that are missing; 0 where the canary is what is waited for.
    """
    if seconds > 0:
        return f"not judged before stable's pods have shown {about(seconds)} more: only then is it known what is usual"
    return "not judged while the canary's pods are young or its share has just changed"


def short_baseline(signal: SignalPolicy, lacks: Missing) -> str:
    """That stable's history does not tell its noise yet, what is missing, and how long that takes."""
    if not lacks.pods:
        age = about(YOUNG_SECONDS)
        return f" (not enough baseline: nothing is known of stable's pods, and younger than {age} they do not tell)"
    if lacks.pods == 1:
        return " (not enough baseline: one pod of stable is seen apart, and it takes two to know how pods differ)"
    parts, pace = [], ""
    if lacks.blocks:
        parts.append(f"{about(lacks.blocks * BLOCK_SECONDS / lacks.pods)} more of stable's pods")
    if lacks.failures:
        what = "failures" if SIGNAL_KINDS[signal.kind].family is Family.FAILURES else "slow requests"
        parts.append(f"{lacks.failures:.0f} {what} of {'theirs' if parts else 'stable'}")
        pace = (
            f", about {roughly(lacks.seconds)} as it goes" if lacks.seconds < math.inf else ", of which there were none"
        )
    return f" (not enough baseline: it takes {' and '.join(parts)}{pace})"


def roughly(seconds: float) -> str:
    """A duration that is guessed: whole units of which there are at least two."""
    for unit, size in (("d", 24 * HOUR), ("h", HOUR), ("m", 60.0)):
        if seconds >= 2 * size:
            return f"{math.ceil(seconds / size)}{unit}"
    return f"{math.ceil(seconds)}s"


def convicted(seen: str, own: float, total: float, limit: float, *, by_guard: bool = False) -> str:
    """Sentence of a signal that is to blame.

    Args:
        seen: what the arms did.
        own: log of its weighted evidence when the canary was convicted.
        total: log of that of all signals.
        limit: evidence that convicts, 1/alpha.
        by_guard: a guard convicted, of another signal.
    """
    told = f"{seen}: evidence {odds(own, limit)} against the canary"
    if by_guard:
        return f"{told}, beside the guard that convicted it"
    if own < math.log(limit):
        told += f", {odds(total, limit)} with the other signals'"
    return f"{told}, {wanted(limit)} convicts"


def proven(seen: str, log_e: float, limit: float) -> str:
    """Sentence of a good signal: log evidence for non-inferiority, and what was needed, 1/beta."""
    return f"{seen}: not worse by evidence {odds(log_e, limit)}, {wanted(limit)} was needed"


def open_still(seen: str, against: float, limit: float, proof: float, needed: float, least: float) -> str:
    """Sentence of a signal of which neither is proven.

    Args:
        seen: what the arms did.
        against: log of its weighted evidence against the canary.
        limit: evidence that convicts, 1/alpha.
        proof: log evidence for non-inferiority.
        needed: what proves it good, 1/beta.
        least: weighted evidence against the canary from which on none is called good.
    """
    told = f"{seen}: evidence {odds(against, limit)} against the canary, {wanted(limit)} convicts; "
    if proof < math.log(needed):
        return f"{told}{odds(proof, needed)} for it, {wanted(needed)} proves it good"
    return f"{told}{odds(proof, needed)} for it, which counts once that against it is below {figures.rough(least)}"
