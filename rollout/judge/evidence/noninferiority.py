"""The proof for promotion, kept look by look: is each signal shown not to be worse than its target or margin?

Errors: below the target share, or below margin times stable. Latency: at every judged edge (or at the one threshold)
the slow share is less than stable's plus the target. Counted events: below the target rate. The formulas are in
`promotion`.
"""

import math
from typing import ClassVar

import numpy as np

from rollout.judge.baseline.sums import Sums
from rollout.judge.data.columns import Channels
from rollout.judge.evidence import noninferiority_likelihoods as promotion
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

_SHARES = promotion.BETTER.size
_ADDED = promotion.ADDED_BETTER.size + 1
_ALTERNATIVES = _SHARES + promotion.MARGIN_BETTER.size


class ProofBank:
    """Evidence that the canary is not worse, one row a channel.

    Attributes:
        log_good: log likelihood ratios, shape (channels, alternatives); minus infinity where there is no alternative.
    """

    STATE: ClassVar[tuple[str, ...]] = ("log_good",)

    def __init__(self, channels: Channels, policy: JudgePolicy) -> None:
        self._channels = channels
        errors, latency = channels.of_families(Family.FAILURES), channels.of_families(Family.LATENCY)
        self._errors, self._latency = _span(errors), _span(latency)
        target = channels.each([signal.effective_target for signal in channels.signals])
        tolerance = channels.each([signal.tolerance for signal in channels.signals])
        self._margin, self._extra = policy.promotion_margin * tolerance[self._errors], target[self._latency]
        self._worth = np.zeros((channels.count, 2, _ALTERNATIVES))
        self._worth[:, 0, :_SHARES], self._worth[:, 1, :_SHARES] = promotion.below_target(target, channels.whole)
        used = np.full(channels.count, _SHARES)
        used[errors], used[latency] = _ALTERNATIVES, _ADDED
        self._log_used = np.log(used)
        self._fresh = np.where(np.arange(_ALTERNATIVES) < used[:, None], 0.0, -math.inf)
        self.log_good = self._fresh.copy()
        self._told_by = channels.table.copy()

    def follow(self, index: int) -> None:
        """Make the bank follow a signal's judged edges, which were changed."""
        judged, threshold = self._channels.edges[index], self._channels.signals[index].threshold_seconds
        self._told_by[index] = self._channels.table[index]
        if threshold is not None:
            self._told_by[index] = self._told_by[index, edges.nearest(judged, threshold)]

    def begin_step(self, rows: slice) -> None:
        """Ask errors and latency of some channels for a new proof: it must hold at the new share of the traffic."""
        self.log_good[rows] = np.where(self._channels.whole[rows, None], self._fresh[rows], self.log_good[rows])

    def add(self, columns: Floats, sums: Sums) -> None:
        """Take in a look, after the fading sums and before the totals; shape (channels, 4)."""
        gain = np.matmul(columns[:, None, :2], self._worth)[:, 0]
        if self._margin.size:
            gain[self._errors, _SHARES:] = promotion.below_ratio(columns[self._errors], self._margin)
        if self._extra.size:
            gain[self._latency, :_ADDED] = self._slower(columns[self._latency], sums)
        self.log_good += gain

    def log_e(self) -> list[float]:
        """Natural logarithm of each signal's e-process for "not worse"; 0 before any evidence."""
        rows = np.zeros(len(self.log_good) + 1)
        np.subtract(log_sum(self.log_good), self._log_used, out=rows[:-1])
        found: list[float] = rows[self._told_by].min(axis=1).tolist()
        return found

    def _slower(self, columns: Floats, sums: Sums) -> Floats:
        """Gains per judged edge against stable's slow share of late (by its history while it has no traffic)."""
        rows = self._latency
        now = sums.lately[rows, 3] >= 1
        rate = np.where(now, sums.rate_lately[rows], sums.rate_ever[rows])
        gains = promotion.below_added(columns, rate, self._extra)
        return np.where((now | (sums.history[rows, 1] > 0))[:, None], gains, 0.0)


def _span(mask: Bools) -> slice | Indices:
    """Where a mask is true: as a slice, which costs nothing to look through, where it is so in one stretch."""
    rows = indices_of(mask)
    whole = not rows.size or rows[-1] - rows[0] == rows.size - 1
    return slice(int(rows.min(initial=mask.size)), int(rows.max(initial=-1)) + 1) if whole else rows
