"""The judge of one release: takes looks in, keeps sums, and says after each what they prove.

No clock, no input or output, no randomness: the same looks give the same words, and a judge restored from its saved
sums goes on as if it had never stopped.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from operator import attrgetter

import numpy as np

from rollout.judge import edges, memory
from rollout.judge.batch import Batch
from rollout.judge.body import choose_body
from rollout.judge.combination import RunUp, combined, e_bh
from rollout.judge.conclusion import Conviction, Docket, conclude, tell
from rollout.judge.evidence import Evidence
from rollout.judge.gauges import SETTLED_SECONDS
from rollout.judge.guards import guard_reason, is_guarded
from rollout.judge.ledger import Ledger
from rollout.judge.places import Pods
from rollout.judge.policy import REQUEST_KINDS, JudgePolicy, SignalKind
from rollout.judge.shares import Shares
from rollout.judge.tally import read, slower_than_edges
from rollout.judge.verdicts import Assessment, SignalVerdict
from rollout.looks import Arm, SignalLook, SourceStatus

_AT = attrgetter("at")


class Judge:
    """Judges one release by the looks it is given.

    One judge serves all steps of a release: the false-rollback rate holds for all of them together.
    """

    def __init__(self, policy: JudgePolicy) -> None:
        self._policy, self._weights = policy, policy.weights()
        self._index = {signal.name: index for index, signal in enumerate(policy.signals)}
        self._books = [Ledger() for _ in policy.signals]
        self._evidence = Evidence(policy)
        self._run_up = RunUp()
        self._shares = Shares()
        self._conviction: Conviction | None = None
        self._log_e, self._log_e_all, self._now = [0.0] * len(policy.signals), 0.0, -math.inf
        asked = [index for index, signal in enumerate(policy.signals) if signal.kind in REQUEST_KINDS]
        self._sharing = asked[0] if asked else -1
        slots = zip(policy.signals, self._evidence.channels.slots, strict=True)
        self._guarded = [(signal, slot.start) for signal, slot in slots if is_guarded(signal, policy.blast_budget)]

    @property
    def convicted_at(self) -> float | None:
        """Seconds since the epoch of the look that convicted the canary; None while it is not."""
        return None if self._conviction is None else self._conviction.at

    def learn(self, looks: Sequence[SignalLook]) -> None:
        """Take looks in as history of stable: nothing is judged, canary pods in them are ignored.

        Looks at earlier starts come last, whatever their time: at which edges latency is judged is told by the others.

        Raises:
            KeyError: a look is of a signal that the policy does not have.
        """
        for batch in self._rounds(_stable_only(look) for look in looks if not look.starts):
            self._take_in(batch)
        for look in sorted((look for look in looks if look.starts), key=_AT):
            self._take_start(self._index[look.signal], look)

    def begin_step(self, share: float = 0.0) -> None:
        """Say that a new step begins: it must be certified anew, and its crashes are counted from 0.

        Evidence against the canary goes on through all steps.

        Args:
            share: the canary's share of the requests from now on, 0 to 1; 0 when that is not to be checked.
        """
        self._shares = Shares(share)
        self._evidence.begin_step()

    def look(self, now: float, looks: Sequence[SignalLook]) -> Assessment:
        """Take in new looks and say what is proven.

        Args:
            now: seconds since the epoch; only tells looks that are too old to rely on.
            looks: any number, in any order; one not newer than the last of its signal changes nothing.

        Raises:
            KeyError: a look is of a signal that the policy does not have.
        """
        for batch in self._rounds(looks):
            self._take_in(batch)
        self._now = now
        return conclude(self._docket())

    def signals(self) -> tuple[SignalVerdict, ...]:
        """Each signal's verdict with its numbers as of the last look, in the policy's order."""
        return tell(self._docket())

    def _docket(self) -> Docket:
        return Docket(
            policy=self._policy,
            books=self._books,
            evidence=self._evidence,
            log_e=self._log_e,
            log_e_all=self._log_e_all,
            log_e_good=self._evidence.log_e_good(),
            now=self._now,
            conviction=self._conviction,
            shares=self._shares,
        )

    def save(self) -> bytes:
        """The judge's sums, compact and versioned."""
        return memory.save(self._policy, self._books, self._evidence, self._run_up, self._shares, self._conviction)

    @classmethod
    def restore(cls, policy: JudgePolicy, blob: bytes) -> "Judge":
        """A judge that goes on where the saved one stopped; signals the saved one did not have start anew.

        Raises:
            StateError: the bytes are damaged or of another version.
        """
        judge = cls(policy)
        kept = memory.restore(policy, judge._evidence, blob)
        judge._books, judge._run_up, judge._shares, judge._conviction = kept
        judge._weigh()
        return judge

    def _rounds(self, looks: Iterable[SignalLook]) -> Iterator[list[tuple[int, SignalLook]]]:
        """Looks newer than what is known of their signal, oldest first, in batches in which each signal occurs once."""
        batch: dict[int, SignalLook] = {}
        for look in sorted(looks, key=_AT):
            index = self._index[look.signal]
            if index in batch:
                yield list(batch.items())
                batch = {}
            if look.at > self._books[index].seen_at:
                batch[index] = look
        if batch:
            yield list(batch.items())

    def _take_in(self, looks: Sequence[tuple[int, SignalLook]]) -> None:
        evidence, books, at = self._evidence, self._books, -math.inf
        asked = []
        for index, look in looks:
            if index in evidence.gauges:
                at = max(at, look.at) if self._watch(index, look) else at
            elif self._is_there(index, look):
                asked.append((index, look, books[index].pods))
        if asked:
            batch = Batch.empty(evidence.channels.count)
            ats, spans, looked, begun = clocks = [[0.0] * len(books) for _ in range(4)]
            for (index, look, _), reading in zip(asked, read(batch, asked, evidence.channels), strict=True):
                book = books[index]
                ats[index], spans[index] = look.at, book.seconds_since(look.at, reading.seconds)
                book.note(reading, look.at)
                looked[index], begun[index] = 1.0, float(book.started)
                at = max(at, look.at) if book.started else at
                if index == self._sharing:
                    self._shares.canary += reading.requests[0]
                    self._shares.stable += reading.requests[1]
            clock = np.array(clocks)[:, evidence.channels.owner]
            batch.at, batch.seconds = clock[:2]
            batch.looked, judged = (clock[2:] > 0) & evidence.channels.live
            evidence.take_in(batch, judged)
        if at > -math.inf:
            self._weigh()
            self._decide(at)

    def _take_start(self, index: int, look: SignalLook) -> None:
        """Learn from a look at an earlier start, in which all pods count as stable's."""
        book, signal, channels = self._books[index], self._policy.signals[index], self._evidence.channels
        used = channels.used[index]
        if look.at <= book.started_at or signal.kind is SignalKind.GAUGE or used.start == used.stop:
            return
        book.started_at = look.at
        batch = Batch.empty(channels.count)
        read(batch, [(index, look, Pods())], channels)
        self._evidence.learn_start(batch)

    def _watch(self, index: int, look: SignalLook) -> bool:
        """Take in a gauge's look; whether it was judged."""
        book, name = self._books[index], self._policy.signals[index].name
        book.seen_at, book.status, book.reason = look.at, look.status, look.reason
        if look.status is not SourceStatus.OK:
            return False
        told = {pod: each for pod, each in look.pods.items() if name in each.gauges}
        if any(each.arm is Arm.CANARY for each in told.values()):
            book.started, book.busy_at = True, look.at
        settled = {pod: each for pod, each in told.items() if each.age_seconds >= SETTLED_SECONDS}
        canary = [each.gauges[name] for each in settled.values() if each.arm is Arm.CANARY]
        stable = {pod: each.gauges[name] for pod, each in settled.items() if each.arm is Arm.STABLE}
        return self._evidence.gauges[index].see(look.at, canary, stable)

    def _is_there(self, index: int, look: SignalLook) -> bool:
        """Note that a look came; whether there is something in it."""
        book, signal = self._books[index], self._policy.signals[index]
        book.seen_at, book.status, book.reason = look.at, look.status, look.reason
        if look.status is not SourceStatus.OK:
            return False
        if signal.kind is SignalKind.LATENCY and not self._evidence.channels.edges[index]:
            self._choose_edges(index, look)
        return True

    def _choose_edges(self, index: int, look: SignalLook) -> None:
        """Fix a latency signal's edges, from stable's history and this look's requests, all arms pooled."""
        book, evidence = self._books[index], self._evidence
        if not look.edges_seconds:
            return
        now, stable = slower_than_edges(look), slower_than_edges(_stable_only(look))
        before = book.before_edges if book.before_edges.size == now.size else np.zeros(now.size)
        enough = edges.ENOUGH if book.started or now[-1] > stable[-1] else edges.ENOUGH_HISTORY
        pooled = before + now
        if pooled[-1] < enough:
            book.before_edges = before + stable
            return
        threshold = self._policy.signals[index].threshold_seconds
        chosen = edges.choose_edges(look.edges_seconds, pooled[:-1], float(pooled[-1]), threshold)
        evidence.judge_at(index, chosen, choose_body(look.edges_seconds, pooled[:-1], float(pooled[-1])))
        where = edges.positions(tuple(chosen), look.edges_seconds)
        evidence.sums.history[evidence.channels.used[index]] = np.stack(
            [before[where], np.full(len(chosen), before[-1])], axis=1
        )
        book.before_edges = np.zeros(0)

    def _weigh(self) -> None:
        """Sum the evidence of all signals up."""
        self._log_e = self._evidence.log_e()
        self._log_e_all = combined(self._log_e, self._weights)

    def _decide(self, at: float) -> None:
        """Convict, once and for all, when the combined evidence, a guard or the blast budget says so."""
        log_e = self._log_e_all
        self._run_up.see(at, log_e)
        if self._conviction is not None:
            return
        guard = self._guard()
        alpha = self._policy.false_rollback_rate
        if log_e < math.log(1 / alpha) and guard is None:
            return
        names = [signal.name for signal in self._policy.signals]
        culprits = [names[i] for i in e_bh(self._log_e, alpha)]
        if guard is not None:
            culprits = [guard[0], *(name for name in culprits if name != guard[0])]
        began = self._run_up.began_at
        self._conviction = Conviction(
            at=at,
            evidence_at=at if began is None else began,
            log_e=log_e,
            culprits=tuple(culprits) or (names[self._heaviest()],),
            guard=None if guard is None else guard[1],
        )

    def _heaviest(self) -> int:
        weighted = [math.log(w) + e for w, e in zip(self._weights, self._log_e, strict=True)]
        return weighted.index(max(weighted))

    def _guard(self) -> tuple[str, str] | None:
        """The first guard that convicts: its signal and its reason."""
        for signal, row in self._guarded:
            reason = guard_reason(signal, row, self._evidence.sums, self._policy.blast_budget)
            if reason is not None:
                return signal.name, reason
        return None


def _stable_only(look: SignalLook) -> SignalLook:
    return replace(look, pods={name: pod for name, pod in look.pods.items() if pod.arm is Arm.STABLE})
