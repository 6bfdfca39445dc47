"""From sums and evidence to words: one verdict a signal, one for the release, never mixing the six."""

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rollout.judge import wording
from rollout.judge.evidence import Evidence
from rollout.judge.ledger import Ledger
from rollout.judge.policy import REQUEST_KINDS, JudgePolicy, SignalKind, SignalPolicy
from rollout.judge.verdicts import Assessment, SignalVerdict, Verdict
from rollout.looks import SourceStatus

DOUBT = math.log(5.0)
"""Log evidence against a signal above which it is not called good, whatever was proven earlier."""

MOST_WORDS = 200
"""Characters that are told of what a source says: an answer may be a page of HTML."""

LEAST_INFORMED = (Verdict.SOURCE_DOWN, Verdict.NO_DATA, Verdict.NO_TRAFFIC, Verdict.UNDECIDED, Verdict.GOOD)
"""Order in which signals' verdicts decide the release's, after bad."""


@dataclass(frozen=True, slots=True)
class Conviction:
    """The moment the canary was found bad; it stays so (the promise is about ever crossing the limit).

    Attributes:
        at: time of the look that convicted, seconds since the epoch.
        evidence_at: time of the look that began the run-up.
        log_e: combined log evidence then.
        culprits: signals to blame, the worst first.
        guard: sentence of the guard that convicted; None when the evidence did.
    """

    at: float
    evidence_at: float
    log_e: float
    culprits: tuple[str, ...]
    guard: str | None = None


@dataclass(frozen=True, slots=True)
class Docket:
    """Everything the words are made of.

    Attributes:
        policy: what is promised.
        books: sums, one a signal.
        evidence: the e-processes.
        log_e: log evidence against the canary, one a signal.
        log_e_all: that of all signals combined.
        log_e_good: log evidence for non-inferiority, one a signal.
        worst: position of a latency signal's edge with most evidence among its judged ones; None for other signals.
        doubt: why the requests cannot have been shared as asked for; empty while they may.
    """

    policy: JudgePolicy
    books: Sequence[Ledger]
    evidence: Evidence
    log_e: Sequence[float]
    log_e_all: float
    log_e_good: Sequence[float]
    worst: Sequence[int | None]
    doubt: str = ""


@dataclass(frozen=True, slots=True)
class _Numbers:
    """What the words are about, by channel: columns of `Sums` as lists, and whether history tells the noise."""

    total: list[list[float]]
    lately: list[list[float]]
    history: list[list[float]]
    enough: list[bool]

    @classmethod
    def of(cls, evidence: Evidence) -> "_Numbers":
        sums = evidence.sums
        return cls(sums.total.tolist(), sums.lately.tolist(), sums.history.tolist(), evidence.noise.enough().tolist())


def conclude(docket: Docket, now: float, conviction: Conviction | None) -> Assessment:
    """The assessment after a look."""
    ranges, numbers = _ranges(docket), _Numbers.of(docket.evidence)
    signals = tuple([_signal(docket, numbers, at, now, conviction, ranges[at]) for at in range(len(docket.books))])
    slots = docket.evidence.channels.slots
    excess = [
        float(docket.evidence.sums.excess[slot.start])
        for signal, slot in zip(docket.policy.signals, slots, strict=True)
        if signal.kind is SignalKind.ERRORS
    ]
    if conviction is None:
        verdict = next(word for word in LEAST_INFORMED if any(signal.verdict is word for signal in signals))
    else:
        verdict = Verdict.BAD
    doubted = verdict is Verdict.GOOD and docket.doubt
    if doubted:
        verdict = Verdict.UNDECIDED
    culprits = conviction.culprits if conviction else ()
    return Assessment(
        verdict=verdict,
        log_e=conviction.log_e if conviction else docket.log_e_all,
        culprits=culprits,
        excess_failed_requests=max([0.0, *excess]),
        evidence_at=conviction.evidence_at if conviction else None,
        signals=signals,
        reason=doubted or wording.overall(verdict, signals, culprits),
    )


