"""All tests of the judge side by side: one look of all signals is one pass of array operations over the columns."""

from collections.abc import Sequence

import numpy as np

from rollout.judge.baseline.cold_start import PLAIN, ColdStart
from rollout.judge.baseline.lasting import PRIOR_PODS, PRIOR_SPREAD
from rollout.judge.baseline.places import Places
from rollout.judge.baseline.pod_beliefs import PRIOR_TEMPER
from rollout.judge.baseline.pod_effects import PodEffectPrior, block_noise, luck, pod_effects
from rollout.judge.baseline.pod_variation import PodVariation
from rollout.judge.baseline.pods_now import PodsNow
from rollout.judge.baseline.sums import Sums
from rollout.judge.data.batch import Batch
from rollout.judge.data.columns import Columns
from rollout.judge.evidence.absolute_rate_test import AbsoluteRateTest
from rollout.judge.evidence.beside_calm import beside_calm
from rollout.judge.evidence.confidence_sequence import RatioSequences
from rollout.judge.evidence.fault_sizes import RIDIT_STEP_WEIGHTS, RIDIT_STEPS
from rollout.judge.evidence.gauge_test import Gauge
from rollout.judge.evidence.healthy_canary import HealthyCanary
from rollout.judge.evidence.noninferiority import NonInferiorityTest
from rollout.judge.evidence.prior_weights import (
    ABSOLUTE_RATE_AT_START,
    ABSOLUTE_RATE_WEIGHT,
    ABSOLUTE_RATE_WEIGHT_LATENCY,
    ABSOLUTE_RATE_WEIGHT_RIDITS,
    AT_START,
    log_weights,
)
from rollout.judge.evidence.ratio_test import RatioTest
from rollout.judge.model.hypergeometric import Counts
from rollout.judge.model.onset_prior import Bools, Floats, Indices, OnsetPrior, indices_of, log_of, some
from rollout.judge.model.policy import JudgePolicy
from rollout.judge.model.rank_sum import Spread
from rollout.judge.model.ridits import Ridits
from rollout.signals.kinds import Family

RIDITS_TOLERANCE = 1.25
"""Ridits are judged while the tolerance is below this; the ratio at the median is then that of all scores, too."""

YOUNG_ERRORS = 0.5
"""Share of healthy pods that a young canary is taken not to fail more than for good: it fails too rarely to show."""

YOUNG_LATENCY = 0.7
"""The same of slow requests, of which the first minutes bring many."""

GAUGE_TOLERANCE = 1.25
"""Ratio of a gauge's level to stable's that is accepted at least: versions differ in what they need."""

MORE = 2.0
"""What is healthy is learned block by block, and sooner where history has grown by this factor."""

SHOWS_SECONDS = 5.0
"""Stable traffic within this time would have shown a shared fault."""


