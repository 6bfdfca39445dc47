"""What the two arms did, as people are shown it: counts, and of latency at which edge."""

import math
from dataclasses import dataclass
from typing import NamedTuple

from rollout.judge.evidence.battery import Evidence
from rollout.judge.evidence.prior_weights import log_weights
from rollout.signals.kinds import Family


class Counted(NamedTuple):
    """How many failed (were slow, crashed) of how many requests, or in how many pod-seconds."""

    failed: float
    size: float

    @property
    def rate(self) -> float | None:
        """Failed ones over all; None where there was nothing."""
        return self.failed / self.size if self.size > 0 else None


NOTHING = Counted(0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Shown:
    """What is shown of one signal.

    Attributes:
        canary: what it did since the start.
        stable: what stable did in the same time, or in its history.
        lately: the canary in the last seconds.
        levels: of gauges: the canary's and stable's value; None where there is none.
        edge: of latency: the bucket edge that the counts are about, in seconds; None before one is judged.
        whole: of latency: the evidence there is that of all buckets together.
        row: the column that the counts are of; None where there are none.
    """

    canary: Counted = NOTHING
    stable: Counted = NOTHING
    lately: Counted = NOTHING
    levels: tuple[float | None, float | None] = (None, None)
    edge: float | None = None
    whole: bool = False
    row: int | None = None

    @property
    def rates(self) -> tuple[float | None, float | None]:
        """The canary's and stable's, as `SignalVerdict` has them."""
        known = self.levels != (None, None)
        return self.levels if known else (self.canary.rate, self.stable.rate)


def shown(evidence: Evidence, index: int, *, started: bool, edge: float | None = None) -> Shown:
    """What is shown of a signal.

    Args:
        evidence: of all signals.
        index: which signal.
        started: its canary has begun.
        edge: of latency: the edge that convicted, in seconds; None takes the one with most evidence now.
    """
    if index in evidence.gauges:
        return Shown(levels=evidence.gauges[index].levels_shown) if started else Shown()
    row = lately = evidence.columns.reserved[index].start
    whole = False
    if evidence.columns.families[index] is Family.LATENCY:
        judged = evidence.columns.edges[index]
        if not judged:
            return Shown()
        at = judged.index(edge) if edge in judged else _worst_edge(evidence, index)
        row, edge, whole = row + at, judged[at], _is_whole(evidence, row + at)
    failed, size, stable_failed, stable_size = evidence.sums.total[row].tolist()
    if stable_size == 0 and edge is None:
        stable_failed, stable_size = evidence.sums.history[row].tolist()
    recent = Counted(*evidence.sums.lately[lately, :2].tolist())
    return Shown(Counted(failed, size), Counted(stable_failed, stable_size), recent, edge=edge, whole=whole, row=row)


def convicting_edge(evidence: Evidence, index: int) -> float | None:
    """The edge to which a latency signal owes most of its evidence, weights and all, in seconds; None of others."""
    judged = evidence.columns.edges[index]
    return judged[int(evidence.weighed_edges(index).argmax())] if judged else None


def _worst_edge(evidence: Evidence, index: int) -> int:
    """Position of a latency signal's edge with most evidence: with its weight, unless an older judge began."""
    found = evidence.weighed_edges(index)
    return int((found - log_weights(found.size)[: found.size] if index in evidence.unweighed else found).argmax())


def _is_whole(evidence: Evidence, row: int) -> bool:
    """Whether a column is judged by the scores of all buckets."""
    return bool(evidence.pod_variation.scored[row])


def error_of(counted: Counted) -> float:
    """Standard error of a rate: of a share by the binomial law, of events by Poisson's; one event at least."""
    failed, size = counted
    clean = max(1 - failed / size, 0.0) if failed <= size else 1.0
    return math.sqrt(max(failed * clean, 1.0)) / size
