"""From sums and evidence to words: one verdict a signal, one for the release, never mixing the six."""

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from rollout.judge import wording
from rollout.judge.evidence import Evidence
from rollout.judge.ledger import Ledger
from rollout.judge.policy import REQUEST_KINDS, JudgePolicy, SignalKind, SignalPolicy
from rollout.judge.shares import Shares
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


@dataclass(slots=True)
class Docket:
    """Everything the words are made of.

    Attributes:
        policy: what is promised.
        books: sums, one a signal.
        evidence: the e-processes.
        log_e: log evidence against the canary, one a signal.
        log_e_all: that of all signals combined.
        log_e_good: log evidence for non-inferiority, one a signal.
        now: seconds since the epoch.
        conviction: when the canary was found bad; None while it is not.
        shares: of the requests in this step.
    """

    policy: JudgePolicy
    books: Sequence[Ledger]
    evidence: Evidence
    log_e: Sequence[float]
    log_e_all: float
    log_e_good: Sequence[float]
    now: float
    conviction: Conviction | None
    shares: Shares


def conclude(docket: Docket) -> Assessment:
    """The assessment after a look."""
    conviction, signals = docket.conviction, docket.policy.signals
    found = list(map(partial(_verdict, docket), range(len(signals))))
    verdict, doubted = Verdict.BAD, ""
    if conviction is None:
        words = {word for word, _ in found}
        verdict = next(word for word in LEAST_INFORMED if word in words)
        doubted = docket.shares.doubt() if verdict is Verdict.GOOD else ""
    return Assessment(
        verdict=Verdict.UNDECIDED if doubted else verdict,
        log_e=conviction.log_e if conviction else docket.log_e_all,
        culprits=conviction.culprits if conviction else (),
        excess_failed_requests=docket.evidence.excess(),
        evidence_at=conviction.evidence_at if conviction else None,
        reason=doubted or _overall(docket, verdict, found),
    )


def tell(docket: Docket) -> tuple[SignalVerdict, ...]:
    """Each signal's verdict with its numbers, after a look."""
    return tuple(map(partial(_signal, docket), range(len(docket.books)), _ranges(docket)))


def _overall(docket: Docket, verdict: Verdict, found: Sequence[tuple[Verdict, str]]) -> str:
    """Sentence of the release's verdict, taken from the signal that decides it."""
    signals, conviction = docket.policy.signals, docket.conviction
    if verdict is Verdict.GOOD:
        return f"all {len(signals)} signals are shown not to be worse"
    named = [at for at, signal in enumerate(signals) if signal.name in conviction.culprits] if conviction else []
    deciding = named or [at for at, (word, _) in enumerate(found) if word is verdict]
    if not deciding:
        return "the evidence of all signals together has crossed the limit"
    first = max(deciding, key=docket.log_e.__getitem__)
    return f"{signals[first].name}: {_sentence(docket, first, *found[first])}"


def _verdict(docket: Docket, index: int) -> tuple[Verdict, str]:
    """A signal's verdict, and its reason where that is not made of numbers."""
    policy, book, conviction = docket.policy, docket.books[index], docket.conviction
    if conviction and (name := policy.signals[index].name) in conviction.culprits:
        return Verdict.BAD, conviction.guard or "" if name == conviction.culprits[0] else ""
    if not _is_judged(policy, book, docket.now):
        return _absent(policy, policy.signals[index], book, docket.now)
    if docket.log_e_good[index] < -math.log(policy.missed_rate) or docket.log_e[index] >= DOUBT:
        return Verdict.UNDECIDED, ""
    return Verdict.GOOD, ""


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


def _signal(docket: Docket, index: int, ratio: tuple[float, float | None]) -> SignalVerdict:
    book = docket.books[index]
    canary, stable, failed, _ = _rates(docket, index)
    verdict, said = _verdict(docket, index)
    return SignalVerdict(
        signal=docket.policy.signals[index].name,
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
        reason=_sentence(docket, index, verdict, said),
    )


