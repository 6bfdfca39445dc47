"""Crashes of healthy pods and of bad ones: how often is a healthy canary taken back for them, how soon goes a bad one?

    python bench/judge/crash_worlds.py --replicates 2000     # some minutes; writes bench/results/judge-crashes.md

The guard against crash loops alone, shown each crash as it comes, beside the rule that was there before it: twice as
many crashes in a step as stable has, and two more. An hour of history, three steps of ten minutes, then the bake.
"""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent))

import numpy as np
from scipy.stats import beta

from bench.machine import page
from rollout.judge.baseline.crash_log import CrashLog
from rollout.judge.evidence.crash_guard import Healthy, crash_loop, healthy_rates
from rollout.judge.model.policy import CRASH_GUARD_SHARE
from rollout.signals.kinds import CRASH_LOOP, SIGNAL_KINDS, SignalKind

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Event = tuple[float, int]
"""Seconds since the release began, and the pod; the canary's pods come first."""

HISTORY, STEPS, HORIZON, ALPHA = 3600.0, (600.0, 1200.0, 1800.0), 1800.0, 0.01
_STORM_SECONDS, _AGAIN_SECONDS = 300.0, 60.0


@dataclass(frozen=True, slots=True)
class Cell:
    """One world.

    Attributes:
        name: what is the matter.
        canary: pods of the canary.
        stable: pods of stable.
        hourly: crashes of a pod in an hour.
        uneven: variance over squared mean of that rate between pods.
        again: chance that a crash is followed by another, a minute later on the mean.
        nodes: that the pods lie on; 0 for none that die.
        deaths: of a node in an hour.
        storm: crashes of each pod of both arms in an hour, for five minutes that begin in the release.
        hours: that the release takes.
        loops: pods of the canary that crash again and again; 0 for a healthy one.
        each: seconds from one crash of them to the next.
        onset: seconds of the release at which they begin.
    """

    name: str
    canary: int = 1
    stable: int = 9
    hourly: float = 0.0
    uneven: float = 0.0
    again: float = 0.0
    nodes: int = 0
    deaths: float = 0.0
    storm: float = 0.0
    hours: float = 0.5
    loops: int = 0
    each: float = 60.0
    onset: float = 30.0


CELLS = {
    "rare": Cell("a pod crashes once in 10 h", hourly=0.1),
    "often": Cell("a pod crashes each hour", hourly=1.0),
    "two": Cell("2 pods, once in 10 h", stable=1, hourly=0.1),
    "two-often": Cell("2 pods, each hour", stable=1, hourly=1.0),
    "many": Cell("300 pods, 30 of the canary's, once in 10 h", canary=30, stable=270, hourly=0.1),
    "half": Cell("300 pods, half of them the canary's, once in 20 h", canary=150, stable=150, hourly=0.05),
    "day": Cell("a bake of a day, once in 20 h", hourly=0.05, hours=24.0),
    "day-many": Cell("a bake of a day, 30 pods and 10 of the canary's", canary=10, stable=30, hourly=0.02, hours=24.0),
    "uneven": Cell("pods that differ: some crash often", canary=3, stable=27, hourly=0.2, uneven=2.0),
    "again": Cell("a third of the crashes come twice", canary=3, stable=27, hourly=0.3, again=0.33),
    "nodes": Cell("nodes of 10 die once in 40 h", canary=10, stable=40, nodes=10, deaths=0.025),
    "nodes-many": Cell("the same of 40, 300 pods", canary=60, stable=240, nodes=40, deaths=0.025),
    "nodes-day": Cell("the same of 10, a bake of 4 h", canary=10, stable=40, nodes=10, deaths=0.01, hours=4.0),
    "storm": Cell("both arms crash, each pod once a minute", hourly=0.05, storm=60.0),
    "storm-many": Cell("the same, 100 pods, 30 of the canary's", canary=30, stable=70, hourly=0.05, storm=60.0),
    "storm-two": Cell("the same, 2 pods", stable=1, hourly=0.05, storm=60.0),
    "loop-15": Cell("one pod crashes each 15 s", loops=1, each=15.0),
    "loop-60": Cell("one pod crashes each minute", hourly=0.1, loops=1, each=60.0),
    "loop-300": Cell("one pod crashes each 5 min", hourly=0.1, loops=1, each=300.0),
    "loop-late": Cell("one pod crashes each minute from minute 25", hourly=0.1, loops=1, onset=1500.0),
    "loop-two": Cell("2 pods, one crashes each minute", stable=1, loops=1),
    "loop-often": Cell("the same where each crashes each hour", hourly=1.0, loops=1),
    "loop-all": Cell("all 10 of the canary's at once, each minute", canary=10, stable=90, loops=10),
    "loop-one-of-many": Cell("one of 30 each minute, 300 pods", canary=30, stable=270, hourly=0.1, loops=1),
    "loop-day": Cell("one of 3 each minute from hour 20", canary=3, hourly=0.02, hours=24, loops=1, onset=72e3),
}


