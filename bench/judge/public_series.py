"""How rarely a healthy canary of a real service is taken back, and how soon a bad one: all public series in a folder.

    python bench/judge/public_series.py --data FOLDER           # one process; goes on where it was stopped
    python bench/judge/public_series.py --data FOLDER --fresh   # after a change of judge or data: everything anew

FOLDER has `petshop/` and `cloud-monitoring/`, taken from the repositories that series/README.md names. What a chunk
came to is kept in out/bench/judge-public as it is finished; windows, noise and pods are those of `public_worlds.py`.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent))

import numpy as np

from bench.judge.noise_run import Played, judged, keep
from bench.judge.public_data import calm_pairs, everything, issues
from bench.judge.public_files import DataError
from bench.judge.public_table import Cell, Found, issue_rows, report, row
from bench.judge.public_worlds import FAULTS, IssueWorld, PublicWorld, windows

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bench.judge.public_data import Issue, Recorded
    from bench.judge.public_table import Measured
    from bench.judge.world import World

CHUNK, LEAST = 10, 50
"""Windows of each series in a chunk, and of a dataset's at least; replicates of each issue."""

PARTS = {"a tenth of the requests": 0.1, "all of them": 1.0}
CALM_EVERY = 96
"""Points of the healthy day between pairs that stand beside the issues."""


def cells(recorded: Iterable[Recorded]) -> list[Cell]:
    """The rows: at the recorded load where there is one, and at a raised one."""
    by_dataset: dict[str, list[Recorded]] = defaultdict(list)
    for each in recorded:
        by_dataset[each.dataset].append(each)
    return [
        Cell(dataset, tuple(series), raised)
        for dataset, series in by_dataset.items()
        for raised in (False, True)
        if raised or series[0].rps is not None
    ]


def chunk(path: Path, names: Sequence[str], of_each: int, world: World) -> Found:
    """What was kept of a chunk, if it is of the same series; else it is played, and kept."""
    if path.exists():
        kept = json.loads(path.read_text())
        if kept.pop("series") == list(names) and len(kept["times"]) == len(names) * of_each:
            return Found.of(names, of_each, Played(**kept))
    began = time.monotonic(), time.process_time()
    played = judged(world)
    keep(path, played, series=list(names))
    taken = sum(at is not None for at in played.times)
    took, core = time.monotonic() - began[0], time.process_time() - began[1]
    print(f"{path.stem}: {taken} of {len(played.times)} taken back; {took:.0f} s, {core:.0f} of a core", flush=True)
    return Found.of(names, of_each, played)


def measured(cell: Cell, fault: str, windows_of_each: int, folder: Path) -> Found:
    """All chunks of a cell with a fault."""
    names, of_each = [each.name for each in cell.series], max(CHUNK, -(-LEAST // len(cell.series)))
    found = Found()
    for seed in range(-(-windows_of_each // CHUNK)):
        path = folder / f"{cell.words} {fault}+{seed}.json".replace(",", "").replace(" ", "-")
        world = PublicWorld(cell.series, fault, of_each, seed, cell.load)
        part = chunk(path, names, of_each, world)
        part.why = [world.around(at, when) if np.isfinite(when) else "" for at, when in enumerate(part.times)]
        found.add(part)
    return found


def injected(found: Sequence[Issue], folder: Path) -> list[str]:
    """The rows of petshop's own faults."""
    names, columns = [f"{each.kind}, {each.name}" for each in found], {}
    for words, part in PARTS.items():
        world = IssueWorld(found, part, CHUNK, 0)
        path = folder / f"issues {words}+0.json".replace(" ", "-")
        columns[words] = chunk(path, names, CHUNK, world), [world.told(each) for each in found]
    return issue_rows(found, columns)


def main() -> int:
    """Simulate what is missing, then write the page."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with petshop/ and cloud-monitoring/")
    parser.add_argument("--replicates", type=int, default=20, help=f"healthy windows of a series, in chunks of {CHUNK}")
    parser.add_argument("--faulty", type=int, default=10, help="windows of each series with each fault")
    parser.add_argument("--fresh", action="store_true", help="forget what was finished before")
    parser.add_argument("--keep", type=Path, default=HERE.parent.parent / "out" / "bench" / "judge-public")
    parser.add_argument("--out", type=Path, default=HERE.parent / "results" / "judge-public.md", help="the page")
    options = parser.parse_args()
    try:
        recorded, left = everything(options.data)
        faults = issues(options.data)
        faults += calm_pairs(options.data, sorted({each.name for each in faults}), CALM_EVERY)
    except DataError as wrong:
        print(wrong, file=sys.stderr)
        return 2
    short = {id(each) for each in recorded if not len(windows(each))}
    for each in (each for each in recorded if id(each) in short):
        left.setdefault(f"{each.dataset}, no 90 min without a gap or a label", []).append(each.name)
    options.keep.mkdir(parents=True, exist_ok=True)
    for path in options.keep.glob("*.json") if options.fresh else ():
        path.unlink()
    rows: list[Measured] = []
    for cell in cells(each for each in recorded if id(each) not in short):
        numbers = {fault: options.faulty if changed else options.replicates for fault, changed in FAULTS.items()}
        rows.append((cell, {fault: measured(cell, fault, number, options.keep) for fault, number in numbers.items()}))
        print(row(*rows[-1]), flush=True)
    text = report(rows, list(PARTS), injected(faults, options.keep) if faults else [], left)
    options.out.write_text(text)
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
