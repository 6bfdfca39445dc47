"""How rarely a healthy canary is taken back, how soon a bad one, and what that costs: judges side by side.

    python bench/judge/run.py --replicates 2000            # everything; goes on where it was stopped
    python bench/judge/run.py --replicates 250 --only H1 B1
    python bench/judge/run.py --alone --before bench/results/judge.json --out out/beside    # beside what was

All judges see the same made-up looks (scenarios.yaml). What a chunk of replicates came to is kept in out/bench/judge as
it is finished; the tables are made of all that is there.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent))

import numpy as np

from bench.judge.gauge_runs import GaugeScenario, gauge_scenarios, play_gauge
from bench.judge.limit import limit_seconds
from bench.judge.ours import Ours
from bench.judge.rivals import rivals
from bench.judge.tables import Result, beside, markdown, summary
from bench.judge.world import EDGES, Look, Scenario, World, scenarios
from bench.machine import about_this_machine

CHUNK = 250
SLOW_BUCKET = int(np.searchsorted(EDGES, 0.5)) + 1


def play(scenario: Scenario, replicates: int, seed: int, *, alone: bool = False) -> dict[str, Result]:
    """One chunk: when each judge convicted each replicate, and how many requests had been harmed by then.

    Args:
        scenario: what is the matter.
        replicates: how many.
        seed: of the chunk.
        alone: only our judge.
    """
    ours = Ours(replicates)
    judges = [ours, *([] if alone else rivals(replicates))]
    times = {judge.name: np.full(replicates, np.inf) for judge in judges}
    harmed = {judge.name: np.zeros(replicates) for judge in judges}
    for look in World(scenario, replicates, seed).looks():
        cost = _harmed(look)
        for judge in judges:
            running = np.isinf(times[judge.name])
            harmed[judge.name] += np.where(running, cost, 0.0)
            fired = judge.look(look) & running
            times[judge.name][fired] = look.at
    good = ours.good() & np.isinf(times[ours.name])
    return {
        name: Result(times[name].tolist(), harmed[name].tolist(), good.tolist() if name == ours.name else [])
        for name in times
    }


def _harmed(look: Look) -> np.ndarray:
    """Requests of the canary that failed or took over 0.5 s, above what stable's share would have made of them."""
    if look.history:
        return np.zeros(look.requests.shape[0])
    excess = np.zeros(look.requests.shape[0])
    for bad in (look.failed, look.buckets[:, :, SLOW_BUCKET:].sum(axis=2)):
        share = bad[:, :-1].sum(axis=1) / np.maximum(look.requests[:, :-1].sum(axis=1), 1)
        excess += bad[:, -1] - share * look.requests[:, -1]
    return excess


def kept(folder: Path) -> dict[tuple[str, int], dict[str, Result]]:
    """Chunks that were finished before, by scenario and seed."""
    found = {}
    for path in sorted(folder.glob("*.json")):
        key, _, seed = path.stem.partition("-")
        found[key, int(seed)] = {name: Result(**told) for name, told in json.loads(path.read_text()).items()}
    return found


def everything() -> dict[str, Scenario]:
    """All scenarios, of requests and of gauges."""
    return {**scenarios(), **gauge_scenarios()}


def _chunk(key: str, seed: int, folder: Path, *, alone: bool) -> tuple[str, int]:
    """Play a chunk and keep it; alone, what is kept of other judges on the same looks stays."""
    scenario, path = everything()[key], folder / f"{key}-{seed}.json"
    if isinstance(scenario, GaugeScenario):
        result = play_gauge(scenario, CHUNK, seed)
    else:
        result = play(scenario, CHUNK, seed, alone=alone)
    told = json.loads(path.read_text()) if path.exists() else {}
    part = path.with_suffix(".part")
    part.write_text(json.dumps(told | {name: each.plain() for name, each in result.items()}))
    part.rename(path)
    return key, seed


def _limit(scenario: Scenario) -> float:
    return math.inf if isinstance(scenario, GaugeScenario) else limit_seconds(scenario)


def main() -> int:
    """Simulate what is missing, then write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--replicates", type=int, default=2000, help=f"of each scenario, in chunks of {CHUNK}")
    parser.add_argument("--faulty", type=int, default=1000, help="of each faulty scenario, when that is less")
    parser.add_argument("--only", nargs="+", metavar="KEY", help="scenarios, such as H1 B4")
    parser.add_argument("--alone", action="store_true", help="our judge only, into a folder of its own")
    parser.add_argument("--ours", action="store_true", help="our judge once more; what others made of the looks stays")
    parser.add_argument("--before", type=Path, metavar="FILE", help="judge.json of an earlier run, to stand beside")
    parser.add_argument("--fresh", action="store_true", help="forget what was finished before")
    parser.add_argument("--out", type=Path, default=HERE.parent / "results", help="folder for judge.md and judge.json")
    options = parser.parse_args()
    chosen = {key: found for key, found in everything().items() if not options.only or key in options.only}
    folder = HERE.parent.parent / "out" / "bench" / ("judge-alone" if options.alone else "judge")
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.glob("*.json") if options.fresh else ():
        path.unlink()
    done = set() if options.ours else set(kept(folder))
    fewer = min(options.replicates, options.faulty)
    numbers = {key: fewer if each.bad else options.replicates for key, each in chosen.items()}
    chunks = {key: -(-number // CHUNK) for key, number in numbers.items()}
    most = max(chunks.values(), default=0)
    wanted = [(key, seed) for seed in range(most) for key in chosen if seed < chunks[key] and (key, seed) not in done]
    began = time.monotonic()
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        running = [pool.submit(_chunk, key, seed, folder, alone=options.alone or options.ours) for key, seed in wanted]
        for number, each in enumerate(as_completed(running), start=1):
            key, seed = each.result()
            left = (time.monotonic() - began) / number * (len(wanted) - number)
            print(f"{key} chunk {seed}: done, {len(wanted) - number} left, about {left / 60:.0f} min", flush=True)
    results: dict[str, list[dict[str, Result]]] = {key: [] for key in chosen}
    for (key, seed), result in kept(folder).items():
        if key in chosen and seed < chunks[key]:
            results[key].append(result)
    figures = [summary(chosen[key], found, _limit(chosen[key])) for key, found in results.items() if found]
    if options.before:
        figures = beside(figures, json.loads(options.before.read_text()))
    report = markdown(figures, about_this_machine())
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "judge.md").write_text(report)
    (options.out / "judge.json").write_text(json.dumps(figures, indent=1) + "\n")
    print(report)
    return 0


if __name__ == "__main__":
    sys.exit(main())
