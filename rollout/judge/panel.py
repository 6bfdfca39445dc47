"""Judges of several releases under one policy: each sees its own looks alone, and all of them are one pass of arrays.

No clock, no input or output, no randomness: the same looks give the same words, however many others there are beside.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain, zip_longest
from operator import attrgetter

import numpy as np

from rollout.judge.baseline.sums import SignalState
from rollout.judge.data.batch import Batch
from rollout.judge.data.pod_slots import PodSlots
from rollout.judge.data.read_samples import read, slower_than_edges
from rollout.judge.evidence.battery import Evidence
from rollout.judge.evidence.combination import combined, e_bh
from rollout.judge.evidence.gauge_test import SETTLED_SECONDS
from rollout.judge.evidence.guards import guard_reason, is_guarded, note_crashes
from rollout.judge.evidence.sample_ratio_mismatch import SampleRatioTest
from rollout.judge.model import bucket_edges as edges
from rollout.judge.model.policy import REQUEST_KINDS, JudgePolicy
from rollout.judge.model.ridits import choose_ridits
from rollout.judge.verdict.case import Case, Conviction
from rollout.judge.verdict.conclusion import Docket
from rollout.judge.verdict.shown import convicting_edge
from rollout.signals.kinds import SIGNAL_KINDS, Family
from rollout.signals.looks import Arm, SignalLook, SourceStatus

_AT = attrgetter("at")


class Panel:
    """Judges releases by the looks it is given.

    Args:
        policy: what is promised to each of them.
        releases: how many.

    Attributes:
        policy: as given.
        states: what is known of each signal, of one release after the other.
        evidence: their e-processes.
        cases: what is known of each release.
    """

    def __init__(self, policy: JudgePolicy, releases: int = 1) -> None:
        self.policy, self._weights = policy, policy.weights()
        self._width = len(policy.signals)
        self._index = {signal.name: index for index, signal in enumerate(policy.signals)}
        self.evidence = Evidence(policy, releases)
        self.states = [SignalState() for _ in self.evidence.columns.signals]
        self.cases = [Case(range(at, at + self._width)) for at in range(0, len(self.states), self._width)]
        self._log_e = [0.0] * len(self.states)
        asked = [index for index, signal in enumerate(policy.signals) if signal.kind in REQUEST_KINDS]
        self._sharing = asked[0] if asked else -1
        self._loops = {at for at, each in enumerate(policy.signals) if SIGNAL_KINDS[each.kind].guard is not None}
        self._guarded = [at for at, each in enumerate(policy.signals) if is_guarded(each, policy)]

    def learn(self, looks: Sequence[Sequence[SignalLook]]) -> None:
        """Take looks in as history of stable: nothing is judged, canary pods in them are ignored.

        Looks at earlier starts come last, whatever their time: the others decide at which edges latency is judged.

        Args:
            looks: of each release.

        Raises:
            KeyError: a look is of a signal that the policy does not have.
        """
        self.look([[_stable_only(look) for look in each if not look.starts] for each in looks])
        for case, each in zip(self.cases, looks, strict=True):
            for look in sorted((look for look in each if look.starts), key=_AT):
                self._take_start(case.signals[self._index[look.signal]], look)

    def begin_step(self, release: int, share: float = 0.0, since: float = -math.inf) -> None:
        """Say that a new step of a release begins: it must be proven good anew, and its crashes are counted from 0.

        Evidence against the canary goes on through all steps.

        Args:
            release: which of them.
            share: the canary's share of the requests from now on, 0 to 1; 0 when that is not to be checked.
            since: when that share came into force; looks that began earlier do not count against it.
        """
        case = self.cases[release]
        case.sample_ratio = SampleRatioTest(share, since=since)
        self.evidence.begin_step(case.signals)

    def change_share(self, release: int, share: float = 0.0, since: float = -math.inf) -> None:
        """Say that another weight is in force, or 0 where requests cannot be held against any; what is proven stays."""
        case = self.cases[release]
        if share != case.sample_ratio.asked:
            case.sample_ratio = SampleRatioTest(share, since=since)

    def look(self, looks: Sequence[Sequence[SignalLook]]) -> None:
        """Take in new looks of each release: any number, in any order; one that is not new changes nothing.

        Raises:
            KeyError: a look is of a signal that the policy does not have.
        """
        each = [self._rounds(case.signals.start, its) for case, its in zip(self.cases, looks, strict=True)]
        for batches in zip_longest(*each, fillvalue=()):
            self._take_in(list(chain.from_iterable(batches)))

    def dockets(self) -> Iterator[Docket]:
        """What there is to be said of each release."""
        log_e_good = self.evidence.log_e_good()
        for case in self.cases:
            yield Docket(self.policy, case, self.states, self.evidence, self._log_e, log_e_good)

    def weigh(self) -> None:
        """Sum the evidence of all signals up."""
        self._log_e = self.evidence.log_e()
        for case in self.cases:
            case.log_e = combined(self._log_e[case.signals.start : case.signals.stop], self._weights)

    def _rounds(self, first: int, looks: Iterable[SignalLook]) -> Iterator[Iterable[tuple[int, SignalLook]]]:
        """Looks newer than what is known of their signal, oldest first, in batches in which each signal occurs once."""
        batch: dict[int, SignalLook] = {}
        for look in sorted(looks, key=_AT):
            index = first + self._index[look.signal]
            if index in batch:
                yield batch.items()
                batch = {}
            if look.at > self.states[index].seen_at:
                batch[index] = look
        if batch:
            yield batch.items()

    def _take_in(self, looks: Sequence[tuple[int, SignalLook]]) -> None:
        asked, judged_at = [], {}
        for index, look in looks:
            if index in self.evidence.gauges:
                if self._watch(index, look):
                    judged_at[index] = look.at
            elif self._is_there(index, look):
                asked.append((index, look, self.states[index].pods))
        if asked:
            judged_at |= self._count(asked)
        if not judged_at:
            return
        self.weigh()
        latest = dict.fromkeys([index // self._width for index in judged_at], -math.inf)
        for index, at in judged_at.items():
            latest[index // self._width] = max(at, latest[index // self._width])
        for release, at in latest.items():
            self._decide(self.cases[release], at)

    def _count(self, asked: Sequence[tuple[int, SignalLook, PodSlots]]) -> dict[int, float]:
        """Take in looks at signals that are counted; the time of those whose canary has begun, by index."""
        evidence, judged_at = self.evidence, {}
        batch = Batch.empty(evidence.columns.count)
        ats, spans, looked, begun = clocks = [[0.0] * len(self.states) for _ in range(4)]
        for (index, look, _), reading in zip(asked, read(batch, asked, evidence.columns), strict=True):
            state = self.states[index]
            ats[index], spans[index], looked[index] = look.at, state.seconds_since(look.at, reading.seconds), 1.0
            state.note(reading, look.at)
            if state.started:
                judged_at[index], begun[index] = look.at, 1.0
            if index % self._width in self._loops:
                note_crashes(state, look, batch.counts[evidence.columns.reserved[index].start])
            if index % self._width == self._sharing:
                self.cases[index // self._width].sample_ratio.count(*reading.requests, look.at - reading.seconds)
        clock = np.array(clocks)[:, evidence.columns.owner]
        batch.at, batch.seconds = clock[:2]
        batch.looked, judged = (clock[2:] > 0) & evidence.columns.live
        evidence.take_in(batch, judged)
        return judged_at

    def _take_start(self, index: int, look: SignalLook) -> None:
        """Learn from a look at an earlier start, in which all pods count as stable's."""
        state, columns = self.states[index], self.evidence.columns
        used = columns.used[index]
        if look.at <= state.started_at or used.start == used.stop:
            return
        state.started_at = look.at
        batch = Batch.empty(columns.count)
        read(batch, [(index, look, PodSlots())], columns)
        self.evidence.learn_start(batch)

    def _watch(self, index: int, look: SignalLook) -> bool:
        """Take in a gauge's look; whether it was judged."""
        state, name = self.states[index], look.signal
        state.seen_at, state.status, state.reason = look.at, look.status, look.reason
        if look.status is not SourceStatus.OK:
            return False
        shown = {pod: each for pod, each in look.pods.items() if name in each.gauges}
        if any(each.arm is Arm.CANARY for each in shown.values()):
            state.started, state.busy_at = True, look.at
        settled = {pod: each for pod, each in shown.items() if each.age_seconds >= SETTLED_SECONDS}
        canary = [each.gauges[name] for each in settled.values() if each.arm is Arm.CANARY]
        stable = {pod: each.gauges[name] for pod, each in settled.items() if each.arm is Arm.STABLE}
        each = [sum(pod.arm is arm for pod in shown.values()) for arm in (Arm.CANARY, Arm.STABLE)]
        load = self.cases[index // self._width].load(*each)
        return self.evidence.gauges[index].see(look.at, canary, stable, load)

    def _is_there(self, index: int, look: SignalLook) -> bool:
        """Note that a look came; whether there is something in it."""
        state, columns = self.states[index], self.evidence.columns
        state.seen_at, state.status, state.reason = look.at, look.status, look.reason
        if look.status is not SourceStatus.OK:
            return False
        if not columns.edges[index] and columns.families[index] is Family.LATENCY:
            self._choose_edges(index, look)
        return True

    def _choose_edges(self, index: int, look: SignalLook) -> None:
        """Fix a latency signal's edges, from stable's history and this look's requests, all arms pooled."""
        state, evidence = self.states[index], self.evidence
        if not look.edges_seconds:
            return
        now, stable = slower_than_edges(look), slower_than_edges(_stable_only(look))
        before = state.before_edges if state.before_edges.size == now.size else np.zeros(now.size)
        enough = edges.ENOUGH if state.started or now[-1] > stable[-1] else edges.ENOUGH_HISTORY
        pooled = before + now
        if pooled[-1] < enough:
            state.before_edges = before + stable
            return
        threshold = evidence.columns.signals[index].threshold_seconds
        chosen = edges.choose_edges(look.edges_seconds, pooled[:-1], float(pooled[-1]), threshold)
        evidence.judge_at(index, chosen, choose_ridits(look.edges_seconds, pooled[:-1], float(pooled[-1])))
        where = edges.positions(tuple(chosen), look.edges_seconds)
        evidence.sums.history[evidence.columns.used[index]] = np.stack(
            [before[where], np.full(len(chosen), before[-1])], axis=1
        )
        state.before_edges = np.zeros(0)

    def _decide(self, case: Case, at: float) -> None:
        """Convict, once and for all, when the combined evidence, a guard or the blast budget says so."""
        case.run_up.see(at, case.log_e)
        if case.conviction is not None:
            return
        guard = self._guard(case)
        alpha = self.policy.false_rollback_rate
        if not case.log_e >= math.log(1 / alpha) and guard is None:  # what is no number convicts nobody
            return
        names = [signal.name for signal in self.policy.signals]
        logs = self._log_e[case.signals.start : case.signals.stop]
        culprits = [names[i] for i in e_bh(logs, alpha)]
        if guard is not None:
            culprits = [guard[0], *(name for name in culprits if name != guard[0])]
        weighted = [math.log(w) + e for w, e in zip(self._weights, logs, strict=True)]
        culprits = culprits or [names[weighted.index(max(weighted))]]
        places = [names.index(name) for name in culprits]
        began = case.run_up.began_at
        case.conviction = Conviction(
            at=at,
            evidence_at=at if began is None else began,
            log_e=case.log_e,
            culprits=tuple(culprits),
            guard=None if guard is None else guard[1],
            found=tuple(logs[at] for at in places),
            edges=tuple(convicting_edge(self.evidence, case.signals[at]) for at in places),
        )

    def _guard(self, case: Case) -> tuple[str, str] | None:
        """The first guard that convicts: its signal and its reason."""
        for at in self._guarded:
            index = case.signals[at]
            reason = guard_reason(self.policy, at, self.evidence, index, self.states[index])
            if reason is not None:
                return self.policy.signals[at].name, reason
        return None


def _stable_only(look: SignalLook) -> SignalLook:
    return replace(look, pods={name: pod for name, pod in look.pods.items() if pod.arm is Arm.STABLE})