def events(cell: Cell, rng: np.random.Generator) -> list[Event]:
    """Crashes of all pods, ascending; the canary's only while it is there."""
    pods, end = cell.canary + cell.stable, 3600 * cell.hours
    rates = cell.hourly / 3600 * (rng.gamma(1 / cell.uneven, cell.uneven, pods) if cell.uneven else np.ones(pods))
    found = [(at, pod) for pod in range(pods) for at in _poisson(rng, rates[pod], -HISTORY, end)]
    if cell.again:
        found += [(at + rng.exponential(_AGAIN_SECONDS), pod) for at, pod in found if rng.random() < cell.again]
    homes = rng.integers(0, max(cell.nodes, 1), pods)
    for node in range(cell.nodes):
        for at in _poisson(rng, cell.deaths / 3600, -HISTORY, end):
            found += [(at + rng.uniform(0, 5), int(pod)) for pod in np.flatnonzero(homes == node)]
    if cell.storm:
        since = rng.uniform(0, max(STEPS[-1] - _STORM_SECONDS, 1.0))
        found += [
            (at, pod) for pod in range(pods) for at in _poisson(rng, cell.storm / 3600, since, since + _STORM_SECONDS)
        ]
    for pod in range(cell.loops):
        times = cell.onset + cell.each * (np.arange(60) + rng.normal(0, 0.1, 60)).clip(0)
        found += [(at, pod) for at in times.tolist() if at < end]
    return sorted((at, pod) for at, pod in found if pod >= cell.canary or at > 0)


def _poisson(rng: np.random.Generator, rate: float, since: float, until: float) -> list[float]:
    found: list[float] = rng.uniform(since, until, rng.poisson(rate * (until - since))).tolist()
    return found


def now(cell: Cell, crashes: Sequence[Event]) -> float | None:
    """When the guard convicts; None where it never does."""
    log, floor = CrashLog(began=1.0), SIGNAL_KINDS[SignalKind.CRASHES].floor
    seen = 0
    for second, pods in _looks(crashes):
        ours = {f"c{pod}": pods.count(pod) for pod in pods if pod < cell.canary}
        others = {f"s{pod}": pods.count(pod) for pod in pods if pod >= cell.canary}
        seen += sum(others.values())
        log.see(second, ours, others, (cell.canary, cell.stable))
        rates = healthy_rates(floor, np.array([seen, cell.stable * (HISTORY + second)]))
        healthy = Healthy(*rates, ALPHA * CRASH_GUARD_SHARE, HORIZON, int(CRASH_LOOP))
        if crash_loop(log, second, healthy) is not None:
            return second
    return None


def before(cell: Cell, crashes: Sequence[Event]) -> float | None:
    """When the rule that was there before convicts."""
    step, canary, stable = -1, 0, 0
    for second, pods in _looks(crashes):
        reached = sum(second > end for end in STEPS)
        if second > 0 and reached != step:
            step, canary, stable = reached, 0, 0
        canary += sum(pod < cell.canary for pod in pods)
        stable += sum(pod >= cell.canary for pod in pods)
        if second > 0 and canary >= CRASH_LOOP * (1 + stable):
            return second
    return None


def _looks(crashes: Sequence[Event]) -> Iterator[tuple[float, list[int]]]:
    """Crashes by the second in which they are seen."""
    pods: list[int] = []
    second = -np.inf
    for at, pod in crashes:
        if np.ceil(at) > second and pods:
            yield float(second), pods
            pods = []
        second = np.ceil(at)
        pods.append(pod)
    if pods:
        yield float(second), pods


def told(cell: Cell, times: Sequence[float | None]) -> str:
    """Healthy: share that was taken back; bad: share that was missed, and the delay of those that went after that."""
    found = np.array([at for at in times if at is not None]) - (cell.onset if cell.loops else 0)
    hits = len(times) - found.size if cell.loops else found.size
    most = float(beta.ppf(0.95, hits + 1, len(times) - hits)) if hits < len(times) else 1.0
    share = f"{100 * hits / len(times):.1f} % (≤ {100 * most:.1f})"
    late = found[found >= 0]
    return f"{share}; {np.median(late):.0f} s, mean {late.mean():.0f} s" if cell.loops and late.size else share


def rows(replicates: int, keys: Sequence[str] = tuple(CELLS)) -> Iterator[str]:
    """The table's rows."""
    for key in keys:
        cell = CELLS[key]
        worlds = [events(cell, np.random.default_rng([57, number, *key.encode()])) for number in range(replicates)]
        figures = [told(cell, [judge(cell, each) for each in worlds]) for judge in (before, now)]
        yield f"| {key}: {cell.name} | {replicates} | " + " | ".join(figures) + " |"


def main() -> int:
    """Play all cells, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--replicates", type=int, default=2000)
    parser.add_argument("--only", nargs="+", metavar="CELL", choices=list(CELLS), default=list(CELLS))
    parser.add_argument("--out", type=Path, default=HERE.parent / "results" / "judge-crashes.md")
    options = parser.parse_args()
    found = []
    for row in rows(options.replicates, options.only):
        print(row, flush=True)
        found.append(row)
    columns = ("cell", "runs", "before: taken back, or missed and delay", "now")
    options.out.write_text(page("Crashes, healthy and bad", columns, found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
