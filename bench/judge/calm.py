"""How soon a fault of a calm service with a long history is seen, and what the rest of the time goes to.

    python bench/judge/calm.py                 # a minute; writes bench/results/judge-calm.md

Errors alone, as a signal with half of the release's weight: nine pods, an hour of history in looks of 15 s, 0.1 % fail.
Then looks each quarter of a second: at some moment the canary, which has 20 requests a second, begins to fail 5 %. Each
row leaves something out of the model, which no judge may do that is to keep its promise; so it shows what that costs.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
from collections.abc import Callable
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent))

import numpy as np

from bench.machine import page
from rollout.judge.data.batch import Batch
from rollout.judge.evidence.battery import Evidence
from rollout.judge.model.policy import JudgePolicy, SignalPolicy
from rollout.signals.kinds import SIGNAL_KINDS, SignalKind

PODS, BLOCK_SECONDS, HISTORY_BLOCKS, EVERY_SECONDS = 9, 15.0, 240, 0.25
CANARY_RPS, HEALTHY, FAULTY = 20.0, 0.001, 0.05
WEIGHT, ALPHA, PATIENCE_SECONDS = 0.5, 0.01, 60.0

Change = Callable[[Evidence], None]


class Service:
    """Replicates of a calm service and its judge.

    Args:
        share: of the requests that are the canary's.
        replicates: how many.
        change: what is left out of the model.
        floor: of the policy; None for the kind's, which gives way.
    """

    def __init__(self, share: float, replicates: int, change: Change | None = None, floor: float | None = None) -> None:
        policies = (SignalPolicy(f"{at}", SignalKind.ERRORS, floor=floor) for at in range(replicates))
        self.evidence = Evidence(JudgePolicy(signals=tuple(policies)))
        if change is not None:
            change(self.evidence)
        self._rng, self._replicates = np.random.default_rng(0), replicates
        self._rps = CANARY_RPS / share
        for number in range(HISTORY_BLOCKS):
            self.look(BLOCK_SECONDS * (number - HISTORY_BLOCKS + 1), BLOCK_SECONDS, None)

    def look(self, at: float, seconds: float, failing: float | None) -> np.ndarray:
        """One look; failures of the canary, shape (replicates,). None for history."""
        rng, batch = self._rng, Batch.empty(self._replicates)
        batch.looked[:], batch.at[:], batch.seconds[:] = True, at, seconds
        stable = self._rps - (0.0 if failing is None else CANARY_RPS)
        size = rng.poisson(stable * seconds / PODS, (self._replicates, PODS))
        batch.pods[0][:, :PODS], batch.pods[1][:, :PODS] = rng.binomial(size, HEALTHY), size
        batch.counts[:, 2:] = batch.pods.sum(axis=2).T
        if failing is not None:
            batch.counts[:, 1] = rng.poisson(CANARY_RPS * seconds, self._replicates)
            batch.counts[:, 0] = rng.binomial(batch.counts[:, 1].astype(int), failing)
        self.evidence.take_in(batch, np.full(self._replicates, failing is not None))
        return batch.counts[:, 0]

    def delays(self, onset: float) -> tuple[np.ndarray, np.ndarray]:
        """Seconds from the onset to the conviction, and failures until then; shape (replicates,)."""
        for number in range(round(onset)):
            self.look(number + 1.0, 1.0, HEALTHY)
        delay, failed = np.full(self._replicates, np.inf), np.zeros(self._replicates)
        for number in range(1, round(PATIENCE_SECONDS / EVERY_SECONDS) + 1):
            since = number * EVERY_SECONDS
            failed += np.where(np.isinf(delay), self.look(onset + since, EVERY_SECONDS, FAULTY), 0.0)
            bad = np.array(self.evidence.log_e()) + math.log(WEIGHT) >= -math.log(ALPHA)
            delay[bad & np.isinf(delay)] = since
            if np.isfinite(delay).all():
                break
        return delay, failed


def no_bursts(evidence: Evidence) -> None:
    """Think of no bursts."""
    evidence.pod_variation.bursts = lambda columns: tuple(np.zeros((2, columns.size)))  # type: ignore[method-assign]


def one_by_one(evidence: Evidence) -> None:
    """Take failures to come one by one."""
    evidence.pod_variation.tempers = lambda columns: np.ones(columns.size)  # type: ignore[method-assign]


def all_alike(evidence: Evidence) -> None:
    """Take pods to be alike."""
    spreads = evidence.pod_variation.spreads
    evidence.pod_variation.spreads = lambda columns: (np.zeros(columns.size), spreads(columns)[1])  # type: ignore[method-assign]


FLOOR = SIGNAL_KINDS[SignalKind.ERRORS].floor
ROWS: tuple[tuple[str, float, Change | None, float | None], ...] = (
    ("the version fails from its first request on", 0.0, None, None),
    ("from minute 1 on", 60.0, None, None),
    ("from minute 5 on", 300.0, None, None),
    ("the same, held to the floor of the kind, 0.5 %", 300.0, None, FLOOR),
    ("the same, no bursts are thought of", 300.0, no_bursts, None),
    ("the same, failures come one by one", 300.0, one_by_one, None),
    ("the same, pods are alike", 300.0, all_alike, None),
)


def rows(replicates: int) -> list[str]:
    """The table's rows."""
    lines = []
    for what, onset, change, floor in ROWS:
        told = []
        for share in (0.1, 0.2):
            delay, failed = Service(share, replicates, change, floor).delays(onset)
            late = float(np.quantile(delay, 0.9))
            told.append(f"{np.median(delay):.1f} s ({late:.1f}), {np.median(failed):.0f}")
        lines.append(f"| {what} | " + " | ".join(told) + " |")
        print(lines[-1], flush=True)
    return lines


def main() -> int:
    """Simulate and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--replicates", type=int, default=200, help="of each row")
    parser.add_argument("--out", type=Path, default=HERE.parent / "results" / "judge-calm.md", help="the table")
    options = parser.parse_args()
    columns = ("median (slowest tenth from), failures", "a tenth of 200 a second", "a fifth of 100 a second")
    options.out.write_text(page("A fault of a calm service with a long history", columns, rows(options.replicates)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
