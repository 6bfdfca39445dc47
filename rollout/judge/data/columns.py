"""Where each signal's numbers live: one column for a signal that counts, one for each judged edge of a latency signal.

Gauges are not counted and have no column.

All sums and tests of the judge are arrays whose first axis is the columns. So a look at all signals is one pass of
array operations, however many signals there are.
"""

from collections.abc import Sequence
from itertools import accumulate

import numpy as np

from rollout.judge.model import bucket_edges as edges
from rollout.judge.model.onset_prior import Bools, Floats, Indices
from rollout.judge.model.policy import JudgePolicy
from rollout.judge.model.ridits import BINS, Ridits
from rollout.signals.kinds import SIGNAL_KINDS, Family

_WIDTHS = {Family.FAILURES: 1, Family.LATENCY: edges.MOST, Family.COUNT: 1, Family.GAUGE: 0}


class Columns:
    """The columns of a policy's signals, in the policy's order, for one release after the other.

    Attributes:
        signals: the policy's, once for each release.
        families: what the figures of each of them are.
        reserved: columns kept free for each signal.
        used: those of them that carry something: all of them, or as many as edges were chosen.
        edges: judged edges in seconds by signal; latency only, empty until chosen.
        ridit_edges: upper edges in seconds of the buckets that have scores, by signal; empty where none have. They
            belong to the signal's first column; all else in that column is about the first judged edge.
        scores: ridits of the buckets, shape (columns, ridits.BINS).
        whole: where sizes are requests, each failing at most once, shape (columns,).
        owner: index of each column's signal, shape (columns,).
        live: those that carry something, shape (columns,).
        table: those that carry something of each signal, filled up with its first; `count` where there is none, shape
            (signals, edges.MOST).
    """

    def __init__(self, policy: JudgePolicy, releases: int = 1) -> None:
        self.signals = policy.signals * releases
        self.families = [SIGNAL_KINDS[signal.kind].family for signal in self.signals]
        widths = [_WIDTHS[family] for family in self.families]
        self.reserved = [slice(end - width, end) for end, width in zip(accumulate(widths), widths, strict=True)]
        self.edges: list[tuple[float, ...]] = [() for _ in self.signals]
        self.ridit_edges: list[tuple[float, ...]] = [() for _ in self.signals]
        self.used = [
            slice(span.start, span.start) if family is Family.LATENCY else span
            for family, span in zip(self.families, self.reserved, strict=True)
        ]
        self.whole: Bools = self.of_families(Family.FAILURES, Family.LATENCY)
        self.scores: Floats = np.zeros((self.count, BINS))
        self.owner: Indices = np.repeat(np.arange(len(widths)), widths)
        self.live: Bools = ~self.of_families(Family.LATENCY)
        firsts = [used.start if used.start < used.stop else self.count for used in self.used]
        self.table: Indices = np.tile(np.array(firsts, dtype=np.intp)[:, None], edges.MOST)

    @property
    def count(self) -> int:
        """Columns in all."""
        return self.reserved[-1].stop

    def judge_at(self, index: int, chosen: Sequence[float], ridits: Ridits | None) -> None:
        """Say at which edges a latency signal is judged, in seconds, and by which ridits as a whole."""
        start = self.reserved[index].start
        self.edges[index], self.used[index] = tuple(chosen), slice(start, start + len(chosen))
        self.live[self.used[index]] = True
        self.table[index] = start
        self.table[index, : len(chosen)] += np.arange(len(chosen))
        if ridits is not None:
            self.ridit_edges[index], self.scores[start] = ridits.edges, ridits.scores

    def shown(self, index: int) -> slice:
        """The column whose range people are shown: the middle edge's of latency; none where there is none."""
        used = self.used[index]
        middle = (used.start + used.stop) // 2
        return slice(middle, middle + (used.stop > used.start))

    def each(self, values: Sequence[float]) -> Floats:
        """One value of each signal, repeated for each of its columns; shape (columns,)."""
        return np.repeat(np.array(values, dtype=np.float64), [span.stop - span.start for span in self.reserved])

    def of_families(self, *families: Family) -> Bools:
        """Whether a column's signal is of one of these families; shape (columns,)."""
        return self.each([float(family in families) for family in self.families]) > 0
