"""Grayling's judge on many replicates at once: each replicate's signals are columns of the same arrays.

The numbers are those of `rollout.judge` (a test holds one against the other); only the words are left out.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from bench.judge.world import EDGES
from rollout.judge.baseline.crash_log import CrashLog
from rollout.judge.data.ages import AGES, YOUNG_SECONDS, age_bin
from rollout.judge.data.batch import MOST_PODS, Batch
from rollout.judge.data.places import MOST_PLACES, STRANGE
from rollout.judge.evidence.battery import Evidence
from rollout.judge.evidence.crash_guard import Healthy, crash_loop, healthy_rates
from rollout.judge.model.bucket_edges import (
    ENOUGH,
    ENOUGH_HISTORY,
    MOST,
    choose_edges,
)
from rollout.judge.model.policy import JudgePolicy, SignalPolicy
from rollout.judge.model.ridits import choose_ridits
from rollout.signals.kinds import CRASH_LOOP, SignalKind

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bench.judge.world import Floats, Look
    from rollout.judge.model.onset_prior import Bools, Indices

KINDS = (SignalKind.ERRORS, SignalKind.LATENCY, SignalKind.CRASHES)


class Ours:
    """The judge with its default policy: errors, latency, crashes."""

    name = "grayling"

    def __init__(self, replicates: int, alpha: float = 0.01, where: tuple[Indices, Indices] | None = None) -> None:
        """Know the places of stable's pods and those of the canary's, where they are given."""
        self._alpha = alpha
        self._policy = JudgePolicy(signals=tuple(SignalPolicy(str(kind), kind) for kind in KINDS))
        self._log_weights = np.log(self._policy.weights())
        self._signals = [_Signal(kind, replicates, where) for kind in KINDS]
        self.log_e = np.zeros(replicates)
        self.heaviest = np.zeros(replicates, dtype=int)

    def look(self, look: Look) -> NDArray[np.bool_]:
        """Take in a look; which replicates are convicted by now."""
        for signal in self._signals:
            signal.take_in(look)
        if look.history:
            return np.zeros(self.log_e.size, dtype=bool)
        each = np.stack([signal.log_e() for signal in self._signals]) + self._log_weights[:, None]
        self.log_e, self.heaviest = np.logaddexp.reduce(each, axis=0), each.argmax(axis=0)
        return np.asarray((self.log_e >= math.log(1 / self._alpha)) | self._loops(look.at))

    def _loops(self, at: float) -> NDArray[np.bool_]:
        """Which replicates' canaries crash again and again."""
        crashes, policy = self._signals[2], self._policy
        alpha, floor = self._alpha * policy.guard_shares()[2], policy.signals[2].effective_floor
        found = np.zeros(self.log_e.size, dtype=bool)
        for index, log in enumerate(crashes.logs):
            if log.canary and log.canary[-1][0] == at:
                rates = healthy_rates(floor, crashes.evidence.sums.history[index])
                healthy = Healthy(*rates, alpha, policy.horizon_seconds, int(CRASH_LOOP))
                found[index] = crash_loop(log, at, healthy) is not None
        return found

    def good(self, missed_rate: float = 0.05) -> NDArray[np.bool_]:
        """Which replicates are proven not to be worse."""
        proofs = np.array([signal.evidence.noninferiority.log_e() for signal in self._signals])
        return np.asarray((proofs >= math.log(1 / missed_rate)).all(axis=0))


