"""How often the blast budget alone takes a canary back, in the noisy services of noise.yaml, and how soon a bad one.

    python bench/judge/budget_run.py        # a minute or two; writes bench/results/judge-budget.md

Beside it the rule that was there before: 30 % between pods, three standard deviations.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent))

import numpy as np

from bench.judge.noise_worlds import Cell, NoiseWorld, cells
from bench.judge.ours import _Signal
from bench.machine import page
from rollout.judge.evidence.blast_budget import sure_excess
from rollout.judge.model.policy import FAILURE_GUARD_SHARE
from rollout.signals.kinds import SignalKind

BUDGETS = {
    "burst120": 30,
    "burst120-2k": 100,
    "burst300": 30,
    "wander300-2k": 100,
    "rps20k": 100,
    "rps2k-heavy": 100,
    "clump20": 100,
    "cron2k": 100,
    "F-20k": 100,
    "F-burst120-25": 30,
    "F-clump10": 100,
}
"""Budgets by cell."""

ALPHA = 0.01 * FAILURE_GUARD_SHARE
_SIGMAS, _SPREAD = 3.0, 0.3


def row(cell: Cell, budget: int, replicates: int, seed: int) -> str:
    """The table's row: of the rule before and of today's, the share that was taken back, and when."""
    errors, times = _Signal(SignalKind.ERRORS, replicates), np.full((2, replicates), np.inf)
    for look in NoiseWorld(cell, replicates, seed).looks():
        errors.take_in(look)
        if look.history:
            continue
        sums = errors.evidence.sums
        before = sums.excess - _SIGMAS * np.sqrt(sums.expected + (_SPREAD * sums.expected) ** 2) > budget
        now = np.zeros(replicates, dtype=bool)
        for at in np.flatnonzero((sums.excess > budget) & np.isinf(times[1])):
            now[at] = sure_excess(errors.evidence, int(at), ALPHA) > budget
        for its, spent in zip(times, (before, now), strict=True):
            its[spent & np.isinf(its)] = look.at
    figures = [f"{np.isfinite(its).mean():.0%}{_when(its)}" for its in times]
    return f"| {cell.key}: {cell.name} | {cell.role} | {budget} | {replicates} | " + " | ".join(figures) + " |"


def _when(times: np.ndarray) -> str:
    found = times[np.isfinite(times)]
    return f", {np.median(found):.0f} s" if found.size else ""


def main() -> int:
    """Play the cells, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--replicates", type=int, default=100)
    parser.add_argument("--seed", type=int, default=57)
    parser.add_argument("--out", type=Path, default=HERE.parent / "results" / "judge-budget.md", help="the table")
    options = parser.parse_args()
    found = []
    for key, budget in BUDGETS.items():
        found.append(row(cells()[key], budget, options.replicates, options.seed))
        print(found[-1], flush=True)
    columns = ("cell", "role", "budget", "runs", "before: taken back, median", "now")
    options.out.write_text(page("The blast budget alone", columns, found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