def _sentence(docket: Docket, index: int, verdict: Verdict, said: str) -> str:
    """The reason of a signal's verdict: what is said of it, else its numbers."""
    if said:
        return said
    canary, stable, _, edge = _rates(docket, index)
    seen = wording.observed(docket.policy.signals[index], canary, stable, edge, _lately(docket, index))
    seen += _baseline(docket, index) if verdict is Verdict.UNDECIDED else ""
    return wording.judged(seen, docket.log_e[index], verdict, 1 / docket.policy.missed_rate, docket.log_e_good[index])


def _baseline(docket: Docket, index: int) -> str:
    """That stable's history is too short to tell its noise, so that the judge is slow rather than wrong."""
    if docket.policy.signals[index].kind not in REQUEST_KINDS:  # a healthy service hardly ever shows crashes
        return ""
    enough = docket.evidence.noise.enough(docket.evidence.channels.used[index])
    return "" if enough.all() else " (not enough baseline)"


def _rates(docket: Docket, index: int) -> tuple[float | None, float | None, int, float | None]:
    """Rates of canary and stable, the canary's failures, and (for latency) the edge they are about."""
    evidence, edge = docket.evidence, None
    if index in evidence.gauges:
        canary, stable = evidence.gauges[index].shown if docket.books[index].started else (None, None)
        return canary, stable, 0, None
    row = evidence.channels.slots[index].start
    if docket.policy.signals[index].kind is SignalKind.LATENCY:
        worst = evidence.worst_edge(index)
        if worst is None:
            return None, None, 0, None
        row, edge = row + worst, evidence.channels.edges[index][worst]
    failed, size, stable_failed, stable_size = evidence.sums.total[row].tolist()
    if stable_size == 0 and edge is None:
        stable_failed, stable_size = evidence.sums.history[row].tolist()
    return _rate(failed, size), _rate(stable_failed, stable_size), round(failed), edge


def _lately(docket: Docket, index: int) -> float | None:
    if index in docket.evidence.gauges:
        return None
    failed, size, *_ = docket.evidence.sums.lately[docket.evidence.channels.slots[index].start].tolist()
    return _rate(failed, size)


def _rate(failed: float, size: float) -> float | None:
    return failed / size if size > 0 else None


def _is_judged(policy: JudgePolicy, book: Ledger, now: float) -> bool:
    """Whether a signal has something to judge, and had it lately."""
    return (
        book.started
        and book.status is SourceStatus.OK
        and now - book.seen_at <= policy.stale_seconds
        and book.seen_at - book.busy_at <= policy.idle_seconds
    )


def _absent(policy: JudgePolicy, signal: SignalPolicy, book: Ledger, now: float) -> tuple[Verdict, str]:
    """The verdict of a signal that has nothing to judge, with its reason."""
    if book.seen_at == -math.inf:
        return Verdict.NO_DATA, "its source has not been read yet"
    if book.status is SourceStatus.SOURCE_DOWN:
        return Verdict.SOURCE_DOWN, _because("its source does not answer", book)
    if now - book.seen_at > policy.stale_seconds:
        return Verdict.SOURCE_DOWN, f"no look for {now - book.seen_at:.0f} s"
    if book.status is SourceStatus.NO_DATA:
        return Verdict.NO_DATA, _because("its source has no series for the canary", book)
    if signal.kind not in REQUEST_KINDS or (not book.started and book.uncounted > 0):
        return Verdict.NO_DATA, "its source shows none of the canary's numbers"
    if book.started:
        return Verdict.NO_TRAFFIC, f"the canary has had no requests for {book.seen_at - book.busy_at:.0f} s"
    return Verdict.NO_TRAFFIC, f"the canary has had no requests, stable {book.stable_ever}"


def _because(what: str, book: Ledger) -> str:
    return f"{what}: {textwrap.shorten(book.reason, MOST_WORDS)}" if book.reason else what