def _ranges(docket: Docket) -> list[tuple[float, float | None]]:
    """Each signal's confidence sequence for the ratio; of latency that of its middle edge."""
    channels, ratio = docket.evidence.channels, docket.evidence.ratio
    used = channels.used
    known = [index for index, slot in enumerate(used) if slot.stop > slot.start]
    rows = np.array([(used[index].start + used[index].stop) // 2 for index in known], dtype=np.intp)
    effect = np.exp(ratio.usual[rows])
    bounds = docket.evidence.sequences.bounds(rows, docket.policy.false_rollback_rate, effect)
    ranges: list[tuple[float, float | None]] = [(0.0, None)] * len(docket.books)
    for index, found in zip(known, bounds, strict=True):
        ranges[index] = found
    return ranges


def _signal(
    docket: Docket,
    numbers: _Numbers,
    index: int,
    now: float,
    conviction: Conviction | None,
    ratio: tuple[float, float | None],
) -> SignalVerdict:
    signal, book = docket.policy.signals[index], docket.books[index]
    canary, stable, failed, edge = _rates(docket, numbers, index)
    seen = wording.observed(signal, canary, stable, edge, _lately(docket, numbers, index))
    verdict, reason = _absent(docket.policy, signal, book, now)
    if conviction and signal.name in conviction.culprits:
        verdict, reason = Verdict.BAD, conviction.guard if signal.name == conviction.culprits[0] else None
    verdict = verdict or _proven(docket, index)
    wanted = 1 / docket.policy.missed_rate
    seen += _baseline(docket, numbers, index) if verdict is Verdict.UNDECIDED else ""
    return SignalVerdict(
        signal=signal.name,
        verdict=verdict,
        log_e=docket.log_e[index],
        log_e_good=docket.log_e_good[index],
        stable_rate=stable,
        canary_rate=canary,
        ratio_low=ratio[0],
        ratio_high=ratio[1],
        canary_requests=book.canary_requests,
        stable_requests=book.stable_requests,
        canary_failed=failed,
        reason=reason or wording.judged(seen, docket.log_e[index], verdict, wanted, docket.log_e_good[index]),
    )


def _baseline(docket: Docket, numbers: _Numbers, index: int) -> str:
    """That stable's history is too short to tell its noise, so that the judge is slow rather than wrong."""
    if docket.policy.signals[index].kind not in REQUEST_KINDS:  # a healthy service hardly ever shows crashes
        return ""
    return "" if all(numbers.enough[docket.evidence.channels.used[index]]) else " (not enough baseline)"


def _rates(docket: Docket, numbers: _Numbers, index: int) -> tuple[float | None, float | None, int, float | None]:
    """Rates of canary and stable, the canary's failures, and (for latency) the edge they are about."""
    evidence, edge = docket.evidence, None
    if index in evidence.gauges:
        canary, stable = evidence.gauges[index].shown if docket.books[index].started else (None, None)
        return canary, stable, 0, None
    row = evidence.channels.slots[index].start
    if docket.policy.signals[index].kind is SignalKind.LATENCY:
        worst = docket.worst[index]
        if worst is None:
            return None, None, 0, None
        row, edge = row + worst, evidence.channels.edges[index][worst]
    failed, size, stable_failed, stable_size = numbers.total[row]
    if stable_size == 0 and edge is None:
        stable_failed, stable_size = numbers.history[row]
    return _rate(failed, size), _rate(stable_failed, stable_size), round(failed), edge


def _lately(docket: Docket, numbers: _Numbers, index: int) -> float | None:
    if index in docket.evidence.gauges:
        return None
    failed, size, *_ = numbers.lately[docket.evidence.channels.slots[index].start]
    return _rate(failed, size)


def _rate(failed: float, size: float) -> float | None:
    return failed / size if size > 0 else None


def _absent(policy: JudgePolicy, signal: SignalPolicy, book: Ledger, now: float) -> tuple[Verdict | None, str | None]:
    """The verdict of a signal that has nothing to judge, with its reason; None when it has."""
    if book.seen_at == -math.inf:
        return Verdict.NO_DATA, "its source has not been read yet"
    if book.status is SourceStatus.SOURCE_DOWN:
        return Verdict.SOURCE_DOWN, _because("its source does not answer", book)
    if now - book.seen_at > policy.stale_seconds:
        return Verdict.SOURCE_DOWN, f"no look for {now - book.seen_at:.0f} s"
    if book.status is SourceStatus.NO_DATA:
        return Verdict.NO_DATA, _because("its source has no series for the canary", book)
    quiet = book.seen_at - book.busy_at
    if book.started and quiet <= policy.idle_seconds:
        return None, None
    if signal.kind not in REQUEST_KINDS or (not book.started and book.uncounted > 0):
        return Verdict.NO_DATA, "its source shows none of the canary's numbers"
    if book.started:
        return Verdict.NO_TRAFFIC, f"the canary has had no requests for {quiet:.0f} s"
    return Verdict.NO_TRAFFIC, f"the canary has had no requests, stable {book.stable_ever}"


def _because(what: str, book: Ledger) -> str:
    return f"{what}: {textwrap.shorten(book.reason, MOST_WORDS)}" if book.reason else what


def _proven(docket: Docket, index: int) -> Verdict:
    proven = docket.log_e_good[index] >= math.log(1 / docket.policy.missed_rate)
    return Verdict.GOOD if proven and docket.log_e[index] < DOUBT else Verdict.UNDECIDED
