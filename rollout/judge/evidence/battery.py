"""All that the judge sums up, channel by channel: one look of all signals is one pass of array operations."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, ClassVar, Protocol

import numpy as np
from scipy.special import gammaincinv

from rollout.judge.baseline.cold_start import PLAIN, Warmth
from rollout.judge.baseline.pod_variation import (
    PRIOR_PODS,
    PRIOR_SPREAD,
    PRIOR_TEMPER,
    NoiseBank,
)
from rollout.judge.baseline.sums import Sums
from rollout.judge.data.batch import Batch
from rollout.judge.data.columns import Channels
from rollout.judge.evidence.absolute_rate_test import GrossBank
from rollout.judge.evidence.confidence_sequence import RatioSequences
from rollout.judge.evidence.gauge_test import Gauge
from rollout.judge.evidence.noninferiority import ProofBank
from rollout.judge.evidence.ratio_test import (
    BODY_STEPS,
    BODY_WEIGHTS,
    RatioBank,
    pod_effects,
)
from rollout.judge.model import bucket_edges as edges
from rollout.judge.model.hypergeometric import Counts
from rollout.judge.model.onset_prior import (
    Bools,
    Floats,
    Indices,
    OnsetPrior,
    indices_of,
    log_of,
    some,
)
from rollout.judge.model.policy import JudgePolicy
from rollout.judge.model.rank_sum import Spread
from rollout.judge.model.ridits import Body
from rollout.signals.kinds import Family

GROSS_SHARE = 0.4
"""Weight of the gross-fault test in its channel; the ratio test has the rest."""

GROSS_SHARE_LATENCY = 0.35
"""The same at a latency edge."""

GROSS_SHARE_BODY = 0.0
"""The same where all requests have scores: a burst there is nothing gross."""

LUKEWARM = 1.25
"""Tolerance below which that of the median is that of all requests with scores, too."""

AT_START = 0.65
"""Onset mass on the first look: most faults come with the version."""

YOUNG_ERRORS = 0.5
"""Share of healthy pods that a young canary is taken not to fail more than for good: it fails too rarely to show."""

YOUNG_LATENCY = 0.7
"""The same of slow requests, of which the first minutes bring many."""

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

EDGE_WEIGHTS: Floats = np.array([0.75, 0.09, 0.07, 0.05, 0.04])
"""Shares of a latency signal's judged edges, ascending, before they are normalised over those there are: most for the
first, which sees a slight slowness in all buckets."""

MORE = 2.0
"""What is no gross fault is learned block by block, and sooner where history has grown by this factor."""

SHOWS_SECONDS = 5.0
"""Stable traffic within this time would have shown a shared fault."""


class Bank(Protocol):
    """Arrays whose first axis is the channels."""

    STATE: ClassVar[tuple[str, ...]]


class Drawn:
    """What the healthy pod effects of the ratio test were drawn from.

    Attributes:
        tau: standard deviation of the log rate between healthy pods, shape (channels,).
        pods: number of pods that it was learned from, shape (channels,).
    """

    STATE: ClassVar[tuple[str, ...]] = ("tau", "pods")

    def __init__(self, channels: int) -> None:
        self.tau, self.pods = np.zeros((2, channels))


class Evidence:
    """E-processes and sums of all signals of a policy, of one release after the other.

    Attributes:
        channels: where each signal's numbers are.
        sums: what was counted.
        noise: what stable's pods teach about healthy differences.
        warmth: what young pods of stable teach about cold starts.
        drawn: what the healthy pod effects were drawn from.
        ratio: the ratio test.
        gross: the test on the canary's own numbers.
        sequences: confidence sequences.
        proof: evidence for promotion.
        gauges: those signals that are gauges, by index.
    """

    def __init__(self, policy: JudgePolicy, releases: int = 1) -> None:
        self.channels = channels = Channels(policy, releases)
        whole, count, signals = channels.whole, channels.count, channels.signals
        self.sums = Sums(count)
        latency = channels.of_families(Family.LATENCY)
        self.noise, self.warmth = NoiseBank(whole, latency, channels.scores), Warmth(whole)
        prior = OnsetPrior(policy.horizon_seconds, AT_START)
        self.ratio = RatioBank(count, prior, held=np.where(latency, YOUNG_LATENCY, YOUNG_ERRORS))
        self.ratio.temper[:] = PRIOR_TEMPER
        self.drawn = Drawn(count)
        self.gross = GrossBank(whole, OnsetPrior(policy.horizon_seconds, GROSS_AT_START))
        self.sequences, self.proof = RatioSequences(count), ProofBank(channels, policy)
        self.gauges = {
            index: Gauge(max(signal.tolerance, GAUGE_TOLERANCE))
            for index, (signal, family) in enumerate(zip(signals, channels.families, strict=True))
            if family is Family.GAUGE
        }
        self._tolerance = channels.each([signal.tolerance for signal in signals])
        self._counted = ~latency
        self._expect(np.arange(count), np.full(count, PRIOR_SPREAD), np.full(count, float(PRIOR_PODS)))
        floors = channels.each([max(signal.effective_floor, 1e-6) for signal in signals])
        self._most = np.where(whole, 0.9, np.inf)
        self._floor = np.where(self._counted, floors, GROSS_SLOW)
        gross = np.where(self._counted, GROSS_SHARE, GROSS_SHARE_LATENCY)
        self._gross = gross
        self._log_shares = np.log1p(-gross), np.log(gross)
        self._log_weights = np.tile(log_weights(1), (len(signals), 1))
        self._newest = np.zeros(count + 1)
        self._warm, self._known_age = np.ones(count), np.ones(count, dtype=np.bool_)
        self._ages = np.zeros_like(self.warmth.size)
        self._grown, self._warmer = True, False
        self._some_are_new, self._behind, self._closed = True, True, np.zeros(count, dtype=np.bool_)

    def take_in(self, batch: Batch, judged: Bools) -> None:
        """Take in one look.

        Args:
            batch: the look.
            judged: channels that are to be bet on: those with a look whose canary has begun, shape (channels,).
        """
        self.sums.fade(batch)
        counts = Counts(np.where(judged, batch.columns.T, 0.0), self.channels.whole)
        if some(judged):
            self._bet(batch, judged, counts)
        self.learn_start(batch)
        closed = self.noise.add(batch)
        self._closed[closed] = True
        self.proof.add(batch.columns, self.sums)
        self.sums.settle(batch, counts.columns.T)
        if closed.size:
            self.sequences.settle(closed)
        learned = self.sums.history[:, 1] > MORE * self.sums.known[:, 1]
        learned[closed] = True
        if some(learned):
            self.sums.known[learned] = self.sums.history[learned]
            self._behind = True

    def begin_step(self, signals: range) -> None:
        """Say that the canary's share of the requests changes: proofs begin anew, and so do crashes of this step.

        Args:
            signals: those of the release that it changes for.
        """
        rows = slice(self.channels.slots[signals[0]].start, self.channels.slots[signals[-1]].stop)
        self.sums.step[rows] = 0.0
        self.proof.begin_step(rows)
        self.sequences.settle(rows)

    def learn_start(self, batch: Batch) -> None:
        """Learn what young pods are like from one look at an earlier start of the service's pods."""
        if batch.young is not None and batch.young[2].any():
            failed, size = batch.young[1:]
            self.warmth.learn(failed, size, batch.columns[:, 2], batch.columns[:, 3])
            self._warmer = True

    def log_e(self) -> list[float]:
        """Natural logarithm of each signal's e-process, in the policy's order; 0 while it has no channels."""
        ratio, gross = self._log_shares
        np.logaddexp(ratio + self.ratio.log_e(), gross + self.gross.log_e(), out=self._newest[:-1])
        found: list[float] = np.logaddexp.reduce(self._newest[self.channels.table] + self._log_weights, axis=1).tolist()
        for index, gauge in self.gauges.items():
            found[index] = gauge.log_e()
        return found

    def log_e_good(self) -> list[float]:
        """Natural logarithm of each signal's evidence for "not worse"; 0 before any."""
        found = self.proof.log_e()
        for index, gauge in self.gauges.items():
            found[index] = gauge.log_e_good()
        return found

    def worst_edge(self, index: int) -> int | None:
        """Position, among a latency signal's judged edges, of the one with most evidence when `log_e` was last asked.

        None for other signals.
        """
        return int(self._newest[self.channels.used[index]].argmax()) if self.channels.edges[index] else None

    def excess_of(self, index: int) -> float:
        """Failures of the canary above those that stable's rate explains, of a signal that counts."""
        return float(self.sums.excess[self.channels.slots[index].start])

    def export(self, index: int) -> dict[str, Any]:
        """A signal's rows, for saving."""
        self._catch_up()
        slots = self.channels.slots[index]
        state: dict[str, Any] = {"edges": list(self.channels.edges[index])}
        if index in self.gauges:
            return state | {"gauge": asdict(self.gauges[index])}
        state |= {"body": list(self.channels.bodies[index]), "scores": self.channels.scores[slots.start]}
        for name, bank in self._banks().items():
            rows = self.channels.shown(index) if bank is self.sequences else slots
            state[name] = {key: getattr(bank, key)[rows] for key in bank.STATE}
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
        if state["edges"]:
            body = Body(tuple(state["body"]), state["scores"]) if state["body"] else None
            self.judge_at(index, state["edges"], body)
        for name, bank in self._banks().items():
            rows = self.channels.shown(index) if bank is self.sequences else slots
            for key in bank.STATE:
                getattr(bank, key)[rows] = state[name][key]

    def settle(self) -> None:
        """Make the banks follow what was put back."""
        self.ratio.nodes[:] = pod_effects(self.drawn.tau, self.drawn.pods, ~self._counted)[0]
        self.ratio.settle()
        self.gross.settle()
        self.warmth.settle()
        self._behind = self._warmer = True

    def judge_at(self, index: int, chosen: Sequence[float], body: Body | None) -> None:
        """Say at which edges a latency signal is judged, in seconds, and by which scores as a whole."""
        self.channels.judge_at(index, chosen, body)
        self.proof.follow(index)
        self._some_are_new = True
        self._log_weights[index] = log_weights(len(chosen))
        if body is not None:
            first = self.channels.slots[index].start
            self.ratio.look_for(first, BODY_STEPS, BODY_WEIGHTS)
            self._gross[first] = GROSS_SHARE_BODY
            self._log_shares = np.log1p(-self._gross), log_of(self._gross)
            self.noise.settle()

    def _banks(self) -> dict[str, Bank]:
        return {
            "sums": self.sums,
            "noise": self.noise,
            "warmth": self.warmth,
            "drawn": self.drawn,
            "ratio": self.ratio,
            "gross": self.gross,
            "sequences": self.sequences,
            "proof": self.proof,
        }

    def _bet(self, batch: Batch, judged: Bools, counts: Counts) -> None:
        seconds = np.where(judged, batch.seconds, 0.0)
        self._catch_up()
        self._draw_pods(judged)
        self._grow(batch, judged)
        rows = indices_of(self.noise.scored & (self._warm < LUKEWARM) & (counts.columns[1] > 0))
        scored = self._told_by_scores(batch, rows, counts.columns[1, rows]) if rows.size else None
        self.ratio.bet(counts.but(rows), self._tolerance * self._warm, seconds, self._warm > PLAIN, scored)
        self.sequences.add(counts)
        plain = counts if self._grown else counts.where(self._known_age)
        self.gross.bet(plain, seconds, alone=batch.looked & (batch.at - self.sums.stable_at > SHOWS_SECONDS))

    def _grow(self, batch: Batch, judged: Bools) -> None:
        """Follow the canary's age where it is judged: what is tolerated, and where nobody knows how slow it may be."""
        if batch.young is None and self._grown:
            return
        ages = np.where(judged[:, None], 0.0 if batch.young is None else batch.young[0], self._ages)
        if np.array_equal(ages, self._ages) and not self._warmer:
            return
        self._ages, self._grown, self._warmer = ages, not ages.any(), False
        self._known_age = self._counted | ~self.warmth.strange(ages)
        warm = self.warmth.tolerance(ages)
        if not np.array_equal(warm, self._warm):
            self._warm = warm
            self._expect_gross()

    def _told_by_scores(self, batch: Batch, rows: Indices, size: Floats) -> tuple[Indices, Spread]:
        canary, stable = batch.bodies[:2, rows, : self.noise.buckets]
        scores = self.channels.scores[rows, : self.noise.buckets]
        return rows, Spread(scores, (canary * scores).sum(axis=1), size, canary + stable)

    def _draw_pods(self, judged: Bools) -> None:
        """Fix the healthy pod effects of channels that are bet on for the first time."""
        if not self._some_are_new:
            return
        new = self.channels.live & (self.ratio.elapsed == 0)
        self._some_are_new = bool(new.any())
        first = indices_of(new & judged & (self.noise.blocks > 0))
        if first.size:
            self._expect(first, *self.noise.spreads(first))
            self.ratio.temper[first] = self.noise.tempers(first)

    def _expect(self, rows: Indices, spread: Floats, pods: Floats) -> None:
        self.drawn.tau[rows], self.drawn.pods[rows] = spread, pods
        effects = pod_effects(spread, pods, ~self._counted[rows])
        self.ratio.expect(rows, *effects, *self.noise.bursts(rows))

    def _expect_gross(self) -> None:
        """Let history say what is no gross fault of a canary whose age is tolerated so."""
        tolerated = np.maximum(np.maximum(self._floor, self._tolerance * self._warm * self._bound), self.noise.worst)
        healthy = np.minimum(tolerated, self._most)
        stable = np.minimum(np.maximum(self._bound, self._floor / 2), healthy)
        least = UNKNOWN_BURST * (1 - self.noise.knowledge())
        self.gross.expect(healthy, stable, self._counted | (healthy <= GROSS_SLOW), least)

    def _catch_up(self) -> None:
        """Let the tests follow what stable's pods have taught since the last bet."""
        closed = indices_of(self._closed)
        if closed.size:
            self.ratio.temper[closed] = self.noise.tempers(closed)
            self.gross.temper[closed] = self.noise.clumped(closed)
            self._closed[:] = False
        if self._behind:
            self._bound = upper_rate(self.sums.known[:, 0], self.sums.known[:, 1], self.channels.whole)
            self._expect_gross()
            self._behind = False


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


def log_weights(judged: int) -> Floats:
    """Logarithms of the shares of so many judged edges, minus infinity of those there are not; shape (edges.MOST,)."""
    weights = np.where(np.arange(edges.MOST) < judged, EDGE_WEIGHTS, 0.0)
    return log_of(weights / weights.sum())