class _Signal:
    def __init__(self, kind: SignalKind, replicates: int, where: tuple[Indices, Indices] | None = None) -> None:
        self.kind, self.replicates, self._where = kind, replicates, where
        policy = JudgePolicy(signals=tuple(SignalPolicy(f"{kind}-{at}", kind) for at in range(replicates)))
        self.evidence = Evidence(policy)
        self.rows = MOST if kind is SignalKind.LATENCY else 1
        self._above = np.zeros((replicates, EDGES.size + 1, self.rows))
        self._used = np.ones((replicates, self.rows), dtype=bool)
        self._before = np.zeros((replicates, EDGES.size + 1))
        self._started = np.zeros(replicates * self.rows, dtype=bool)
        self.logs = [CrashLog() for _ in range(replicates)]
        if kind is SignalKind.LATENCY:
            self._used[:] = False

    def take_in(self, look: Look) -> None:
        if self.kind is SignalKind.LATENCY:
            self._choose(look)
        failed, size = self._counts(look)
        batch = Batch.empty(self.replicates * self.rows)
        arrived = np.repeat(look.arrived, self.rows) & self._used.ravel()
        batch.looked[:] = arrived
        batch.at[:] = look.at
        batch.seconds[:] = np.repeat(look.seconds, self.rows) * arrived
        batch.counts[:, 0], batch.counts[:, 1] = failed[:, -1], size[:, -1]
        batch.counts[:, 2], batch.counts[:, 3] = failed[:, :-1].sum(axis=1), size[:, :-1].sum(axis=1)
        grown = np.flatnonzero(look.ages[:-1] >= YOUNG_SECONDS)[:MOST_PODS]
        batch.pods[0][:, grown], batch.pods[1][:, grown] = failed[:, grown], size[:, grown]
        if self.kind is SignalKind.LATENCY:
            self._score(batch, look, grown, arrived)
        self._young(batch, look, failed, size)
        if self._where is not None:
            self._place(batch, *self._where)
        self._started |= arrived & (batch.counts[:, 1] > 0)
        if self.kind is SignalKind.CRASHES:
            self._note_crashes(look)
        self.evidence.take_in(batch, arrived & self._started)

    def _note_crashes(self, look: Look) -> None:
        """When which pod crashed, of each replicate."""
        pods = 1, int((look.ages[:-1] >= 0).sum())
        for log, started in zip(self.logs, self._started, strict=True):
            log.began = look.at if started and log.began is None else log.began
        for index in np.flatnonzero(look.crashes.any(axis=1)):
            told = {f"p{pod}": int(times) for pod, times in enumerate(look.crashes[index]) if times > 0}
            last = f"p{look.ages.size - 1}"
            ours = {last: told.pop(last)} if last in told else {}
            self.logs[index].see(look.at, ours, told, pods)

    def _score(self, batch: Batch, look: Look, grown: Indices, arrived: Bools) -> None:
        """Requests by bucket of the replicates whose requests have scores, as the judge has them."""
        at = np.arange(self.replicates) * self.rows
        at = at[arrived[at] & self.evidence.columns.scores[at].any(axis=1)]
        scores, buckets = self.evidence.columns.scores[at], look.buckets[at // self.rows]
        inside = EDGES.size + 1
        batch.bucket_counts[0, at, :inside] = buckets[:, -1]
        batch.bucket_counts[1, at, :inside] = buckets[:, :-1].sum(axis=1)
        batch.bucket_counts[2, at, :inside] = buckets[:, grown].sum(axis=1)
        batch.pods[0][at[:, None], grown] = np.einsum("rpb,rb->rp", buckets[:, grown], scores[:, :inside])

    def _place(self, batch: Batch, stable: Indices, canary: Indices) -> None:
        """What was counted where: stable's pods are those that are told apart, and none is young."""
        batch.places = np.zeros((3, batch.at.size, MOST_PLACES + 1))
        batch.places[:2, :, :MOST_PLACES] = batch.pods[:, :, : stable.size] @ (
            stable[:, None] == np.arange(MOST_PLACES)
        )
        known = np.where(np.isin(canary, stable), canary, STRANGE)
        batch.places[2] = batch.counts[:, 1, None] * (known[:, None] == np.arange(MOST_PLACES + 1)).mean(axis=0)
        batch.pod_places = np.full((batch.at.size, MOST_PODS), -1.0)
        batch.pod_places[:, : stable.size] = stable

    def log_e(self) -> Floats:
        return np.array(self.evidence.log_e())

    def _counts(self, look: Look) -> tuple[Floats, Floats]:
        """Failures and sizes, shape (replicates x rows, pods)."""
        if self.kind is SignalKind.ERRORS:
            return look.failed, look.requests
        if self.kind is SignalKind.CRASHES:
            return look.crashes, look.seconds[:, None] * (look.ages >= 0)
        slow = np.einsum("rpb,rbe->rep", look.buckets, self._above)
        size = look.buckets.sum(axis=2)[:, None, :] * self._used[:, :, None]
        return slow.reshape(-1, slow.shape[2]), size.reshape(-1, slow.shape[2])

    def _choose(self, look: Look) -> None:
        """Fix the edges of replicates that have seen enough, as the judge does."""
        counts = look.buckets.sum(axis=1)
        enough = ENOUGH_HISTORY if look.history else ENOUGH
        for at in np.flatnonzero(~self._used.any(axis=1)):
            pooled = self._before[at] + counts[at]
            if pooled.sum() < enough:
                self._before[at] = pooled
                continue
            above = np.cumsum(pooled[::-1])[::-1]
            chosen = choose_edges(tuple(EDGES), above[1:], float(above[0]), None)
            self.evidence.judge_at(at, chosen, choose_ridits(tuple(EDGES), above[1:], float(above[0])))
            beyond = np.arange(EDGES.size + 1)[:, None] > np.searchsorted(EDGES, chosen)
            self._above[at, :, : len(chosen)] = beyond
            self._used[at, : len(chosen)] = True
            seen = np.stack([self._before[at] @ beyond, np.full(len(chosen), self._before[at].sum())], axis=1)
            self.evidence.sums.history[at * self.rows : at * self.rows + len(chosen)] = seen

    def _young(self, batch: Batch, look: Look, failed: Floats, size: Floats) -> None:
        bins = np.array([age_bin(age) for age in look.ages.tolist()])
        young = np.flatnonzero((bins < AGES) & (look.ages >= 0))
        if not young.size:
            return
        batch.young = np.zeros((3, batch.at.size, AGES))
        for pod in young:
            if pod == look.ages.size - 1:
                batch.young[0, :, bins[pod]] = size[:, pod] / np.maximum(batch.counts[:, 1], 1e-300)
            else:
                batch.young[1, :, bins[pod]] += failed[:, pod]
                batch.young[2, :, bins[pod]] += size[:, pod]
