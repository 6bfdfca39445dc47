"""The judge of one release: takes looks in, keeps sums, and says after each what they prove.

No clock, no input or output, no randomness: the same looks give the same words, and a judge restored from its saved
sums goes on as if it had never stopped.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from rollout.judge import edges, memory
from rollout.judge.certificate import certify, log_e_good
from rollout.judge.combination import RunUp, combined, e_bh
from rollout.judge.conclusion import Conviction, Docket, conclude
from rollout.judge.evidence import Evidence, Fresh
from rollout.judge.guards import guard_reason, sure_excess
from rollout.judge.heterogeneity import Noise
from rollout.judge.ledger import Ledger
from rollout.judge.policy import JudgePolicy, SignalKind
from rollout.judge.tally import REQUEST_KINDS, Tally, shares_of, tally_of
from rollout.judge.verdicts import Assessment
from rollout.looks import Arm, SignalLook, SourceStatus

HEALTHY_SPREAD = 0.3
"""Standard deviation of the log rate between healthy pods that a blast budget allows for."""


class Judge:
    """Judges one release by the looks it is given.

    One judge serves all steps of a release: the false-rollback rate holds for all of them together.
    """

    def __init__(self, policy: JudgePolicy) -> None:
        self._policy = policy
        self._index = {signal.name: index for index, signal in enumerate(policy.signals)}
        self._books = [Ledger() for _ in policy.signals]
        self._evidence = Evidence(policy)
        self._run_up = RunUp()
        self._conviction: Conviction | None = None
        self._log_e = [0.0] * len(policy.signals)

    @property
    def convicted_at(self) -> float | None:
        """Seconds since the epoch of the look that convicted the canary; None while it is not."""
        return None if self._conviction is None else self._conviction.at

    def learn(self, looks: Sequence[SignalLook]) -> None:
        """Take looks in as history of stable: nothing is judged, canary pods in them are ignored.

        Raises:
            KeyError: a look is of a signal that the policy does not have.
        """
        for batch in _rounds(self._news(map(_stable_only, looks))):
            self._take_in(batch)

    def begin_step(self) -> None:
        """Say that a new step begins: its traffic share must be certified anew, and its crashes are counted from 0.

        Evidence against the canary goes on through all steps.
        """
        for signal, book in zip(self._policy.signals, self._books, strict=True):
            book.step_canary = book.step_stable = 0.0
            if signal.kind in REQUEST_KINDS:
                book.log_good = book.log_good * 0.0

    def look(self, now: float, looks: Sequence[SignalLook]) -> Assessment:
        """Take in new looks and say what is proven.

        Args:
            now: seconds since the epoch; only tells looks that are too old to rely on.
            looks: any number, in any order; one not newer than the last of its signal changes nothing.

        Raises:
            KeyError: a look is of a signal that the policy does not have.
        """
        for batch in _rounds(self._news(looks)):
            self._take_in(batch)
        docket = Docket(self._policy, self._books, self._evidence, self._log_e, self._goods())
        return conclude(docket, now, self._conviction)

    def save(self) -> bytes:
        """The judge's sums, compact and versioned."""
        return memory.save(self._policy, self._books, self._evidence, self._run_up, self._conviction)

    @classmethod
    def restore(cls, policy: JudgePolicy, blob: bytes) -> "Judge":
        """A judge that goes on where the saved one stopped; signals the saved one did not have start anew.

        Raises:
            StateError: the bytes are damaged or of another version.
        """
        judge = cls(policy)
        books, judge._run_up, judge._conviction = memory.restore(policy, judge._evidence, blob)
        judge._books = books
        judge._log_e = judge._evidence.log_e()
        return judge

    def _news(self, looks: Iterable[SignalLook]) -> Iterator[tuple[int, SignalLook]]:
        """Looks newer than what is known of their signal, oldest first."""
        for look in sorted(looks, key=lambda look: look.at):
            index = self._index[look.signal]
            if look.at > self._books[index].seen_at:
                yield index, look

    def _take_in(self, batch: Sequence[tuple[int, SignalLook]]) -> None:
        fresh = [found for index, look in batch if (found := self._open(index, look)) is not None]
        judged = [look for look in fresh if self._books[look.index].started]
        if judged:
            self._evidence.bet(judged, self._books)
            self._log_e = self._evidence.log_e()
        for look in fresh:
            self._learn_noise(look)
            book = self._books[look.index]
            certify(self._policy, look, book)
            if look.judged is not None and book.started:
                book.see_slow(look.slow_at(look.tally.canary.slow), look.slow_at(look.tally.stable.slow))
            book.settle(look.tally, look.at)
        if judged:
            self._decide(max(look.at for look in judged))

    def _learn_noise(self, look: Fresh) -> None:
        """Let stable's pods teach, after the look was judged by what they taught before."""
        signal, noise = self._policy.signals[look.index], self._books[look.index].noise
        shares = shares_of(signal.kind, look.source, look.judged)
        if shares.failed.shape[1] == noise.rows and noise.add(
            look.at, look.seconds, shares, whole=signal.kind in REQUEST_KINDS
        ):
            self._evidence.calibrate(look.index, noise)

    def _open(self, index: int, look: SignalLook) -> Fresh | None:
        """Prepare a look for the evidence; None when its source had nothing to say."""
        book, signal = self._books[index], self._policy.signals[index]
        book.seen_at, book.status = look.at, look.status
        if look.status is not SourceStatus.OK:
            return None
        tally = tally_of(signal.kind, look)
        seconds = book.seconds_since(look.at, tally)
        book.lately(tally, look.at)
        if signal.kind is not SignalKind.LATENCY:
            return Fresh(index, tally, look.at, seconds, look)
        self._choose_edges(index, look, tally)
        judged = edges.positions(tuple(self._evidence.edges[index]), look.edges_seconds)
        return Fresh(index, tally, look.at, seconds, look, judged)

    def _choose_edges(self, index: int, look: SignalLook, tally: Tally) -> None:
        """Fix a latency signal's edges, from stable's history and this look's requests, all arms pooled."""
        book = self._books[index]
        parts = [
            part for part in (book.history, tally.stable, tally.canary) if part.slow.size == len(look.edges_seconds)
        ]
        requests = sum(part.size for part in parts)
        enough = edges.ENOUGH if book.started else edges.ENOUGH_HISTORY
        if self._evidence.edges[index] or not look.edges_seconds or requests < enough:
            return
        threshold = self._policy.signals[index].threshold_seconds
        slow = np.sum([part.slow for part in parts], axis=0)
        chosen = edges.choose_edges(look.edges_seconds, slow, requests, threshold)
        self._evidence.edges[index], book.noise = chosen, Noise.of(len(chosen))

    def _goods(self) -> list[float]:
        return [
            log_e_good(signal, book, judged)
            for signal, book, judged in zip(self._policy.signals, self._books, self._evidence.edges, strict=True)
        ]

    def _decide(self, at: float) -> None:
        """Convict, once and for all, when the combined evidence, a guard or the blast budget says so."""
        log_e = combined(self._log_e, self._policy.weights())
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
        weighted = [math.log(w) + e for w, e in zip(self._policy.weights(), self._log_e, strict=True)]
        return weighted.index(max(weighted))

    def _guard(self) -> tuple[str, str] | None:
        """The first guard that convicts: its signal and its reason."""
        budget = self._policy.blast_budget
        for signal, book in zip(self._policy.signals, self._books, strict=True):
            reason = guard_reason(signal, book)
            if reason is None and budget is not None and signal.kind is SignalKind.ERRORS:
                excess = sure_excess(book, HEALTHY_SPREAD)
                if excess > budget:
                    reason = (
                        f"{book.excess:.0f} failed requests more than stable would have had, the budget is {budget}"
                    )
            if reason is not None:
                return signal.name, reason
        return None


def _stable_only(look: SignalLook) -> SignalLook:
    return replace(look, pods={name: pod for name, pod in look.pods.items() if pod.arm is Arm.STABLE})


def _rounds(news: Iterator[tuple[int, SignalLook]]) -> Iterator[list[tuple[int, SignalLook]]]:
    """Batches in which each signal occurs once, in the order of time."""
    batch: dict[int, SignalLook] = {}
    for index, look in news:
        if index in batch:
            yield list(batch.items())
            batch = {}
        batch[index] = look
    if batch:
        yield list(batch.items())
