"""From sums and evidence to words: one verdict a signal, one for the release, never mixing the six."""

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from rollout.judge.baseline.missing import missing
from rollout.judge.baseline.sums import SignalState
from rollout.judge.evidence.battery import Evidence
from rollout.judge.model.blocks import BLOCK_SECONDS
from rollout.judge.model.policy import REQUEST_KINDS, JudgePolicy, SignalPolicy
from rollout.judge.verdict import placement, wording
from rollout.judge.verdict.case import Case
from rollout.judge.verdict.shown import Shown, shown
from rollout.judge.verdict.verdicts import Assessment, SignalVerdict, Verdict
from rollout.signals.kinds import Family
from rollout.signals.looks import SourceStatus

INCONCLUSIVE = math.log(5.0)
"""Log evidence against a signal above which it is not called good, whatever was proven earlier."""

MOST_WORDS = 200
"""Characters that are told of what a source says: an answer may be a page of HTML."""

LEAST_INFORMED = (Verdict.SOURCE_DOWN, Verdict.NO_DATA, Verdict.NO_TRAFFIC, Verdict.UNDECIDED, Verdict.GOOD)
"""Order in which signals' verdicts decide the release's, after bad."""


@dataclass(slots=True)
class Docket:
    """Everything the words are made of.

    Attributes:
        policy: what is promised.
        case: what is known of the release.
        states: what is known of each signal, of all releases.
        evidence: their e-processes.
        log_e: log evidence against the canary, one a signal.
        log_e_good: log evidence for non-inferiority, one a signal.
    """

    policy: JudgePolicy
    case: Case
    states: Sequence[SignalState]
    evidence: Evidence
    log_e: Sequence[float]
    log_e_good: Sequence[float]


def conclude(docket: Docket) -> Assessment:
    """The assessment after a look."""
    case, conviction, evidence = docket.case, docket.case.conviction, docket.evidence
    found = list(map(partial(_verdict, docket), case.signals))
    verdict, mismatch = Verdict.BAD, ""
    if conviction is None:
        words = {word for word, _ in found}
        verdict = next(word for word in LEAST_INFORMED if word in words)
        mismatch = case.sample_ratio.mismatch() if verdict is Verdict.GOOD else ""
    excess = [evidence.excess_of(at) for at in case.signals if evidence.columns.families[at] is Family.FAILURES]
    return Assessment(
        verdict=Verdict.UNDECIDED if mismatch else verdict,
        log_e=conviction.log_e if conviction else case.log_e,
        culprits=conviction.culprits if conviction else (),
        excess_failed_requests=max([0.0, *excess]),
        evidence_at=conviction.evidence_at if conviction else None,
        reason=mismatch or _overall(docket, verdict, found),
    )


def tell(docket: Docket) -> tuple[SignalVerdict, ...]:
    """Each signal's verdict with its numbers, after a look."""
    return tuple(map(partial(_signal, docket), docket.case.signals, _ranges(docket)))


def _overall(docket: Docket, verdict: Verdict, found: Sequence[tuple[Verdict, str]]) -> str:
    """Sentence of the release's verdict, taken from the signal that decides it."""
    signals, case = docket.evidence.columns.signals, docket.case
    if verdict is Verdict.GOOD:
        needed, least = 1 / docket.policy.missed_rate, min(docket.log_e_good[at] for at in case.signals)
        seen = f"all {len(case.signals)} signals" if len(case.signals) > 1 else signals[case.signals.start].name
        return wording.proven(seen, least, needed)
    if case.conviction is None:
        deciding = [at for at, (word, _) in zip(case.signals, found, strict=True) if word is verdict]
        first = max(deciding, key=docket.log_e.__getitem__)
    else:
        named = {signals[at].name: at for at in case.signals}
        deciding = [named[culprit] for culprit in case.conviction.culprits if culprit in named]
        if not deciding:
            return "the signal that convicted is not judged any more"
        first = deciding[0]
    return f"{signals[first].name}: {_sentence(docket, first, *found[first - case.signals.start])}"


def _verdict(docket: Docket, index: int) -> tuple[Verdict, str]:
    """A signal's verdict, and its reason where that is not made of numbers."""
    policy, state, case = docket.policy, docket.states[index], docket.case
    conviction, signal = case.conviction, docket.evidence.columns.signals[index]
    if conviction and signal.name in conviction.culprits:
        return Verdict.BAD, conviction.guard or "" if signal.name == conviction.culprits[0] else ""
    if not _is_judged(policy, state, case.now):
        return _absent(policy, signal, state, case.now)
    if docket.log_e_good[index] < -math.log(policy.missed_rate) or docket.log_e[index] >= INCONCLUSIVE:
        return Verdict.UNDECIDED, ""
    return Verdict.GOOD, ""


def _ranges(docket: Docket) -> list[tuple[float, float | None]]:
    """Each signal's confidence sequence for the ratio; of latency that of its middle edge."""
    shown = {index: docket.evidence.columns.shown(index) for index in docket.case.signals}
    known = [index for index, its in shown.items() if its.stop > its.start]
    columns = np.array([shown[index].start for index in known], dtype=np.intp)
    effect = np.exp(docket.evidence.ratio.usual[columns])
    bounds = docket.evidence.sequences.bounds(columns, docket.policy.false_rollback_rate, effect)
    ranges = dict(zip(known, bounds, strict=True))
    return [ranges.get(index, (0.0, None)) for index in docket.case.signals]


