"""All that the judge sums up, channel by channel: one look of all signals is one pass of array operations."""

from dataclasses import asdict
from typing import Any, ClassVar, Protocol

import numpy as np
from scipy.special import gammaincinv

from rollout.judge.batch import Batch
from rollout.judge.certificate import ProofBank
from rollout.judge.channels import Channels
from rollout.judge.confidence import RatioSequences
from rollout.judge.counting import Counts
from rollout.judge.gauges import Gauge
from rollout.judge.gross import GrossBank
from rollout.judge.heterogeneity import PRIOR_PODS, PRIOR_SPREAD, PRIOR_TEMPER, NoiseBank
from rollout.judge.ledger import Sums
from rollout.judge.onset import Bools, Floats, Indices, OnsetPrior
from rollout.judge.policy import JudgePolicy, SignalKind
from rollout.judge.ratio import RatioBank, pod_effects
from rollout.judge.warmth import PLAIN, Warmth

GROSS_SHARE = 0.4
"""Weight of the gross-fault test in its channel; the ratio test has the rest."""

GROSS_SHARE_LATENCY = 0.35
"""The same at a latency edge."""

AT_START = 0.65
"""Onset mass on the first look: most faults come with the version."""

GROSS_AT_START = 0.02
"""Onset mass on the first look for gross faults; those are plain at the start anyway."""

GROSS_SLOW = 0.1
"""Share of requests above any edge that is no gross fault; edges that are passed more often when all is well have none:
a burst there is nothing gross."""

UNKNOWN_BURST = 0.15
"""Share of failures that a healthy burst may reach while history does not tell how bad bursts are."""

GAUGE_TOLERANCE = 1.25
"""Ratio of a gauge's level to stable's that is accepted at least: versions differ in what they need."""

BOUND_LEVEL = 0.975
"""Level of the upper bound of stable's rate."""

EDGE_WEIGHTS: Floats = np.array([0.23, 0.23, 0.16, 0.19, 0.19])
"""Shares of a latency signal's judged edges, ascending, before they are normalised over those there are: more where
many requests pass and a slight slowness shows first, and where none ever did."""

SHOWS_SECONDS = 5.0
"""Stable traffic within this time would have shown a shared fault."""


class Bank(Protocol):
    """Arrays whose first axis is the channels."""

    STATE: ClassVar[tuple[str, ...]]


