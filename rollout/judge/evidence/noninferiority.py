"""The non-inferiority test, for promotion: is each signal shown not to be worse than its target or margin?

Errors: below the target share, or below margin times stable. Latency: at every judged edge (or at the one threshold)
the slow share is less than stable's plus the target. Counted events: below the target rate. The formulas are in
`noninferiority_likelihoods`.

As the ratio test does, it knows that failures come together and that pods differ: the likelihoods are tempered by how
many come together, and the margin to stable is lower by what a lucky pod of a bad version may be better than it.
"""

import math
from typing import ClassVar

import numpy as np

from rollout.judge.baseline.sums import Sums
from rollout.judge.data.columns import Columns
from rollout.judge.evidence import noninferiority_likelihoods as likelihoods
from rollout.judge.model import bucket_edges as edges
from rollout.judge.model.onset_prior import (
    Bools,
    Floats,
    Indices,
    indices_of,
    log_sum,
)
from rollout.judge.model.policy import JudgePolicy
from rollout.signals.kinds import Family

_SHARES = likelihoods.BETTER.size
_ADDED = likelihoods.ADDED_BETTER.size + 1
_ALTERNATIVES = _SHARES + likelihoods.MARGIN_BETTER.size


class NonInferiorityTest:
    """Evidence that the canary is not worse, one entry for each column.

    Attributes:
        log_good: log likelihood ratios, shape (columns, alternatives); minus infinity where there is no alternative.
    """

    STATE: ClassVar[tuple[str, ...]] = ("log_good",)

    def __init__(self, columns: Columns, policy: JudgePolicy) -> None:
        self._columns = columns
        errors, latency = columns.of_families(Family.FAILURES), columns.of_families(Family.LATENCY)
        self._errors, self._latency = _span(errors), _span(latency)
        target = columns.each([signal.effective_target for signal in columns.signals])
        tolerance = columns.each([signal.tolerance for signal in columns.signals])
        self._asked, self._extra = policy.promotion_margin * tolerance[self._errors], target[self._latency]
        self._margin, self._tempers = self._asked.copy(), np.ones(columns.count)
        self._worth = np.zeros((columns.count, 2, _ALTERNATIVES))
        self._worth[:, 0, :_SHARES], self._worth[:, 1, :_SHARES] = likelihoods.below_target(target, columns.whole)
        used = np.full(columns.count, _SHARES)
        used[errors], used[latency] = _ALTERNATIVES, _ADDED
        self._log_used = np.log(used)
        self._fresh = np.where(np.arange(_ALTERNATIVES) < used[:, None], 0.0, -math.inf)
        self.log_good = self._fresh.copy()
        self._deciding = columns.table.copy()

    def expect(self, tempers: Floats, luck: Floats) -> None:
        """Say what healthy pods do, from now on.

        Args:
            tempers: exponent of a likelihood that takes failures to come one by one, shape (columns,).
            luck: log ratio by which a pod may be better than its version, shape (columns,).
        """
        self._tempers, self._margin = tempers, self._asked * np.exp(-luck[self._errors])

    def follow(self, index: int) -> None:
        """Follow a signal's judged edges, which were changed."""
        judged, threshold = self._columns.edges[index], self._columns.signals[index].threshold_seconds
        self._deciding[index] = self._columns.table[index]
        if threshold is not None:
            self._deciding[index] = self._deciding[index, edges.nearest(judged, threshold)]

    def begin_step(self, columns: slice) -> None:
        """Ask errors and latency of some columns for a new proof: it must hold at the new share of the traffic."""
        self.log_good[columns] = np.where(
            self._columns.whole[columns, None], self._fresh[columns], self.log_good[columns]
        )

    def add(self, counts: Floats, sums: Sums) -> None:
        """Take in a look, after the fading sums and before the totals; shape (columns, 4)."""
        # Below the target: linear in the canary's failures and size.
        gain = np.matmul(counts[:, None, :2], self._worth)[:, 0]
        if self._margin.size:
            gain[self._errors, _SHARES:] = likelihoods.below_ratio(counts[self._errors], self._margin)
        if self._extra.size:
            gain[self._latency, :_ADDED] = self._slower(counts[self._latency], sums)
        self.log_good += gain * self._tempers[:, None]

    def log_e(self) -> list[float]:
        """Natural logarithm of each signal's e-process for "not worse"; 0 before any evidence."""
        # The mean over a column's alternatives; of a signal the weakest column decides, as all are to be proven.
        columns = np.zeros(len(self.log_good) + 1)
        np.subtract(log_sum(self.log_good), self._log_used, out=columns[:-1])
        found: list[float] = columns[self._deciding].min(axis=1).tolist()
        return found

    def _slower(self, counts: Floats, sums: Sums) -> Floats:
        """Gains per judged edge against stable's slow share of late (by its history while it has no traffic)."""
        columns = self._latency
        now = sums.lately[columns, 3] >= 1
        rate = np.where(now, sums.rate_lately[columns], sums.rate_ever[columns])
        gains = likelihoods.below_added(counts, rate, self._extra)
        return np.where((now | (sums.history[columns, 1] > 0))[:, None], gains, 0.0)


def _span(mask: Bools) -> slice | Indices:
    """Where a mask is true: as a slice, which costs nothing to look through, where it is so in one stretch."""
    columns = indices_of(mask)
    whole = not columns.size or columns[-1] - columns[0] == columns.size - 1
    return slice(int(columns.min(initial=mask.size)), int(columns.max(initial=-1)) + 1) if whole else columns
