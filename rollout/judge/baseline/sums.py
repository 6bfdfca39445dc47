"""What has been counted so far: sums under judgement, stable's history, and what happened lately.

History is everything stable ever did, before the release and during it; a look is judged against the history of the
looks before it. "Lately" is an exponentially fading window: it shows a fault that stable shares.
"""

import math
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from rollout.judge.baseline.crash_log import CrashLog
from rollout.judge.data.batch import Batch
from rollout.judge.data.pod_slots import PodSlots
from rollout.judge.data.read_samples import Reading
from rollout.judge.model.onset_prior import Floats
from rollout.signals.looks import SourceStatus

FADING_SECONDS = 5.0
"""Time constant of "lately"."""


class Sums:
    """Running sums of every column, in this order: canary failures, canary size, stable failures, stable size.

    Attributes:
        total: since the canary's start, shape (columns, 4).
        lately: fading, shape (columns, 4).
        history: stable's failures and size since ever, shape (columns, 2).
        known: the same when it was last learned from, shape (columns, 2).
        excess: canary failures minus those that stable's rate explains, shape (columns,).
        expected: failures that stable's rate explains, shape (columns,).
        stable_at: time of the last look with stable traffic, shape (columns,); minus infinity before the first.
        rate_lately: stable's rate as of `lately`, shape (columns,).
        rate_ever: stable's rate as of `history`, before the present look, shape (columns,).
    """

    STATE: ClassVar[tuple[str, ...]] = (
        "total",
        "lately",
        "history",
        "known",
        "excess",
        "expected",
        "stable_at",
    )

    def __init__(self, columns: int) -> None:
        self.total, self.lately = np.zeros((2, columns, 4))
        self.history, self.known = np.zeros((2, columns, 2))
        self.excess, self.expected = np.zeros((2, columns))
        self.stable_at = np.full(columns, -math.inf)
        self.rate_lately, self.rate_ever = np.zeros((2, columns))

    def fade(self, batch: Batch) -> None:
        """Bring the fading sums up to a look; must come before it is judged."""
        self.lately *= np.exp(batch.seconds / -FADING_SECONDS)[:, None]
        self.lately += batch.counts
        self.rate_lately, self.rate_ever = rate_of(self.lately[:, 2:]), rate_of(self.history)
        self.stable_at = np.where(batch.counts[:, 3] > 0, batch.at, self.stable_at)

    def settle(self, batch: Batch, counts: Floats) -> None:
        """Add a look to the sums; must come after it is judged.

        Args:
            batch: the look.
            counts: what counts of it, nothing where the canary has not begun, shape (columns, 4).
        """
        # Failures that stable's rate explains: its rate ever, or lately where that is higher.
        explained = counts[:, 1] * np.maximum(self.rate_ever, self.rate_lately)
        self.expected += explained
        self.excess += counts[:, 0] - explained
        self.total += counts
        self.history += batch.counts[:, 2:]


def rate_of(pairs: Floats) -> Floats:
    """Failures per request or pod-second of pairs (failures, size), 0 where nothing was observed; shape (k,)."""
    failed, size = pairs.T
    rates: Floats = np.divide(failed, size, out=np.zeros(len(pairs)), where=size > 0)
    return rates


@dataclass(slots=True)
class SignalState:
    """What is known of one signal besides its sums.

    Attributes:
        status: what its source said last.
        reason: why there was nothing then, as the source says; empty where there was.
        seen_at: time of the last look, whatever its status; minus infinity before the first.
        counted_at: time of the last look that had data.
        started_at: time of the last look at an earlier start.
        started: the canary has had something to count.
        busy_at: time of the last look in which it had.
        canary_requests: requests of the canary since it started.
        stable_requests: requests of stable in the same time.
        stable_ever: requests of stable since ever.
        uncounted: requests of the canary that its source reported without what they came to.
        pods: which slot each of stable's pods has in the arrays.
        before_edges: latency only: requests of all pods slower than each of the source's edges, and all of them, until
            the judged edges are chosen, shape (edges + 1,).
        crashes: when pods crashed, of a signal that has a guard against crash loops.
    """

    status: SourceStatus = SourceStatus.NO_DATA
    seen_at: float = -math.inf
    counted_at: float = -math.inf
    started_at: float = -math.inf
    started: bool = False
    busy_at: float = -math.inf
    canary_requests: int = 0
    stable_requests: int = 0
    stable_ever: int = 0
    uncounted: int = 0
    pods: PodSlots = field(default_factory=PodSlots)
    before_edges: Floats = field(default_factory=lambda: np.zeros(0))
    reason: str = ""
    crashes: CrashLog = field(default_factory=CrashLog)

    def seconds_since(self, at: float, exposure: float) -> float:
        """Time that a look covers: since the last one with data, else the longest exposure in it."""
        return at - self.counted_at if self.counted_at > -math.inf else exposure

    def note(self, reading: Reading, at: float) -> None:
        """Take in what a look says of the arms as wholes."""
        canary, stable = reading.requests
        if reading.whole[0] > 0:
            self.started, self.busy_at = True, at
        else:
            self.uncounted += reading.uncounted
        if self.started:
            self.canary_requests += canary
            self.stable_requests += stable
        self.stable_ever += stable
        self.counted_at = at
