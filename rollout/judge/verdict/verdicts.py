"""What the judge says: six words that are never mixed, and the numbers behind each of them."""

from dataclasses import dataclass
from enum import StrEnum

from rollout.signals.kinds import SignalKind


class Verdict(StrEnum):
    """The six verdicts."""

    BAD = "bad"
    """The evidence against the canary has crossed 1/alpha, or a guard has spoken."""
    GOOD = "good"
    """Non-inferiority is proven at the promised rate."""
    UNDECIDED = "undecided"
    """Traffic and data are there; neither proof is complete."""
    NO_TRAFFIC = "no-traffic"
    """The source answers, and the canary has had nothing to do."""
    NO_DATA = "no-data"
    """The source answers but has no series for the canary."""
    SOURCE_DOWN = "source-down"
    """The source does not answer."""


@dataclass(frozen=True, slots=True)
class SignalVerdict:
    """One signal's verdict with its numbers.

    Attributes:
        signal: name of the signal.
        kind: how its rates are to be read.
        verdict: its own verdict.
        log_e: natural logarithm of the e-process against the canary (0 = no evidence).
        log_e_good: natural logarithm of the e-process for non-inferiority.
        stable_rate: share of failed (or slow) requests of stable, or events per pod-second; None when never observed.
        canary_rate: the same of the canary.
        ratio_low: lower end of the confidence sequence for canary rate over stable rate.
        ratio_high: upper end; None when it is unbounded.
        canary_requests: requests the canary has answered under judgement.
        stable_requests: requests stable has answered at the same time.
        canary_failed: failed (slow, crashed) ones among the canary's.
        reason: one sentence with numbers.
    """

    signal: str
    kind: SignalKind
    verdict: Verdict
    log_e: float
    log_e_good: float
    stable_rate: float | None
    canary_rate: float | None
    ratio_low: float
    ratio_high: float | None
    canary_requests: int
    stable_requests: int
    canary_failed: int
    reason: str


@dataclass(frozen=True, slots=True)
class Assessment:
    """The judge's word on the whole release after a look.

    Attributes:
        verdict: bad if anything is; else the least informed of the signals' verdicts.
        log_e: natural logarithm of the combined e-process, or of its value when it convicted.
        culprits: signals named by e-BH (or the guard), the worst first.
        excess_failed_requests: failures of the canary above what stable would have had, not below 0.
        evidence_at: seconds since the epoch of the look that began the run-up which convicted; None unless bad.
        reason: one sentence with numbers.
    """

    verdict: Verdict
    log_e: float
    culprits: tuple[str, ...]
    excess_failed_requests: float
    evidence_at: float | None
    reason: str
