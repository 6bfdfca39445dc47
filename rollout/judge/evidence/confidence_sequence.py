"""How much worse (or better) the canary is: a confidence sequence for the ratio of rates, for people to read.

For every ratio r on a grid, S = sum (x - m theta(r)) is a martingale when r is true, theta(r) = r rho / (1 + r rho).
Its normal mixture sqrt(k / (V + k)) exp(S^2 / (2 (V + k))), V = sum m theta (1 - theta), is an asymptotic e-process
(Robbins 1970; Waudby-Smith et al. 2024, eq. 9). A ratio is inside while its e-process is below 1/alpha. What healthy
pods may differ by for good widens both ends. The judge never decides by it.
"""

import math
from typing import ClassVar

import numpy as np

from rollout.judge.model.hypergeometric import Counts
from rollout.judge.model.onset_prior import Floats, Indices, ShortFloats

GRID: Floats = np.exp(np.linspace(math.log(0.05), math.log(50.0), 33))
"""Ratios of the canary's rate over stable's."""

_RATIOS: list[float] = GRID.tolist()

_PRIOR_VARIANCE = 4.0
"""k: the variance around which the sequence is tightest, in failures."""


class RatioSequences:
    """Confidence sequences, one entry for each column.

    Attributes:
        score: S, shape (columns, grid).
        variance: V, shape (columns, grid).
        pending: what was counted since they were last summed up, in the order of `Counts`, shape (columns, 4).
    """

    STATE: ClassVar[tuple[str, ...]] = ("score", "variance", "pending")

    def __init__(self, columns: int) -> None:
        self.score: ShortFloats = np.zeros((columns, GRID.size), dtype=np.float32)
        self.variance: ShortFloats = np.zeros((columns, GRID.size), dtype=np.float32)
        self.pending = np.zeros((columns, 4))

    def add(self, counts: Counts) -> None:
        """Take in one look. Looks at the same share of the traffic may be summed up together."""
        self.pending += counts.values.T

    def settle(self, columns: Indices | slice) -> None:
        """Sum up what was counted so far in some columns."""
        self.score[columns], self.variance[columns] = self._so_far(columns)
        self.pending[columns] = 0.0

    def _so_far(self, columns: Indices | slice) -> tuple[Floats, Floats]:
        """S and V of some columns with all looks in them; where an arm had nothing it says nothing."""
        failed, size, stable_failed, stable_size = self.pending[columns].T
        both = (size > 0) & (stable_size > 0)
        # theta(r) = r rho / (1 + r rho), rho = canary's size over stable's.
        odds = GRID * np.where(both, size / np.maximum(stable_size, 1e-9), 1.0)[:, None]
        theta = odds / (1 + odds)
        # S += x - m theta, V += m theta (1 - theta).
        expected = np.where(both, failed + stable_failed, 0.0)[:, None] * theta
        score = self.score[columns] + (np.where(both, failed, 0.0)[:, None] - expected)
        return score, self.variance[columns] + expected * (1 - theta)

    def bounds(self, columns: Indices, alpha: float, effect: Floats) -> list[tuple[float, float | None]]:
        """Lowest and highest ratio not excluded at level alpha, one pair for each column; None where unbounded above.

        Args:
            columns: which, shape (k,).
            alpha: the level.
            effect: factor by which healthy pods may differ for good, shape (k,).
        """
        score, variance = self._so_far(columns)
        # log of sqrt(k / (V + k)) exp(S^2 / (2 (V + k))), Waudby-Smith et al. 2024, eq. 9.
        total = variance + _PRIOR_VARIANCE
        log_e = 0.5 * (math.log(_PRIOR_VARIANCE) - np.log(total)) + score**2 / (2 * total)
        inside = log_e < -math.log(alpha)
        first = np.argmax(inside, axis=1)
        last = GRID.size - 1 - np.argmax(inside[:, ::-1], axis=1)  # the last of all where none is inside
        return list(map(_ends, first.tolist(), last.tolist(), effect.tolist()))


def _ends(first: int, last: int, effect: float) -> tuple[float, float | None]:
    """The nearest excluded grid points around those inside (all, where none is), widened by the pods' effect."""
    low = 0.0 if first == 0 else _RATIOS[first - 1] / effect
    return low, None if last == len(_RATIOS) - 1 else _RATIOS[last + 1] * effect
