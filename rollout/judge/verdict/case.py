"""What is known of one release besides its signals, and how it was convicted."""

import math
from dataclasses import dataclass, field

from rollout.judge.evidence.combination import RunUp
from rollout.judge.evidence.sample_ratio_mismatch import SampleRatioTest


@dataclass(frozen=True, slots=True)
class Conviction:
    """The moment the canary was found bad; it stays so (the promise is about ever crossing the limit).

    Attributes:
        at: time of the look that convicted, seconds since the epoch.
        evidence_at: time of the look that began the run-up.
        log_e: combined log evidence then.
        culprits: signals to blame, the worst first.
        guard: sentence of the guard that convicted; None when the evidence did.
        found: log evidence of each culprit then; none in a judge that an older one saved.
        edges: of each culprit, the edge that a latency signal owes it to, in seconds.
    """

    at: float
    evidence_at: float
    log_e: float
    culprits: tuple[str, ...]
    guard: str | None = None
    found: tuple[float, ...] = ()
    edges: tuple[float | None, ...] = ()

    def evidence_of(self, culprit: str) -> float | None:
        """Log evidence of a culprit when it was convicted; None where it was not kept, or it is none."""
        return dict(zip(self.culprits, self.found, strict=False)).get(culprit)

    def edge_of(self, culprit: str) -> float | None:
        """The edge that a culprit owes it to, in seconds; None where there is none."""
        return dict(zip(self.culprits, self.edges, strict=False)).get(culprit)


@dataclass(slots=True)
class Case:
    """What is known of one release besides its signals.

    Attributes:
        signals: where its signals are among those of all releases.
        run_up: when the evidence that convicts began to rise.
        sample_ratio: of the requests in this step.
        conviction: when the canary was found bad; None while it is not.
        log_e: combined log evidence of its signals.
        now: seconds since the epoch of the last look.
        first_share: the canary's share before any was asked for, 0 to 1; 0 where nobody knows.
    """

    signals: range
    run_up: RunUp = field(default_factory=RunUp)
    sample_ratio: SampleRatioTest = field(default_factory=SampleRatioTest)
    conviction: Conviction | None = None
    log_e: float = 0.0
    now: float = -math.inf
    first_share: float = 0.0

    def load(self, canary: int, stable: int) -> float:
        """Requests of a canary pod over those of a stable pod, 0 where nobody knows the share."""
        share = self.sample_ratio.asked or self.first_share
        return share / canary * stable / (1 - share) if canary and stable and 0 < share < 1 else 0.0
