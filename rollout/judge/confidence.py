"""How much worse (or better) the canary is: a confidence sequence for the ratio of rates, for people to read.

For every ratio r on a grid, S = sum (x - m theta(r)) is a martingale when r is true, theta(r) = r rho / (1 + r rho).
Its normal mixture sqrt(k / (V + k)) exp(S^2 / (2 (V + k))), V = sum m theta (1 - theta), is an asymptotic e-process
(Robbins 1970; Waudby-Smith et al. 2024, eq. 9). A ratio is inside while its e-process is below 1/alpha. The judge never
decides by it.
"""

import math

import numpy as np

from rollout.judge.counting import Counts
from rollout.judge.onset import Floats, Indices

GRID: Floats = np.exp(np.linspace(math.log(0.05), math.log(50.0), 33))
"""Ratios of the canary's rate over stable's."""

_PRIOR_VARIANCE = 4.0
"""k: the variance around which the sequence is tightest, in failures."""


class RatioSequences:
    """Confidence sequences, one row a signal.

    Attributes:
        score: S, shape (signals, grid).
        variance: V, shape (signals, grid).
    """

    def __init__(self, signals: int) -> None:
        self.score = np.zeros((signals, GRID.size))
        self.variance = np.zeros((signals, GRID.size))

    def add(self, rows: Indices, counts: Counts) -> None:
        """Take in one look of some signals; a look in which an arm had nothing says nothing."""
        both = (counts.size > 0) & (counts.stable_size > 0)
        odds = GRID * (counts.size / np.maximum(counts.stable_size, 1e-300))[:, None]
        theta = np.where(both[:, None], odds / (1 + odds), 0.0)
        failures = np.where(both, counts.all_failed, 0.0)[:, None]
        self.score[rows] += np.where(both, counts.failed, 0.0)[:, None] - failures * theta
        self.variance[rows] += failures * theta * (1 - theta)

    def bounds(self, alpha: float) -> list[tuple[float, float | None]]:
        """Lowest and highest ratio not excluded at level alpha, one pair a signal; None where unbounded above."""
        total = self.variance + _PRIOR_VARIANCE
        log_e = 0.5 * (math.log(_PRIOR_VARIANCE) - np.log(total)) + self.score**2 / (2 * total)
        inside = log_e < -math.log(alpha)
        return [_ends(np.flatnonzero(row)) for row in inside]


def _ends(inside: Indices) -> tuple[float, float | None]:
    """The nearest excluded grid points around those inside."""
    if inside.size == 0:
        return 0.0, None
    low, high = int(inside[0]) - 1, int(inside[-1]) + 1
    return (0.0 if low < 0 else float(GRID[low])), (None if high == GRID.size else float(GRID[high]))
