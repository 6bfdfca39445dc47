"""What has been counted of one signal so far: sums under judgement, stable's history, and what happened lately.

History is everything stable ever did, before the release and during it; a look is judged against the history of the
looks before it. "Lately" is an exponentially fading window: it shows a fault that stable shares.
"""

import math
from dataclasses import dataclass, field

import numpy as np

from rollout.judge.heterogeneity import Noise
from rollout.judge.onset import Floats
from rollout.judge.tally import Part, Tally
from rollout.looks import SourceStatus

FADING_SECONDS = 5.0
"""Time constant of "lately"."""


@dataclass(slots=True)
class Sums:
    """Running sums of one arm.

    Attributes:
        size: requests or pod-seconds.
        failed: failures or events.
        requests: requests.
        slow: slow requests per edge of the source, shape (edges,).
    """

    size: float = 0.0
    failed: float = 0.0
    requests: int = 0
    slow: Floats = field(default_factory=lambda: np.zeros(0))

    def add(self, part: Part) -> None:
        """Add a look's increments."""
        self.size += part.size
        self.failed += part.failed
        self.requests += part.requests
        if part.slow.size:
            self.slow = part.slow + self.slow if self.slow.size == part.slow.size else part.slow

    def fade(self, factor: float) -> None:
        """Multiply everything but the requests by a factor."""
        self.size *= factor
        self.failed *= factor
        if self.slow.size:
            self.slow = self.slow * factor

    @property
    def rate(self) -> float | None:
        """Failures per request or pod-second; None when nothing was observed."""
        return self.failed / self.size if self.size > 0 else None


@dataclass(slots=True)
class Ledger:
    """Everything counted of one signal.

    Attributes:
        status: what its source said last.
        seen_at: time of the last look, whatever its status; minus infinity before the first.
        counted_at: time of the last look that had data.
        started: the canary has had something to count.
        busy_at: time of the last look with canary traffic.
        stable_at: time of the last look with stable traffic.
        canary: the canary's sums since the start.
        stable: stable's sums since the canary's start.
        history: stable's sums since ever.
        canary_lately: the canary's fading sums.
        stable_lately: stable's fading sums.
        step_canary: failures of the canary in this step.
        step_stable: failures of stable in this step.
        excess: canary failures minus those that stable's rate explains.
        expected: failures that stable's rate explains.
        judged_slow: slow requests at the judged edges, canary and stable, shape (2, judged); latency only.
        noise: what stable's pods teach about healthy differences and clumps.
        log_good: log likelihood ratios for promotion, shape (edges or 1, alternatives).
    """

    status: SourceStatus = SourceStatus.NO_DATA
    seen_at: float = -math.inf
    counted_at: float = -math.inf
    started: bool = False
    busy_at: float = -math.inf
    stable_at: float = -math.inf
    canary: Sums = field(default_factory=Sums)
    stable: Sums = field(default_factory=Sums)
    history: Sums = field(default_factory=Sums)
    canary_lately: Sums = field(default_factory=Sums)
    stable_lately: Sums = field(default_factory=Sums)
    step_canary: float = 0.0
    step_stable: float = 0.0
    excess: float = 0.0
    expected: float = 0.0
    judged_slow: Floats = field(default_factory=lambda: np.zeros((2, 0)))
    noise: Noise = field(default_factory=Noise)
    log_good: Floats = field(default_factory=lambda: np.zeros((0, 0)))

    def seconds_since(self, at: float, tally: Tally) -> float:
        """Time that a look covers: since the last one with data, else the longest exposure in it."""
        return at - self.counted_at if self.counted_at > -math.inf else tally.seconds

    def lately(self, tally: Tally, at: float) -> None:
        """Bring the fading sums up to a look; must come before it is judged."""
        factor = math.exp(-max(self.seconds_since(at, tally), 0.0) / FADING_SECONDS)
        for sums, part in ((self.canary_lately, tally.canary), (self.stable_lately, tally.stable)):
            sums.fade(factor)
            sums.add(part)
        if tally.stable.size > 0:
            self.stable_at = at
        if tally.canary.size > 0:
            self.started, self.busy_at = True, at

    def settle(self, tally: Tally, at: float) -> None:
        """Add a look to the sums; must come after it is judged."""
        if self.started:
            self._count(tally)
        self.history.add(tally.stable)
        self.counted_at = at

    def see_slow(self, canary: Floats, stable: Floats) -> None:
        """Add a look's slow requests at the judged edges, each of shape (judged,)."""
        slow = np.stack([canary, stable])
        self.judged_slow = slow + (self.judged_slow if self.judged_slow.shape == slow.shape else 0.0)

    def _count(self, tally: Tally) -> None:
        explained = tally.canary.size * max(self.history.rate or 0.0, self.stable_lately.rate or 0.0)
        self.expected += explained
        self.excess += tally.canary.failed - explained
        self.step_canary += tally.canary.failed
        self.step_stable += tally.stable.failed
        self.canary.add(tally.canary)
        self.stable.add(tally.stable)
