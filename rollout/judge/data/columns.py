"""Where each signal's numbers live: a channel for a signal that counts, one a judged bucket edge for latency.

Gauges are not counted and have none.

All sums and tests of the judge are arrays with one entry a channel, so that a look of all signals is one pass of array
operations, however many signals there are.
"""

from collections.abc import Sequence
from itertools import accumulate

import numpy as np

from rollout.judge.model import bucket_edges as edges
from rollout.judge.model.onset_prior import Bools, Floats, Indices
from rollout.judge.model.policy import JudgePolicy
from rollout.judge.model.ridits import BINS, Body
from rollout.signals.kinds import SIGNAL_KINDS, Family

_WIDTHS = {Family.FAILURES: 1, Family.LATENCY: edges.MOST, Family.COUNT: 1, Family.GAUGE: 0}


class Channels:
    """The channels of a policy's signals, in the policy's order, for one release after the other.

    Attributes:
        signals: the policy's, once for each release.
        families: what the figures of each of them are.
        slots: channels reserved for each signal.
        used: those of them that carry something: all, or as many as edges were chosen.
        edges: judged edges in seconds by signal; latency only, empty until chosen.
        bodies: upper edges in seconds of the buckets that have scores by signal; empty where none have. They are those
            of the signal's first channel, of which all else is about its first judged edge.
        scores: scores of the buckets, shape (channels, body.BINS).
        whole: where sizes are requests, each failing at most once, shape (channels,).
        owner: index of each channel's signal, shape (channels,).
        live: those that carry something, shape (channels,).
        table: those that carry something of each signal, filled up with its first; `count` where there is none, shape
            (signals, edges.MOST).
    """

    def __init__(self, policy: JudgePolicy, releases: int = 1) -> None:
        self.signals = policy.signals * releases
        self.families = [SIGNAL_KINDS[signal.kind].family for signal in self.signals]
        widths = [_WIDTHS[family] for family in self.families]
        self.slots = [slice(end - width, end) for end, width in zip(accumulate(widths), widths, strict=True)]
        self.edges: list[tuple[float, ...]] = [() for _ in self.signals]
        self.bodies: list[tuple[float, ...]] = [() for _ in self.signals]
        self.used = [
            slice(slot.start, slot.start) if family is Family.LATENCY else slot
            for family, slot in zip(self.families, self.slots, strict=True)
        ]
        self.whole: Bools = self.of_families(Family.FAILURES, Family.LATENCY)
        self.scores: Floats = np.zeros((self.count, BINS))
        self.owner: Indices = np.repeat(np.arange(len(widths)), widths)
        self.live: Bools = ~self.of_families(Family.LATENCY)
        firsts = [used.start if used.start < used.stop else self.count for used in self.used]
        self.table: Indices = np.tile(np.array(firsts, dtype=np.intp)[:, None], edges.MOST)

    @property
    def count(self) -> int:
        """Channels in all."""
        return self.slots[-1].stop

    def judge_at(self, index: int, chosen: Sequence[float], body: Body | None) -> None:
        """Say at which edges a latency signal is judged, in seconds, and by which scores as a whole."""
        start = self.slots[index].start
        self.edges[index], self.used[index] = tuple(chosen), slice(start, start + len(chosen))
        self.live[self.used[index]] = True
        self.table[index] = start
        self.table[index, : len(chosen)] += np.arange(len(chosen))
        if body is not None:
            self.bodies[index], self.scores[start] = body.edges, body.scores

    def shown(self, index: int) -> slice:
        """The channel whose range people are shown: the middle edge's of latency; none where there is none."""
        used = self.used[index]
        middle = (used.start + used.stop) // 2
        return slice(middle, middle + (used.stop > used.start))

    def each(self, values: Sequence[float]) -> Floats:
        """One value a signal, repeated for its channels; shape (channels,)."""
        return np.repeat(np.array(values, dtype=np.float64), [slot.stop - slot.start for slot in self.slots])

    def of_families(self, *families: Family) -> Bools:
        """Whether a channel's signal is of one of these families; shape (channels,)."""
        return self.each([float(family in families) for family in self.families]) > 0
