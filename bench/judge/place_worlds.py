"""How a canary fares where places (zones, nodes that pods share) are slow, with the judge told of places and not told.

    python bench/judge/place_worlds.py --replicates 200       # one process; goes on where it was stopped
    python bench/judge/place_worlds.py --only zone50-in F-zone50-in

A place that is slow multiplies the error rate and the median latency of all its pods. Both judges see the same numbers
of the first chunk, in the same run; the others are for the one that is told. What a chunk of replicates came to is kept
in out/bench/judge-placement as it is finished.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent))

import numpy as np

from bench.judge.noise_run import share_of
from bench.judge.ours import Ours
from bench.judge.world import EDGES, GROWN, Look, lognormal
from bench.machine import page

if TYPE_CHECKING:
    from collections.abc import Iterator

EVERY_SECONDS, HISTORY_LOOKS, LOOKS = 15.0, 120, 80
MEDIAN_SECONDS, SIGMA = 0.08, 0.6
CHUNK = 100
BLIND_CHUNKS = 1
"""So many are shown to the judge that is not told of places, too: it blames a slow place, which few replicates tell."""

THREE, FIVE = (0, 1, 2) * 3, (0, 1, 2, 3, 4) * 2
"""Places of stable's pods: nine in three zones, ten on five nodes."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One world.

    Attributes:
        name: what is the matter.
        stable: place of each of stable's pods.
        canary: places of the canary's pods.
        slow: places that are slow; None for one that each replicate draws.
        errors: what slow places do to the error rate.
        latency: and to the median latency.
        since: second of the release at which that begins; before the history by default.
        until: second at which it ends; never by default.
        ramp: seconds within which it comes about.
        spread: standard deviation of pods' log error rates, and of their log medians, beside that.
        burst: chance that a pod is hit for two minutes: ten times the errors, half as slow again.
        rps: of the service.
        rate: error rate of a healthy pod.
        fault: factors of the canary's errors and of its latency.
    """

    name: str
    stable: tuple[int, ...] = THREE
    canary: tuple[int, ...] = (0,)
    slow: tuple[int, ...] | None = (0,)
    errors: float = 1.0
    latency: float = 1.0
    since: float = -1e9
    until: float = 1e9
    ramp: float = 1.0
    spread: tuple[float, float] = (0.1, 0.02)
    burst: float = 0.0
    rps: float = 200.0
    rate: float = 0.002
    fault: tuple[float, float] = (1.0, 1.0)


def _slow(percent: int, where: tuple[int, ...], name: str, since: float = -1e9, *, rps: float = 200.0) -> Cell:
    said = f"a zone of three is slow by {percent} %, with {1 + percent / 50:g} times the errors: the canary {name}"
    return Cell(said, canary=where, errors=1 + percent / 50, latency=1 + percent / 100, since=since, rps=rps)


HEALTHY = {
    "alike": Cell("three zones that are alike", errors=1.0),
    "alike-burst": Cell("three zones that are alike, neighbours of 2 min", spread=(0.2, 0.03), burst=0.08),
    "zone20-in": _slow(20, (0,), "is in it"),
    "zone20-out": _slow(20, (1,), "is not"),
    "zone20-two": _slow(20, (0, 1), "is in that and in another"),
    "zone50-in": _slow(50, (0,), "is in it"),
    "zone50-out": _slow(50, (1,), "is not"),
    "zone50-two": _slow(50, (0, 1), "is in that and in another"),
    "zone50-2k": _slow(50, (0,), "is in it, 2,000 rps", rps=2000),
    "nodes": Cell("a fifth of the nodes is slow by 30 %", stable=FIVE, slow=None, errors=1.5, latency=1.3),
    "late-node": Cell(
        "a node of five becomes slow by 50 %, with 2 times the errors: the canary is on it, from minute 5 on",
        stable=FIVE,
        errors=2.0,
        latency=1.5,
        since=300.0,
    ),
    "late20": _slow(20, (0,), "is in it, from minute 5 on", 300.0),
    "late50": _slow(50, (0,), "is in it, from minute 5 on", 300.0),
    "late100": _slow(100, (0,), "is in it, from minute 5 on", 300.0),
    "late50-two": _slow(50, (0, 1), "is in that and in another, from minute 5 on", 300.0),
    "late50-out": _slow(50, (1,), "is not", 300.0),
    "late50-few": Cell(
        "a zone of three, each with one pod of stable, is slow by 50 %, with 2 times the errors: the canary is in it, "
        "from minute 5 on",
        stable=(0, 1, 2),
        errors=2.0,
        latency=1.5,
        since=300.0,
    ),
    "brief50": Cell(
        "a zone of three is slow by 50 %, with 2 times the errors, for 2 min: the canary is in it",
        errors=2.0,
        latency=1.5,
        since=300.0,
        until=420.0,
    ),
    "ramp50": Cell(
        "a zone of three becomes slow by 50 %, with 2 times the errors, within 10 min: the canary is in it",
        errors=2.0,
        latency=1.5,
        since=300.0,
        ramp=600.0,
    ),
    "late20-20k": _slow(20, (0,), "is in it, from minute 5 on, 20,000 rps", 300.0, rps=20_000),
    "late-errors": Cell(
        "a zone of three fails 5 times as often, from minute 5 on: the canary is in it", errors=5.0, since=300.0
    ),
    "outage": Cell(
        "30 % fail in a zone of three for 2 min: the canary is in it", errors=150.0, since=300.0, until=420.0
    ),
    "outage-out": Cell(
        "30 % fail in a zone of three for 2 min: the canary is not in it",
        canary=(1,),
        errors=150.0,
        since=300.0,
        until=420.0,
    ),
    "late50-2k": _slow(50, (0,), "is in it, from minute 5 on, 2,000 rps", 300.0, rps=2000),
    "strange": Cell("the canary in a slow zone without stable", canary=(3,), slow=(0, 3), errors=1.5, latency=1.3),
}
"""Worlds in which the canary is healthy."""


def _bad(key: str, errors: float, latency: float) -> Cell:
    cell = HEALTHY[key]
    what = f"errors x {errors:g}" if errors > 1 else f"latency x {latency:g}"
    said = {name: getattr(cell, name) for name in Cell.__slots__} | {"fault": (errors, latency)}
    return Cell(**said | {"name": f"{cell.name}; {what}"})


FAULTY = (
    *("alike", "zone20-in", "zone50-in", "zone50-out", "zone50-two"),
    *("nodes", "late50", "late50-out", "outage", "strange"),
)
"""Worlds that are played with a bad canary as well."""

CELLS = HEALTHY | {
    f"F-{key}-{'errors' if errors > 1 else 'slow'}": _bad(key, errors, latency)
    for key in FAULTY
    for errors, latency in ((5.0, 1.0), (1.0, 1.5))
}
"""All worlds by key; in those that begin with F the canary is bad from its first request on."""


class PlaceWorld:
    """Replicates of a cell, made one look at a time; numbers are the same for the same seed and cell."""

    def __init__(self, key: str, replicates: int, seed: int) -> None:
        self.cell, self._rng = CELLS[key], np.random.default_rng([seed, *key.encode(), 58])
        self.where = np.array([*self.cell.stable, *self.cell.canary])
        shape = replicates, self.where.size
        drawn = self._rng.integers(0, 1 + self.where.max(), (replicates, 1))
        slow = self.where == drawn if self.cell.slow is None else np.isin(self.where, self.cell.slow)
        self._slow = np.broadcast_to(slow, shape)
        self._lasting = np.array(self.cell.spread)[:, None, None] * self._rng.standard_normal((2, *shape))
        self._hit = self._rng.random(shape) < self.cell.burst

    def looks(self) -> Iterator[Look]:
        """History, then the release."""
        for number in range(1 - HISTORY_LOOKS, LOOKS + 1):
            yield self._look(number * EVERY_SECONDS)

    def _look(self, at: float) -> Look:
        cell, rng, stable = self.cell, self._rng, len(self.cell.stable)
        replicates, pods = self._slow.shape
        if cell.burst:
            ends = EVERY_SECONDS / 120
            drawn = rng.random(self._hit.shape)
            self._hit = np.where(self._hit, drawn >= ends, drawn < ends * cell.burst / (1 - cell.burst))
        much = np.clip((at - cell.since) / cell.ramp, 0.0, 1.0) if at <= cell.until else 0.0
        factors = np.array([cell.errors, cell.latency])[:, None, None] ** much
        errors, latency = np.exp(self._lasting) * np.where(self._slow, factors, 1.0)
        errors, latency = errors * np.where(self._hit, 10.0, 1.0), latency * np.where(self._hit, 1.5, 1.0)
        if at > 0:
            errors[:, stable:] *= cell.fault[0]
            latency[:, stable:] *= cell.fault[1]
        here = stable if at <= 0 else pods
        load = np.where(np.arange(pods) < here, cell.rps * EVERY_SECONDS / here, 0.0)
        requests = rng.poisson(load, (replicates, pods))
        failed = rng.binomial(requests, np.clip(cell.rate * errors, 0.0, 1.0))
        shares = lognormal(MEDIAN_SECONDS * latency, SIGMA, EDGES)
        buckets = rng.multinomial(requests, np.maximum(shares, 0.0) / shares.sum(axis=-1, keepdims=True))
        # The last pod of a look is all of the canary's.
        ours = [
            np.concatenate([each[:, :stable], each[:, stable:].sum(axis=1, keepdims=True)], axis=1).astype(float)
            for each in (requests, failed, buckets, np.zeros_like(requests))
        ]
        seconds, ages = np.full(replicates, EVERY_SECONDS), np.full(stable + 1, GROWN)
        return Look(at, seconds, *ours, ages, np.ones(replicates, dtype=np.bool_))


def play(key: str, replicates: int, seed: int) -> dict[str, list[float | None]]:
    """Show one chunk of replicates to a judge that is told of places, and the first ones to one that is not.

    Returns:
        By judge: when each replicate was convicted, None where it never was.
    """
    world = PlaceWorld(key, replicates, seed)
    where = np.array(world.cell.stable), np.array(world.cell.canary)
    judges = {"now": Ours(replicates, where=where)}
    if seed < BLIND_CHUNKS:
        judges["before"] = Ours(replicates)
    times = {name: np.full(replicates, np.inf) for name in judges}
    for look in world.looks():
        for name, judge in judges.items():
            fired = judge.look(look)
            times[name][fired & np.isinf(times[name])] = look.at
    return {name: [None if np.isinf(at) else float(at) for at in each] for name, each in times.items()}


def _figure(bad: bool, times: list[float | None]) -> str:  # noqa: FBT001 - which figure is wanted
    seconds = np.array([np.inf if at is None else at for at in times])
    convicted = np.isfinite(seconds)
    if not times:
        return ""
    if not bad:
        return f"{share_of(convicted)} ({seconds.size})"
    delay = np.minimum(seconds, LOOKS * EVERY_SECONDS)
    return f"missed {share_of(~convicted)}; {np.median(delay):.0f} s, mean {delay.mean():.0f} s ({seconds.size})"


def kept(folder: Path) -> dict[str, dict[str, list[float | None]]]:
    """What was finished: by cell and judge, when each replicate was convicted."""
    found: dict[str, dict[str, list[float | None]]] = {}
    for path in sorted(folder.glob("*.json")):
        cell = found.setdefault(path.stem.rpartition("+")[0], {})
        for name, times in json.loads(path.read_text()).items():
            cell.setdefault(name, []).extend(times)
    return found


def main() -> int:
    """Simulate what is missing, then write the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--replicates", type=int, default=200, help=f"of each cell, in chunks of {CHUNK}")
    parser.add_argument("--only", nargs="+", metavar="KEY", help="cells, such as zone50-in")
    parser.add_argument("--keep", type=Path, default=HERE.parent.parent / "out" / "bench" / "judge-placement")
    parser.add_argument("--out", type=Path, default=HERE.parent / "results" / "judge-placement.md", help="the table")
    options = parser.parse_args()
    options.keep.mkdir(parents=True, exist_ok=True)
    for seed in range(-(-options.replicates // CHUNK)):
        for key in options.only or CELLS:
            path = options.keep / f"{key}+{seed}.json"
            if path.exists():
                continue
            began = time.monotonic()
            played = play(key, min(CHUNK, options.replicates), seed)
            part = path.with_suffix(".part")
            part.write_text(json.dumps(played))
            part.rename(path)
            told = "; ".join(f"{name}: {_figure(key not in HEALTHY, times)}" for name, times in played.items())
            print(key, told, f"{time.monotonic() - began:.0f} s", flush=True)
    found = kept(options.keep)
    rows = [
        f"| {key}: {cell.name} | "
        + " | ".join(_figure(key not in HEALTHY, found[key][name]) for name in ("before", "now"))
        + " |"
        for key, cell in CELLS.items()
        if key in found
    ]
    title = "The judge where places differ: not told of them, and told"
    options.out.write_text(page(title, ["cell", "places not known", "places known"], rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