class Evidence:
    """E-processes and sums of all signals of a policy.

    Attributes:
        channels: where each signal's numbers are.
        sums: what was counted.
        noise: what stable's pods teach about healthy differences.
        warmth: what young pods of stable teach about cold starts.
        ratio: the ratio test.
        gross: the test on the canary's own numbers.
        sequences: confidence sequences.
        proof: evidence for promotion.
        gauges: those signals that are gauges, by index.
    """

    def __init__(self, policy: JudgePolicy) -> None:
        self.channels = channels = Channels(policy)
        whole, count, signals = channels.whole, channels.count, policy.signals
        self.sums = Sums(count)
        latency = channels.of_kinds(SignalKind.LATENCY)
        self.noise, self.warmth = NoiseBank(whole, latency), Warmth(whole)
        self.ratio = RatioBank(count, OnsetPrior(policy.horizon_seconds, AT_START))
        self.ratio.temper[:] = PRIOR_TEMPER
        self._expect(np.arange(count), np.full(count, PRIOR_SPREAD), np.full(count, float(PRIOR_PODS)))
        self.gross = GrossBank(whole, OnsetPrior(policy.horizon_seconds, GROSS_AT_START))
        self.sequences, self.proof = RatioSequences(count), ProofBank(channels, policy)
        self.gauges = {
            index: Gauge(max(signal.tolerance, GAUGE_TOLERANCE))
            for index, signal in enumerate(signals)
            if signal.kind is SignalKind.GAUGE
        }
        self._tolerance = channels.each([signal.tolerance for signal in signals])
        self._counted = ~latency
        floors = channels.each([max(signal.effective_floor, 1e-6) for signal in signals])
        self._floor = np.where(self._counted, floors, GROSS_SLOW)
        self._gross_share = np.where(self._counted, GROSS_SHARE, GROSS_SHARE_LATENCY)
        self._newest = np.zeros(count)

    def take_in(self, batch: Batch, judged: Bools) -> None:
        """Take in one look.

        Args:
            batch: the look.
            judged: channels that are to be bet on: those with a look whose canary has begun, shape (channels,).
        """
        self.sums.fade(batch)
        if judged.any():
            self._bet(batch, judged)
        self._learn(batch)
        self.proof.add(batch.columns, self.sums)
        self.sums.settle(batch, judged)

    def learn_start(self, batch: Batch) -> None:
        """Learn what young pods are like from one look at an earlier start of the service's pods."""
        if batch.young is not None and batch.young[2].any():
            failed, size = batch.young[1:]
            self.warmth.learn(failed, size, batch.columns[:, 2], batch.columns[:, 3])

    def log_e(self) -> list[float]:
        """Natural logarithm of each signal's e-process, in the policy's order; 0 while it has no channels."""
        share = self._gross_share
        found = np.logaddexp(np.log1p(-share) + self.ratio.log_e(), np.log(share) + self.gross.log_e())
        self._newest = found
        return [
            self.gauges[index].log_e() if index in self.gauges else mean_of_edges(found[self.channels.used(index)])
            for index in range(len(self.channels.signals))
        ]

    def log_e_good(self) -> list[float]:
        """Natural logarithm of each signal's evidence for "not worse"; 0 before any."""
        counted = self.proof.log_e()
        return [self.gauges[at].log_e_good() if at in self.gauges else counted[at] for at in range(len(counted))]

    def worst_edges(self) -> list[int | None]:
        """Position, among a latency signal's judged edges, of the one with most evidence when `log_e` was last asked.

        None for other signals.
        """
        return [
            int(np.argmax(self._newest[self.channels.used(index)])) if edges else None
            for index, edges in enumerate(self.channels.edges)
        ]

    def export(self, index: int) -> dict[str, Any]:
        """A signal's rows, for saving."""
        slots = self.channels.slots[index]
        state: dict[str, Any] = {"edges": list(self.channels.edges[index])}
        if index in self.gauges:
            return state | {"gauge": asdict(self.gauges[index])}
        for name, bank in self._banks().items():
            state[name] = {key: getattr(bank, key)[slots] for key in bank.STATE}
        return state

    def load(self, index: int, state: dict[str, Any]) -> None:
        """Put a signal's saved rows back.

        Raises:
            KeyError: something is missing.
            TypeError: something is of another kind.
            ValueError: an array has another shape.
        """
        slots = self.channels.slots[index]
        if index in self.gauges:
            self.gauges[index] = Gauge.restored(state["gauge"]).under(self.gauges[index].tolerance)
            return
        for name, bank in self._banks().items():
            for key in bank.STATE:
                getattr(bank, key)[slots] = state[name][key]
        self.ratio.settle(slots)
        self.channels.edges[index] = tuple(state["edges"])

    def _banks(self) -> dict[str, Bank]:
        return {
            "sums": self.sums,
            "noise": self.noise,
            "warmth": self.warmth,
            "ratio": self.ratio,
            "gross": self.gross,
            "sequences": self.sequences,
            "proof": self.proof,
        }

    def _bet(self, batch: Batch, judged: Bools) -> None:
        columns = np.where(judged[:, None], batch.columns, 0.0)
        counts = Counts(columns[:, 0], columns[:, 1], columns[:, 2], columns[:, 3], self.channels.whole)
        seconds = np.where(judged, batch.seconds, 0.0)
        self._draw_pods(judged)
        warm = np.ones(judged.size) if batch.young is None else self.warmth.tolerance(batch.young[0])
        self.ratio.bet(counts, self._tolerance * warm, seconds, warm > PLAIN)
        self.sequences.add(counts)
        self._bet_gross(batch, counts, warm, seconds)

    def _draw_pods(self, judged: Bools) -> None:
        """Fix the healthy pod effects of channels that are bet on for the first time."""
        first = np.flatnonzero(judged & (self.ratio.elapsed == 0) & (self.noise.blocks > 0))
        if first.size:
            self._expect(first, *self.noise.spreads(first))

    def _expect(self, rows: Indices, spread: Floats, pods: Floats) -> None:
        self.ratio.expect(rows, pod_effects(spread, pods), *self.noise.bursts(rows))

    def _bet_gross(self, batch: Batch, counts: Counts, warm: Floats, seconds: Floats) -> None:
        history = self.sums.history
        bound = upper_rate(history[:, 0], history[:, 1], self.channels.whole)
        tolerated = np.maximum.reduce([self._floor, self._tolerance * warm * bound, self.noise.worst])
        healthy = np.minimum(tolerated, np.where(self.channels.whole, 0.9, np.inf))
        rare = self._counted | (healthy <= GROSS_SLOW)
        if batch.young is not None:
            rare &= self._counted | ~self.warmth.strange(batch.young[0])
        counts = counts.where(rare)
        self.gross.bet(
            counts,
            healthy,
            np.minimum(np.maximum(bound, self._floor / 2), healthy),
            seconds,
            concurrent=batch.at - self.sums.stable_at <= SHOWS_SECONDS,
            least=UNKNOWN_BURST * (1 - self.noise.knowledge()),
        )

    def _learn(self, batch: Batch) -> None:
        """Let stable's pods teach, after the look was judged by what they taught before."""
        self.learn_start(batch)
        closed = self.noise.add(batch)
        if closed.size:
            self.ratio.temper[closed] = self.noise.tempers(closed)


def upper_rate(failed: Floats, size: Floats, whole: Bools) -> Floats:
    """Upper bound of stable's rate from its history (Jeffreys, Poisson); shape (channels,).

    Pods are taken to crash rarely until they do: without an event the bound of a rate per pod-second is 0, and the
    floor rules. A share of requests that was never observed may be anything.

    Args:
        failed: failures in history, shape (channels,).
        size: requests or pod-seconds in history, shape (channels,).
        whole: sizes are requests, shape (channels,).
    """
    bound = gammaincinv(failed + 0.5, BOUND_LEVEL) / np.maximum(size, 1e-9)
    rates: Floats = np.where(whole, np.minimum(bound, 1.0), np.where(failed > 0, bound, 0.0))
    return rates


def mean_of_edges(logs: Floats) -> float:
    """Logarithm of the weighted mean of e-values; a single one, as of other kinds than latency, is its own."""
    if logs.size <= 1:
        return float(logs[0]) if logs.size else 0.0
    weights = EDGE_WEIGHTS[: logs.size]
    return float(np.logaddexp.reduce(logs + np.log(weights / weights.sum())))
