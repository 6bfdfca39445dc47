"""Faults that a simple rule finds where stable is noisy: a z-test of the last minutes, tuned to the judge's own rate.

    python bench/judge/windowed.py                 # one process; writes bench/results/judge-windowed.md

At each look the errors of canary and stable within a window are compared by a two-proportion z-test. Its limit is the
one that a share `TUNED` of the healthy replicates of the same noise exceed at any time: it knows the noise of exactly
this service from a hundred releases, which nobody has beforehand. So it is a rule to be compared with, not one to use.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent))

import numpy as np

from bench.judge.noise_worlds import Cell, NoiseWorld, cells
from bench.judge.ours import Ours
from bench.machine import page

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.judge.world import Floats, Look

WINDOWS = (4, 20, 40)
"""Looks of the windows: 1, 5 and 10 minutes."""

TUNED = 0.01
"""Share of healthy replicates that exceed a window's limit."""

PAIRS = (
    ("burst120", "F-burst120"),
    ("burst120", "F-burst120-25"),
    ("wander300", "F-wander300"),
    ("clump10", "F-clump10"),
    ("two-point", "F-two-point"),
)
"""A healthy cell, and one with its noise and a fault."""


@dataclass(slots=True)
class Windowed:
    """The statistics of the last looks, for each window.

    Attributes:
        replicates: how many.
    """

    replicates: int
    _sums: Floats = field(init=False)
    _looks: deque[Floats] = field(init=False)

    def __post_init__(self) -> None:
        """Begin with nothing."""
        self._sums = np.zeros((len(WINDOWS), 4, self.replicates))
        self._looks = deque(maxlen=max(WINDOWS))

    def look(self, look: Look) -> Floats:
        """Take in a look of the release; z of each window, shape (windows, replicates)."""
        both = np.stack([look.failed, look.requests], axis=1)
        now = np.concatenate([both[:, :, -1], both[:, :, :-1].sum(axis=2)], axis=1).T
        for at, window in enumerate(WINDOWS):
            self._sums[at] += now
            if len(self._looks) >= window:
                self._sums[at] -= self._looks[-window]
        self._looks.append(now)
        failed, size, others, others_size = np.moveaxis(np.maximum(self._sums, 0.0), 1, 0)
        size, others_size = np.maximum(size, 1), np.maximum(others_size, 1)
        pooled = (failed + others) / (size + others_size)
        deviation = np.sqrt(np.maximum(pooled * (1 - pooled) * (1 / size + 1 / others_size), 1e-12))
        return np.asarray((failed / size - others / others_size) / deviation)


def statistics(cell: Cell, replicates: int, *, judged: bool) -> tuple[Floats, Floats, Floats]:
    """One cell, look by look.

    Returns:
        Times of the looks, shape (looks,); z of each window, shape (looks, windows, replicates); and when our judge
        convicted each replicate, infinite where it never did or was not asked, shape (replicates,).
    """
    rule, ours, convicted = Windowed(replicates), Ours(replicates), np.full(replicates, np.inf)
    at, found = [], []
    for look in NoiseWorld(cell, replicates, 0).looks():
        if judged:
            convicted[ours.look(look) & np.isinf(convicted)] = look.at
        if not look.history:
            at.append(look.at)
            found.append(rule.look(look))
    return np.array(at), np.stack(found), convicted


def first_above(at: Floats, statistic: Floats, limit: float) -> Floats:
    """When each replicate's statistic first exceeds the limit, infinite where never; shape (replicates,).

    Args:
        at: times of the looks, shape (looks,).
        statistic: shape (looks, replicates).
        limit: to be exceeded.
    """
    above = statistic > limit
    return np.where(above.any(axis=0), at[above.argmax(axis=0)], np.inf)


def told(times: Floats, horizon: float) -> str:
    """How many were missed, and how long it took at the median and on the mean."""
    late = np.minimum(times, horizon)
    return f"{np.isinf(times).mean():.0%}; {np.median(late):.0f} s, mean {late.mean():.0f} s"


def rows(replicates: int, pairs: Sequence[tuple[str, str]] = PAIRS) -> list[str]:
    """The table's rows."""
    all_cells, limits, lines = cells(), {}, []
    for healthy, bad in pairs:
        if healthy not in limits:
            _, found, _ = statistics(all_cells[healthy], replicates, judged=False)
            limits[healthy] = np.quantile(found.max(axis=0), 1 - TUNED, axis=1)
        cell = all_cells[bad]
        at, found, convicted = statistics(cell, replicates, judged=True)
        horizon = 60 * float(cell.said["minutes"])
        each = [told(first_above(at, found[:, which], limit), horizon) for which, limit in enumerate(limits[healthy])]
        lines.append(f"| {bad}: {cell.name} | {told(convicted, horizon)} | " + " | ".join(each) + " |")
        print(lines[-1], flush=True)
    return lines


def main() -> int:
    """Simulate and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--replicates", type=int, default=100, help="of each cell")
    parser.add_argument("--out", type=Path, default=HERE.parent / "results" / "judge-windowed.md", help="the table")
    options = parser.parse_args()
    windows = [f"z-test, {15 * window // 60} min" for window in WINDOWS]
    columns = ["missed; median and mean delay", "judge", *windows]
    options.out.write_text(page("Faults that a tuned z-test finds amid noise", columns, rows(options.replicates)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
