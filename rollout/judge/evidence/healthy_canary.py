"""What a canary may do without blame, as stable's history says: tolerated ratios, and the highest healthy rate.

Sources: docs/explanation/judge.md, "Cold starts" for the ratios, "Gross faults" for the rates.
"""

import numpy as np
from scipy.special import gammaincinv, pdtrik

from rollout.judge.baseline.cold_start import ColdStart
from rollout.judge.baseline.pod_against_others import SURE
from rollout.judge.baseline.pod_effects import luck
from rollout.judge.baseline.pod_variation import PodVariation
from rollout.judge.baseline.sums import Sums
from rollout.judge.baseline.what_history_tells import is_calm
from rollout.judge.data.batch import Batch
from rollout.judge.data.columns import Columns
from rollout.judge.model.onset_prior import Bools, Floats

HEALTHY_SLOW = 0.1
"""Share of requests above any edge that is no gross fault. An edge that is passed more often when all is well is not
watched for gross faults: a burst there is nothing gross."""

UNKNOWN_BURST = 0.15
"""Share of failures that a healthy burst may reach while history does not tell how bad bursts are."""

UNEXPLAINED = 1e-4
"""Chance of a block of a pod that counting does not explain: there are two thousand of them in a long history."""

LUCKLESS = 0.01
"""Share of healthy pods that are worse than what a calm service is held to."""

BOUND_LEVEL = 0.975
"""Level of the upper bound of stable's rate."""

_MOST_SHARE = 0.9
"""The highest share of requests that is ever called healthy."""


class HealthyCanary:
    """What is healthy in each column, for the canary's age and stable's history as of now.

    Attributes:
        policy_tolerance: ratio that the policy accepts, shape (columns,).
        age_tolerance: ratio that the canary's age excuses, 1 where it is grown up, shape (columns,).
        age_known: where it is known how slow pods of the canary's age may be, shape (columns,).
        grown_up: no canary has young pods.
        place: log of the ratio that is healthy where the canary is, shape (columns,).
        excused: the same as far as gross faults are excused by it, at least 0, shape (columns,).
    """

    def __init__(self, columns: Columns, counted: Bools, sums: Sums, variation: PodVariation, start: ColdStart) -> None:
        """Hold on to what history is kept in; `counted` tells columns that count failures from those of slow ones."""
        self._sums, self._variation, self._start = sums, variation, start
        self._whole, self._counted = columns.whole, counted
        self.policy_tolerance = columns.each([signal.tolerance for signal in columns.signals])
        self.age_tolerance, self.age_known = np.ones(columns.count), np.ones(columns.count, dtype=np.bool_)
        self.place, self.excused = np.zeros((2, columns.count))
        self._ages, self.grown_up = np.zeros_like(start.size), True
        floors = columns.each([max(signal.effective_floor, 1e-6) for signal in columns.signals])
        self._floor = np.where(counted, floors, HEALTHY_SLOW)
        own = columns.each([float(signal.floor is None) for signal in columns.signals]) > 0
        self._may_be_calm = own & counted & columns.whole
        self._most = np.where(columns.whole, _MOST_SHARE, np.inf)
        self._starts_learned = False
        self.follow_history()

    @property
    def tolerance(self) -> Floats:
        """r0: the ratio to stable's rate that the null allows now, shape (columns,)."""
        tolerated: Floats = self.policy_tolerance * self.age_tolerance * np.exp(self.place)
        return tolerated

    def follow_starts(self) -> None:
        """Note that there is something new to be known of cold starts."""
        self._starts_learned = True

    def follow_age(self, batch: Batch, judged: Bools) -> bool:
        """Follow the canary's age where it is judged; whether another ratio is tolerated from now on."""
        if batch.young is None and self.grown_up:
            return False
        ages = np.where(judged[:, None], 0.0 if batch.young is None else batch.young[0], self._ages)
        if np.array_equal(ages, self._ages) and not self._starts_learned:
            return False
        self._ages, self.grown_up, self._starts_learned = ages, not ages.any(), False
        self.age_known = self._counted | ~self._start.age_unknown(ages)
        before, self.age_tolerance = self.age_tolerance, self._start.tolerance(ages)
        return not np.array_equal(before, self.age_tolerance)

    def follow_history(self) -> None:
        """Take the upper bound of stable's rate anew from the history that is known."""
        failed, size = self._sums.known.T
        self._bound = upper_rate(failed, size, self._whole)

    def rates(self) -> tuple[Floats, Floats, Bools, Floats]:
        """What the absolute-rate test is to expect (see `AbsoluteRateTest.expect`), each of shape (columns,)."""
        # p0 = max(tolerance x upper bound of stable's rate, floor, worst block of a single pod), at most `_most`.
        floor, worst = self._floors()
        # History is of all places, so that a good one makes no canary guilty.
        bound = self.policy_tolerance * self.age_tolerance * np.exp(self.excused) * self._bound
        tolerated = np.maximum(np.maximum(floor, bound), worst)
        healthy = np.minimum(tolerated, self._most)
        # Stable's own rate: its upper bound, half the floor at least, and never above what is healthy.
        stable = np.minimum(np.maximum(self._bound, floor / 2), healthy)
        # While history is short a burst may still reach UNKNOWN_BURST.
        least = UNKNOWN_BURST * (1 - self._variation.knowledge())
        return healthy, stable, self._counted | (healthy <= HEALTHY_SLOW), least

    def _floors(self) -> tuple[Floats, Floats]:
        """The floor, and the worst block of a single pod; each of shape (columns,).

        Where a long history is calm, the kind's floor gives way to what one pod in a hundred may be worse by, and a
        block is bad if counting does not explain it.
        """
        variation, (columns, bound) = self._variation, (np.arange(self._floor.size), self._bound)
        calm = self._may_be_calm & is_calm(variation)
        if not calm.any():
            return self._floor, variation.worst
        at = columns[calm]
        size = variation.size[at].sum(axis=1) / np.maximum(variation.counted[at], 1.0)
        most = np.ceil(pdtrik(1 - UNEXPLAINED, bound[at] * size))
        explained = (most - SURE * np.sqrt(most)) / np.maximum(size, 1e-9)
        floor, worst = self._floor.copy(), variation.worst.copy()
        floor[at] = np.minimum(floor[at], bound[at] * np.exp(luck(*variation.spreads(at), LUCKLESS)))
        worst[at] = np.where(worst[at] > explained, worst[at], 0.0)
        return floor, worst


def upper_rate(failed: Floats, size: Floats, whole: Bools) -> Floats:
    """Upper bound of stable's rate from its history (Jeffreys, Poisson); shape (columns,).

    Pods are taken to crash rarely until they do: without an event the bound of a rate per pod-second is 0, and the
    floor rules. A share of requests that was never observed may be anything.

    Args:
        failed: failures in history, shape (columns,).
        size: requests or pod-seconds in history, shape (columns,).
        whole: sizes are requests, shape (columns,).
    """
    # The quantile of a gamma law with shape failed + 1/2 (Jeffreys' prior), over the size.
    bound = gammaincinv(failed + 0.5, BOUND_LEVEL) / np.maximum(size, 1e-9)
    rates: Floats = np.where(whole, np.minimum(bound, 1.0), np.where(failed > 0, bound, 0.0))
    return rates
