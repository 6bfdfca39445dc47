"""How rarely a healthy canary is taken back where services are big or noisy on any scale of time, and what that costs.

    python bench/judge/noise_run.py --replicates 1000         # one process; goes on where it was stopped
    python bench/judge/noise_run.py --quick                   # 100 replicates of each cell
    python bench/judge/noise_run.py --only burst120 F-burst120
    python bench/judge/noise_run.py --same                    # after a change that changes no number here

The cells are in noise.yaml. What a chunk of replicates came to is kept in out/bench/judge-noise as it is finished,
by the label of the judge that was measured; the table has a column for each label. Chunks labelled "now" are written
to results/judge-noise.json as well, and taken from there where they are of the very judge that is measured. After a
change of what these services do not have (places, say) one chunk of each cell is run again; where all come to what they
came to before, to the last replicate, the file is of the judge as it is.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections import defaultdict
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent))

import numpy as np
from scipy.stats import beta

from bench.judge.noise_results import load, save
from bench.judge.noise_worlds import Cell, NoiseWorld, cells, worlds
from bench.judge.ours import KINDS, Ours
from bench.machine import page

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from bench.judge.world import World

CHUNK = 100
NOW = "now"


@dataclass(slots=True)
class Played:
    """One chunk: when each replicate was convicted, None where it never was, and whether it was good at the end.

    Attributes:
        times: seconds of the release.
        good: whether it was good, and never convicted.
        by: the signal with most evidence at that time, empty where there was no conviction.
    """

    times: list[float | None]
    good: list[bool]
    by: list[str] = field(default_factory=list)


def play(cell: Cell, replicates: int, seed: int) -> Played:
    """Show the judge one chunk of replicates."""
    parts = [judged(world) for world in worlds(cell, replicates, seed)]
    return Played(*([at for each in parts for at in getattr(each, name)] for name in ("times", "good", "by")))


def judged(world: NoiseWorld | World) -> Played:
    """What the judge says of each replicate of a world."""
    ours, times = Ours(world.replicates), np.full(world.replicates, np.inf)
    good, by = np.zeros(world.replicates, dtype=bool), np.full(world.replicates, "", dtype=object)
    for look in world.looks():
        fired = ours.look(look) & np.isinf(times)
        times[fired] = look.at
        by[fired] = [str(KINDS[at]) for at in ours.heaviest[fired]]
        good |= ours.good() & np.isinf(times) & (not look.history)
    return Played([None if np.isinf(at) else float(at) for at in times], good.tolist(), by.tolist())


def keep(path: Path, played: Played, **more: object) -> None:
    """Write a chunk, all of it or nothing."""
    part = path.with_suffix(".part")
    part.write_text(json.dumps(asdict(played) | more))
    part.rename(path)


def row(cell: Cell, told: Mapping[str, Sequence[Played]], labels: Sequence[str]) -> str:
    """The table's row: each label's figures."""
    return f"| {cell.key}: {cell.name} | " + " | ".join(_figure(cell, told.get(label, ())) for label in labels) + " |"


def _figure(cell: Cell, chunks: Sequence[Played]) -> str:
    times = np.array([np.inf if at is None else at for each in chunks for at in each.times])
    good = np.array([at for each in chunks for at in each.good], dtype=bool)
    if not times.size:
        return ""
    convicted = np.isfinite(times)
    if cell.role == "healthy":
        return f"{share_of(convicted)}; good {good.mean():.0%} ({times.size})"
    if cell.role == "twice":
        return f"good {share_of(good)}; taken back {convicted.mean():.0%} ({times.size})"
    horizon = 60 * float(cell.said["minutes"])
    delay = np.minimum(times, horizon) - cell.onset_seconds
    return f"missed {share_of(~convicted)}; {np.median(delay):.0f} s, mean {delay.mean():.0f} s ({times.size})"


def share_of(hits: np.ndarray) -> str:
    """Return a share with its upper 95 % bound (Clopper and Pearson)."""
    found, size = int(hits.sum()), hits.size
    most = float(beta.ppf(0.95, found + 1, size - found)) if found < size else 1.0
    return f"{100 * found / size:.1f} % (≤ {100 * most:.1f})"


def kept(folder: Path) -> dict[str, dict[str, list[Played]]]:
    """Chunks that were finished, by cell and label."""
    found: dict[str, dict[str, list[Played]]] = defaultdict(lambda: defaultdict(list))
    for path in sorted(folder.glob("*/*.json")):
        found[path.stem.rpartition("+")[0]][path.parent.name].append(Played(**json.loads(path.read_text())))
    return found


def renewed(text: str, rows: Mapping[str, str]) -> str:
    """Return a page with new figures in the last column of its first table; what is beside and below stays."""
    lines = text.split("\n")
    end = lines.index("", next(at for at, line in enumerate(lines) if line.startswith("| ")))
    for at, line in enumerate(lines[:end]):
        if new := rows.get(line.strip("| ").partition(" | ")[0]):
            figures, _, _ = line.rstrip("| ").rpartition(" | ")
            lines[at] = f"{figures} | {new.rstrip('| ').rpartition(' | ')[2]} |"
    return "\n".join(lines)


def confirmed(file: Path, every: Iterable[Cell]) -> bool:
    """Whether the first chunk of each cell that was measured comes to the same; if so the file is of this judge."""
    with TemporaryDirectory() as name:
        folder, found = Path(name), []
        if not load(file, folder, whoever=True):
            print(f"{file}: nothing was measured that could be the same", file=sys.stderr)
            return False
        for cell in every:
            path = folder / f"{cell.key}+0.json"
            if not path.exists():
                continue
            before, now = json.loads(path.read_text()), asdict(play(cell, CHUNK, 0))
            if any(before[each] != now[each] for each in ("times", "good")):
                found.append(cell.key)
            print(cell.key, "another" if cell.key in found else "the same", flush=True)
        if found:
            print(f"another judge, so all has to be run: {', '.join(found)}", file=sys.stderr)
        else:
            save(file, folder)
        return not found


def main() -> int:
    """Simulate what is missing, then write the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--replicates", type=int, default=1000, help=f"of each cell, in chunks of {CHUNK}")
    parser.add_argument("--quick", action="store_true", help="one chunk of each cell")
    parser.add_argument("--same", action="store_true", help="one chunk of each cell again: no number may be another")
    parser.add_argument("--only", nargs="+", metavar="KEY", help="cells, such as burst120")
    parser.add_argument("--label", default=NOW, help="of the judge that is measured")
    parser.add_argument("--keep", type=Path, default=HERE.parent.parent / "out" / "bench" / "judge-noise")
    parser.add_argument("--out", type=Path, default=HERE.parent / "results" / "judge-noise.md", help="the table")
    options = parser.parse_args()
    if options.same:
        return 0 if confirmed(options.out.with_suffix(".json"), cells().values()) else 1
    folder = options.keep / options.label
    folder.mkdir(parents=True, exist_ok=True)
    if options.label == NOW:
        load(options.out.with_suffix(".json"), folder)
    chosen = [each for key, each in cells().items() if not options.only or key in options.only]
    for seed in range(1 if options.quick else -(-options.replicates // CHUNK)):
        for cell in chosen:
            path = folder / f"{cell.key}+{seed}.json"
            if path.exists():
                continue
            began = time.monotonic()
            played = play(cell, CHUNK, seed)
            keep(path, played)
            print(row(cell, {NOW: [played]}, [NOW]), f"{time.monotonic() - began:.0f} s", flush=True)
    found = kept(options.keep)
    labels = sorted({label for each in found.values() for label in each})
    rows = {f"{key}: {cell.name}": row(cell, found[key], labels) for key, cell in cells().items() if key in found}
    if options.label == NOW:
        save(options.out.with_suffix(".json"), folder)
    if labels == [NOW] and options.out.exists():
        options.out.write_text(renewed(options.out.read_text(), rows))
    else:
        title = "The judge where services are big or noisy"
        options.out.write_text(page(title, ["cell", *labels], list(rows.values())))
    return 0


if __name__ == "__main__":
    sys.exit(main())