class Evidence:
    """E-processes and sums of all signals of a policy, of one release after the other.

    Attributes:
        columns: where each signal's numbers are.
        sums: what was counted.
        pod_variation: what stable's pods teach about healthy differences.
        wander: what they teach about differences that come and go.
        calm, brief: which of them were hit by no burst, and whether bursts are brief.
        places: what they teach about the places that pods run in.
        cold_start: what young pods of stable teach about cold starts.
        pods_now: how far they are apart in the present block.
        pod_effect_prior: what the nodes of the ratio test were made of.
        ratio: the ratio test.
        absolute_rate: the absolute-rate test.
        sequences: confidence sequences.
        noninferiority: the non-inferiority test, for promotion.
        gauges: those signals that are gauges, by index.
        unweighed: signals of which people were shown the edge with most evidence whatever its weight, when they began.
    """

    def __init__(self, policy: JudgePolicy, releases: int = 1) -> None:
        self.columns = columns = Columns(policy, releases)
        whole, count, signals = columns.whole, columns.count, columns.signals
        latency = columns.of_families(Family.LATENCY)
        self._counted = ~latency
        self.sums = Sums(count)
        self.pod_variation, self.cold_start = PodVariation(whole, latency, columns.scores), ColdStart(whole)
        self.pods_now = PodsNow(count)
        variation = self.pod_variation
        self.wander, self.calm, self.brief = variation.wander, variation.calm, variation.brief
        self.places = Places(self.pod_variation, whole, columns.owner)
        self._healthy = HealthyCanary(columns, self._counted, self.sums, self.pod_variation, self.cold_start)
        prior = OnsetPrior(policy.horizon_seconds, AT_START)
        self.ratio = RatioTest(count, prior, held=np.where(latency, YOUNG_LATENCY, YOUNG_ERRORS))
        self.ratio.temper[:] = PRIOR_TEMPER
        self.pod_effect_prior = PodEffectPrior(count)
        self.absolute_rate = AbsoluteRateTest(whole, OnsetPrior(policy.horizon_seconds, ABSOLUTE_RATE_AT_START))
        self.sequences, self.noninferiority = RatioSequences(count), NonInferiorityTest(columns, policy)
        self.gauges = {
            index: Gauge(max(signal.tolerance, GAUGE_TOLERANCE))
            for index, (signal, family) in enumerate(zip(signals, columns.families, strict=True))
            if family is Family.GAUGE
        }
        self.unweighed: set[int] = set()
        self._missed_rate, self._luck_is_known = policy.missed_rate, False
        self._expect_pods(np.arange(count), np.full(count, PRIOR_SPREAD), np.full(count, float(PRIOR_PODS)))
        self._absolute_weight = np.where(self._counted, ABSOLUTE_RATE_WEIGHT, ABSOLUTE_RATE_WEIGHT_LATENCY)
        self._weigh_tests()
        self._log_edge_weights = np.tile(log_weights(1), (len(signals), 1))
        self._newest = np.zeros(count + 1)
        self._some_are_new, self._history_grew, self._closed = True, True, np.zeros(count, dtype=np.bool_)

    def take_in(self, batch: Batch, judged: Bools) -> None:
        """Take in one look.

        Args:
            batch: the look.
            judged: columns that are to be bet on: those with a look whose canary has begun, shape (columns,).
        """
        # The look is judged by what was known before it; only then is it learned from.
        self.sums.fade(batch)
        self._history_grew |= self.places.see(batch)
        self._healthy.place, self._healthy.excused = self.places.offset, self.places.excused
        counts = Counts(np.where(judged, batch.counts.T, 0.0), self.columns.whole)
        if some(judged):
            self._bet(batch, judged, counts)
        self.learn_start(batch)
        if some(judged) and not self._luck_is_known:
            self._expect_luck()
        self.noninferiority.add(batch.counts, self.sums)
        closed = self.pod_variation.add(batch)
        self._closed[closed] = True
        self.places.learn(closed)
        self.sums.settle(batch, counts.values.T)
        if closed.size:
            self._follow_pods(closed)
            self.sequences.settle(closed)
            self._luck_is_known = False
        # What is healthy follows history where a block was closed, or where history has doubled.
        learned = self.sums.history[:, 1] > MORE * self.sums.known[:, 1]
        learned[closed] = True
        if some(learned):
            self.sums.known[learned] = self.sums.history[learned]
            self._history_grew = True

    def begin_step(self, signals: range) -> None:
        """Say that the canary's share of the requests changes: proofs begin anew.

        Args:
            signals: those of the release that it changes for.
        """
        columns = slice(self.columns.reserved[signals[0]].start, self.columns.reserved[signals[-1]].stop)
        self.noninferiority.begin_step(columns)
        self.sequences.settle(columns)

    def learn_start(self, batch: Batch) -> None:
        """Learn what young pods are like from one look at an earlier start of the service's pods."""
        if batch.young is not None and batch.young[2].any():
            failed, size = batch.young[1:]
            self.cold_start.learn(failed, size, batch.counts[:, 2], batch.counts[:, 3])
            self._healthy.follow_starts()

    def log_e(self) -> list[float]:
        """Natural logarithm of each signal's e-process, in the policy's order; 0 while it has no columns."""
        # Of each column: the weighted mean of its two tests.
        ratio, absolute = self._log_test_weights
        np.logaddexp(ratio + self.ratio.log_e(), absolute + self.absolute_rate.log_e(), out=self._newest[:-1])
        # Of each signal: the weighted mean of its columns.
        columns = self._newest[self.columns.table] + self._log_edge_weights
        found: list[float] = np.logaddexp.reduce(columns, axis=1).tolist()
        for index, gauge in self.gauges.items():
            found[index] = gauge.log_e()
        return found

    def log_e_good(self) -> list[float]:
        """Natural logarithm of each signal's evidence for "not worse"; 0 before any."""
        found = self.noninferiority.log_e()
        for index, gauge in self.gauges.items():
            found[index] = gauge.log_e_good()
        return found

    def weighed_edges(self, index: int) -> Floats:
        """Log evidence of each judged edge, with its weight, when `log_e` was last asked; their sum is the signal's."""
        used = self.columns.used[index]
        found: Floats = self._newest[used] + self._log_edge_weights[index, : used.stop - used.start]
        return found

    def excess_of(self, index: int) -> float:
        """Failures of the canary above those that stable's rate explains, of a signal that counts."""
        return float(self.sums.excess[self.columns.reserved[index].start])

    def judge_at(self, index: int, chosen: Sequence[float], ridits: Ridits | None) -> None:
        """Say at which edges a latency signal is judged, in seconds, and by which ridits as a whole."""
        self.columns.judge_at(index, chosen, ridits)
        self.noninferiority.follow(index)
        self._some_are_new = True
        self._log_edge_weights[index] = log_weights(len(chosen))
        if ridits is not None:
            first = self.columns.reserved[index].start
            self.ratio.look_for(first, RIDIT_STEPS, RIDIT_STEP_WEIGHTS)
            self._absolute_weight[first] = ABSOLUTE_RATE_WEIGHT_RIDITS
            self._weigh_tests()
            self.pod_variation.settle()

    def settle(self) -> None:
        """Make the tests follow sums that were put back."""
        prior = self.pod_effect_prior
        self.ratio.put_back(*pod_effects(prior.tau, prior.pods, ~self._counted & (prior.near == 0)))
        self.absolute_rate.settle()
        self._luck_is_known = False
        self._follow_pods(np.arange(self.columns.count))
        self.places.settle()
        self.cold_start.settle()
        self._healthy.follow_starts()
        self._history_grew = True

    def catch_up(self) -> None:
        """Let the tests follow what stable's pods have taught since the last bet."""
        closed = indices_of(self._closed)
        if closed.size:
            self.ratio.temper[closed] = self.pod_variation.tempers(closed)
            self.absolute_rate.temper[closed] = self.pod_variation.clumped(closed)
            self._closed[:] = False
        if self._history_grew:
            self._healthy.follow_history()
            self.absolute_rate.expect(*self._healthy.rates())
            self._history_grew = False

    def _bet(self, batch: Batch, judged: Bools, counts: Counts) -> None:
        """Let the tests bet on a look."""
        seconds, healthy = np.where(judged, batch.seconds, 0.0), self._healthy
        self.catch_up()
        self._expect_new(judged)
        if healthy.follow_age(batch, judged):
            self.absolute_rate.expect(*healthy.rates())
        # Columns that are judged by scores in this look; their counts are left out of the ratio test.
        scored_columns = indices_of(
            self.pod_variation.scored & (healthy.age_tolerance < RIDITS_TOLERANCE) & (counts.values[1] > 0)
        )
        scored = self._scored(batch, scored_columns, counts.values[1, scored_columns]) if scored_columns.size else None
        young = healthy.age_tolerance > PLAIN
        # Where bursts are known they explain pods that are apart.
        self.pods_now.see(*self.pod_variation.so_far(batch), seconds)
        apart = np.where(self.ratio.chance > 0, 0.0, self.pods_now.noise)
        beside = beside_calm(counts, batch, self.pod_variation, self.places.changed).but(scored_columns)
        self.ratio.bet(beside, healthy.tolerance, seconds, young, scored, apart, self.places.unsure)
        self.sequences.add(counts)
        # The absolute-rate test rests where it is unknown how slow so young pods may be.
        known = counts if healthy.grown_up else counts.where(healthy.age_known)
        told = 1 / (1 + apart * self.ratio.information)
        self.absolute_rate.bet(known, seconds, batch.looked & (batch.at - self.sums.stable_at > SHOWS_SECONDS), told)

    def _scored(self, batch: Batch, columns: Indices, size: Floats) -> tuple[Indices, Spread]:
        """What was seen in columns that are judged by scores; the canary's score is the sum over its requests."""
        canary, stable = batch.bucket_counts[:2, columns, : self.pod_variation.buckets]
        scores = self.columns.scores[columns, : self.pod_variation.buckets]
        return columns, Spread(scores, (canary * scores).sum(axis=1), size, canary + stable)

    def _expect_new(self, judged: Bools) -> None:
        """Fix the healthy pod effects of columns that are bet on for the first time."""
        if not self._some_are_new:
            return
        new = self.columns.live & (self.ratio.elapsed == 0)
        self._some_are_new = bool(new.any())
        first = indices_of(new & judged & (self.pod_variation.blocks > 0))
        if first.size:
            self._expect_pods(first, *self.places.spreads(first))
            self.ratio.temper[first] = self.pod_variation.tempers(first)

    def _expect_pods(self, columns: Indices, spread: Floats, pods: Floats) -> None:
        """Tell the ratio test how much healthy pods differ, and how often one is hit by a burst."""
        prior = self.pod_effect_prior
        prior.tau[columns], prior.pods[columns], prior.near[columns] = spread, pods, 1.0
        effects = pod_effects(spread, pods)
        bursts = self.pod_variation.bursts(columns)
        self.ratio.expect(
            columns,
            *effects,
            *bursts,
            lasting=(lasting := self.pod_variation.lasting(columns)),
            drawn=lasting > 0,
            noise=block_noise(spread, pods),
            step=self.pod_variation.steps(columns),
        )

    def _follow_pods(self, columns: Indices) -> None:
        """Tell what pods did in the past to what is made of the present block."""
        variation = self.pod_variation
        self.pods_now.follow(columns, variation.offsets(columns), 1 / variation.one_by_one(columns, 1.0))

    def _expect_luck(self) -> None:
        """Tell the non-inferiority test how failures clump and how far a pod may be better than its version."""
        everything = np.arange(self.columns.count)
        better = luck(*self.pod_variation.spreads(everything), self._missed_rate)
        self._luck_is_known = True
        self.noninferiority.expect(self.pod_variation.one_by_one(slice(None), 1.0), better)

    def _weigh_tests(self) -> None:
        """Logarithms of the weights of the ratio test and of the absolute-rate test, each of shape (columns,)."""
        self._log_test_weights = np.log1p(-self._absolute_weight), log_of(self._absolute_weight)