def _signal(docket: Docket, index: int, ratio: tuple[float, float | None]) -> SignalVerdict:
    state = docket.states[index]
    seen = _shown(docket, index)
    canary, stable = seen.rates
    verdict, said = _verdict(docket, index)
    return SignalVerdict(
        signal=docket.evidence.columns.signals[index].name,
        kind=docket.evidence.columns.signals[index].kind,
        verdict=verdict,
        log_e=docket.log_e[index],
        log_e_good=docket.log_e_good[index],
        stable_rate=stable,
        canary_rate=canary,
        ratio_low=ratio[0],
        ratio_high=ratio[1],
        canary_requests=state.canary_requests,
        stable_requests=state.stable_requests,
        canary_failed=round(seen.canary.failed),
        reason=_sentence(docket, index, verdict, said),
    )


def _sentence(docket: Docket, index: int, verdict: Verdict, said: str) -> str:
    """The reason of a signal's verdict: what is said of it, else its numbers."""
    if said:
        return said
    policy, signal = docket.policy, docket.evidence.columns.signals[index]
    what = _shown(docket, index)
    seen = wording.observed(signal, what, convicted=verdict is Verdict.BAD)
    if what.row is not None:
        seen += placement.usual(docket.evidence, what.row)
    if (gauge := docket.evidence.gauges.get(index)) is not None:
        seen += "" if gauge.drift is None else wording.drift(*gauge.drift)
        if not gauge.is_judged and verdict is not Verdict.BAD:
            return f"{seen}: {wording.unjudged(gauge.missing_blocks * BLOCK_SECONDS)}"
    limit, needed = 1 / policy.false_rollback_rate, 1 / policy.missed_rate
    log_weight = math.log(policy.weights()[index - docket.case.signals.start])
    conviction, proof = docket.case.conviction, docket.log_e_good[index]
    if verdict is Verdict.BAD and conviction is not None:
        own = conviction.evidence_of(signal.name)
        own = log_weight + (docket.log_e[index] if own is None else own)
        return wording.convicted(seen, own, conviction.log_e, limit, by_guard=conviction.guard is not None)
    if verdict is Verdict.GOOD:
        return wording.proven(seen, proof, needed)
    seen += _baseline(docket, index)
    used = docket.evidence.columns.used[index]
    if used.start < used.stop:
        seen += placement.cannot_tell(docket.evidence, used.start, docket.states[index].pods.places)
    return wording.open_still(
        seen, log_weight + docket.log_e[index], limit, proof, needed, math.exp(log_weight + INCONCLUSIVE)
    )


def _baseline(docket: Docket, index: int) -> str:
    """That stable's history is too short to tell its noise, so that the judge is slow rather than wrong."""
    evidence, signal = docket.evidence, docket.evidence.columns.signals[index]
    used = evidence.columns.used[index]
    if signal.kind not in REQUEST_KINDS or used.start == used.stop:  # a healthy service hardly ever shows crashes
        return ""
    # Of latency the first edge: beyond the last ones stable is hardly ever seen, however long it shows itself.
    lacks = missing(evidence.pod_variation, used.start)
    return "" if lacks is None else wording.short_baseline(signal, lacks)


def _shown(docket: Docket, index: int) -> Shown:
    """What is shown of a signal: of latency at the edge that convicted, else where there is most evidence."""
    evidence, conviction = docket.evidence, docket.case.conviction
    edge = None if conviction is None else conviction.edge_of(evidence.columns.signals[index].name)
    return shown(evidence, index, started=docket.states[index].started, edge=edge)


def _is_judged(policy: JudgePolicy, state: SignalState, now: float) -> bool:
    """Whether a signal has something to judge, and had it lately."""
    return (
        state.started
        and state.status is SourceStatus.OK
        and now - state.seen_at <= policy.stale_seconds
        and state.seen_at - state.busy_at <= policy.idle_seconds
    )


def _absent(policy: JudgePolicy, signal: SignalPolicy, state: SignalState, now: float) -> tuple[Verdict, str]:
    """The verdict of a signal that has nothing to judge, with its reason."""
    if state.seen_at == -math.inf:
        return Verdict.NO_DATA, "its source has not been read yet"
    if state.status is SourceStatus.SOURCE_DOWN:
        return Verdict.SOURCE_DOWN, _because("its source does not answer", state)
    if now - state.seen_at > policy.stale_seconds:
        return Verdict.SOURCE_DOWN, f"no look for {now - state.seen_at:.0f} s"
    if state.status is SourceStatus.NO_DATA:
        return Verdict.NO_DATA, _because("its source has no series for the canary", state)
    if signal.kind not in REQUEST_KINDS or (not state.started and state.uncounted > 0):
        return Verdict.NO_DATA, "its source shows none of the canary's numbers"
    if state.started:
        return Verdict.NO_TRAFFIC, f"the canary has had no requests for {state.seen_at - state.busy_at:.0f} s"
    return Verdict.NO_TRAFFIC, f"the canary has had no requests, stable {state.stable_ever}"


def _because(what: str, state: SignalState) -> str:
    return f"{what}: {textwrap.shorten(state.reason, MOST_WORDS)}" if state.reason else what
