"""From one e-process a signal to one decision: the weighted average, its culprits, and when its run-up began.

The average sum w_i E_i is an e-process under any dependence between signals and is never below the best w_i E_i, so it
dominates Bonferroni. Culprits are named by e-BH (Wang & Ramdas 2022), which holds the false discovery rate.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass


def combined(log_e: Sequence[float], weights: Sequence[float]) -> float:
    """Logarithm of sum w_i E_i; weights sum to 1."""
    top = max(log_e)
    return top + math.log(sum(w * math.exp(value - top) for value, w in zip(log_e, weights, strict=True)))


def e_bh(log_e: Sequence[float], alpha: float) -> list[int]:
    """Indices rejected by e-BH at false discovery rate alpha, the strongest first."""
    order = sorted(range(len(log_e)), key=lambda i: -log_e[i])
    rejected = 0
    for k, index in enumerate(order, start=1):
        if log_e[index] >= math.log(len(log_e) / (k * alpha)):
            rejected = k
    return order[:rejected]


@dataclass(slots=True)
class RunUp:
    """When the evidence that convicted began to rise.

    A run begins at a look that raises the evidence, and is over when half of what it gained (in log) is lost again.

    Attributes:
        began_at: time of the look that began the present run; None while there is none.
        low: log evidence before the run.
        high: the highest log evidence in it.
    """

    began_at: float | None = None
    low: float = 0.0
    high: float = 0.0

    def see(self, at: float, log_e: float) -> None:
        """Take in the combined log evidence after the look at time `at`."""
        if self.began_at is not None and log_e < (self.low + self.high) / 2:
            self.began_at, self.low = None, log_e
        if self.began_at is None and log_e > self.low:
            self.began_at, self.high = at, log_e
        elif self.began_at is None:
            self.low = log_e
        self.high = max(self.high, log_e)
