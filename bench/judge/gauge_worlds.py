"""Gauges of many kinds, healthy and bad: how rarely is a healthy canary taken back for one, how soon a bad one?

    python bench/judge/gauge_worlds.py --replicates 300     # goes on where it was stopped

Writes bench/results/judge-gauges.md. Each cell is a world of its own: constants, values that a scraper rounds, steady
ones, saw-teeth, caches that fill, values that follow the arm's share of the traffic. Nine pods of stable and one of the
canary, an hour of history, half an hour of release, looks each 15 s, unless the cell says otherwise.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent))

import numpy as np
from scipy.stats import beta

from bench.machine import about_this_machine
from rollout.judge import Judge, JudgePolicy, SignalKind, SignalPolicy
from rollout.signals.looks import Arm, PodLook, SignalLook, SourceStatus

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.judge.world import Floats

EVERY = 15.0
STEPS = ((0.0, 0.05), (7.5, 0.1), (15.0, 0.25), (22.5, 0.5))
"""Minutes and the canary's share from then on, where a cell has steps."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One world.

    Attributes:
        name: what is the matter.
        world: makes the values, given minutes since the release began, shape (looks,), and pods, the canary's last;
            shape (looks, pods).
        bad: the canary is to be taken back.
        pods: of stable.
        history: minutes.
        steps: the canary's share goes up in steps that the judge is told.
    """

    name: str
    world: Callable[[Floats, int, np.random.Generator], Floats]
    bad: bool = False
    pods: int = 9
    history: float = 60.0
    steps: bool = False


def wandering(looks: int, pods: int, rng: np.random.Generator, deviation: float, keep: float = 0.95) -> Floats:
    """AR(1) with Student innovations around 0, shape (looks, pods)."""
    steps = rng.standard_t(5, (looks, pods)) / np.sqrt(5 / 3) * deviation * np.sqrt(1 - keep**2)
    found = np.empty((looks, pods))
    found[0] = rng.normal(0, deviation, pods)
    for look in range(1, looks):
        found[look] = keep * found[look - 1] + steps[look]
    return found


def memory(
    t: Floats, pods: int, rng: np.random.Generator, noise: float = 0.001, *, spread: float = 0.02, keep: float = 0.95
) -> Floats:
    """Bytes around 500 MB."""
    return 5e8 * np.exp(rng.normal(0, spread, pods) + wandering(t.size, pods, rng, noise, keep))


def grows(values: Floats, t: Floats, part: float, onset: float = 0.0) -> Floats:
    """The canary's value grows by a part of 500 MB each minute."""
    values[:, -1] += 5e8 * part * np.maximum(t - onset, 0.0)
    return values


def grown(t: Floats, pods: int, part: float) -> Floats:
    """1 for stable's pods; for the canary's a part more each minute."""
    found = np.ones((t.size, pods))
    found[:, -1] += part * np.maximum(t, 0.0)
    return found


def higher(values: Floats, t: Floats, factor: float, onset: float = 0.0) -> Floats:
    """The canary's value is higher by a factor."""
    values[t >= onset, -1] *= factor
    return values


def constant(t: Floats, pods: int, value: float) -> Floats:
    """The same number for ever."""
    return np.full((t.size, pods), value)


def sawtooth(
    t: Floats, pods: int, rng: np.random.Generator, period: float, height: float, noise: float = 0.002
) -> Floats:
    """Garbage that is collected when there is enough of it; the canary begins without any."""
    each = period * np.exp(rng.normal(0, 0.1, pods))
    phase = rng.random(pods) * each
    phase[-1] = 0.0
    return memory(t, pods, rng, noise) * (1 + height * ((np.asarray(t)[:, None] + phase) % each) / each)


def fills(values: Floats, t: Floats, start: float, minutes: float) -> Floats:
    """The canary's cache fills up from a part of its level."""
    values[:, -1] *= 1 - (1 - start) * np.exp(-np.maximum(t, 0.0) / minutes)
    return values


def ramps(values: Floats, t: Floats, start: float, minutes: float) -> Floats:
    """The same in a straight line."""
    values[:, -1] *= start + (1 - start) * np.clip(t / minutes, 0.0, 1.0)
    return values


def jobs(t: Floats, pods: int, rng: np.random.Generator, mean: float, keep: float = 0.9) -> Floats:
    """Whole numbers of things that come and go, such as connections."""
    found = np.empty((t.size, pods))
    found[0] = rng.poisson(mean, pods)
    for look in range(1, t.size):
        found[look] = rng.binomial(found[look - 1].astype(int), keep) + rng.poisson(mean * (1 - keep), pods)
    return found


def loads(t: Floats, pods: int) -> Floats:
    """Requests of each pod, as a part of what it had before the release; shape (looks, pods)."""
    share = np.zeros(t.size)
    for since, now in STEPS:
        share[t >= since] = now
    found = np.empty((t.size, pods))
    found[:, :-1] = (1 - share)[:, None]
    found[:, -1] = share * (pods - 1)
    return found


def cpu(t: Floats, pods: int, rng: np.random.Generator, idle: float = 0.0) -> Floats:
    """Cores: in proportion to requests, but for what is used without any."""
    used = 0.4 * (idle + (1 - idle) * loads(t, pods))
    return used * np.exp(rng.normal(0, 0.03, pods) + wandering(t.size, pods, rng, 0.05, 0.5))


def swinging(t: Floats, pods: int, rng: np.random.Generator) -> Floats:
    """Cores with the time of day: all pods alike, but not in the same proportion."""
    weight = np.exp(rng.normal(0, 0.05, pods))
    return (0.2 + 0.15 * np.sin(t / 25.0)[:, None] * weight) * np.exp(wandering(t.size, pods, rng, 0.05, 0.5))


def restarts(t: Floats, pods: int, rng: np.random.Generator) -> Floats:
    """Two pods of stable start anew in the release, and fill up again."""
    values = memory(t, pods, rng)
    for pod in range(2):
        since = t - rng.uniform(2, 20)
        values[:, pod] *= np.where(since > 0, 1 - 0.5 * np.exp(-since / 6.0), 1.0)
    return values


def real(t: Floats, pods: int, rng: np.random.Generator, name: str) -> Floats:
    """The course of a real series, shared by all pods, and for each pod its noise from elsewhere."""
    told = np.genfromtxt(HERE / "series" / f"{name}.csv", delimiter=",", names=True)["median_seconds"]
    course = np.log(np.maximum(told[np.isfinite(told)], 1e-6))
    course = np.tile(course, 2 + t.size // course.size)
    smooth = np.convolve(course, np.ones(13) / 13, mode="same")
    size = course.size - t.size
    shared, *own = (int(each) for each in rng.integers(0, size, pods + 1))
    noise = np.stack([(course - smooth)[at : at + t.size] for at in own], axis=1)
    return np.exp(smooth[shared : shared + t.size, None] + noise + rng.normal(0, 0.05, pods))


def seldom(values: Floats, looks: int) -> Floats:
    """Scraped each so many looks, and the same in between."""
    return values[np.arange(values.shape[0]) // looks * looks]


def tens(values: Floats, grain: float) -> Floats:
    """Rounded."""
    return np.round(values / grain) * grain


def leaks(values: Floats, t: Floats, each: float) -> Floats:
    """The canary has so many whole ones more after each minute."""
    values[:, -1] += np.floor(each * np.maximum(t, 0.0))
    return values


def saturated(t: Floats, pods: int, rng: np.random.Generator) -> Floats:
    """Cores up to a limit of one; the canary wants twice as many as there are."""
    values = 0.45 * np.exp(wandering(t.size, pods, rng, 0.1, 0.5))
    values[t >= 0, -1] *= 4.0
    return np.minimum(values, 1.0)


CELLS = {
    "constant": Cell("16 for ever", lambda t, n, _: constant(t, n, 16.0)),
    "constant-few": Cell(
        "0.25 for ever, 4 pods, 20 min of history", lambda t, n, _: constant(t, n, 0.25), pods=4, history=20
    ),
    "constant-other": Cell("16 for ever, the canary's is 20", lambda t, n, _: higher(constant(t, n, 16.0), t, 1.25)),
    "constant-later": Cell(
        "16 for ever, the canary's 18 from minute 10", lambda t, n, _: higher(constant(t, n, 16.0), t, 1.125, 10)
    ),
    "rounded": Cell("memory in steps of 10 MB", lambda t, n, r: tens(memory(t, n, r, 0.005), 1e7)),
    "rounded-coarse": Cell("memory in steps of 100 MB", lambda t, n, r: tens(memory(t, n, r, 0.02), 1e8)),
    "tenths": Cell("cores in tenths", lambda t, n, r: tens(0.3 * np.exp(wandering(t.size, n, r, 0.2, 0.7)), 0.1)),
    "connections": Cell("some three connections", lambda t, n, r: jobs(t, n, r, 3.0)),
    "connections-rare": Cell("a connection now and then", lambda t, n, r: jobs(t, n, r, 0.2)),
    "scraped-seldom": Cell("memory, scraped each minute", lambda t, n, r: seldom(memory(t, n, r, 0.01), 4)),
    "steady-1e-2": Cell("memory steady to 1 %", lambda t, n, r: memory(t, n, r, 1e-2)),
    "steady-1e-3": Cell("memory steady to 0.1 %", lambda t, n, r: memory(t, n, r, 1e-3)),
    "steady-1e-4": Cell("memory steady to 0.01 %", lambda t, n, r: memory(t, n, r, 1e-4, keep=0.99)),
    "steady-1e-6": Cell("memory steady to a millionth", lambda t, n, r: memory(t, n, r, 1e-6, keep=0.5)),
    "steady-few": Cell(
        "memory steady to 0.1 %, 4 pods, 7.5 min of history", lambda t, n, r: memory(t, n, r, 1e-3), pods=4, history=7.5
    ),
    "steady-two": Cell("memory steady to 0.1 %, 2 pods", lambda t, n, r: memory(t, n, r, 1e-3), pods=2, history=20),
    "creeping": Cell("memory that wanders for an hour", lambda t, n, r: memory(t, n, r, 0.03, keep=0.998)),
    "saw-5": Cell("saw-teeth of 30 %, 5 min", lambda t, n, r: sawtooth(t, n, r, 5, 0.3)),
    "saw-20": Cell("saw-teeth of 30 %, 20 min", lambda t, n, r: sawtooth(t, n, r, 20, 0.3)),
    "saw-60": Cell("saw-teeth of 30 %, an hour", lambda t, n, r: sawtooth(t, n, r, 60, 0.3)),
    "saw-180": Cell("saw-teeth of 30 %, three hours", lambda t, n, r: sawtooth(t, n, r, 180, 0.3)),
    "saw-high": Cell("saw-teeth of 100 %, 15 min, 4 pods", lambda t, n, r: sawtooth(t, n, r, 15, 1.0), pods=4),
    "fills-10": Cell("fills from 40 % in 10 min", lambda t, n, r: fills(memory(t, n, r, 0.012), t, 0.4, 10)),
    "fills-30": Cell("fills from 70 % in 30 min", lambda t, n, r: fills(memory(t, n, r), t, 0.7, 30)),
    "fills-steady": Cell(
        "fills from 90 % in 5 min, steady to 0.01 %", lambda t, n, r: fills(memory(t, n, r, 1e-4), t, 0.9, 5)
    ),
    "fills-straight": Cell(
        "fills from 50 % in a straight line of 20 min", lambda t, n, r: ramps(memory(t, n, r), t, 0.5, 20)
    ),
    "fills-other": Cell("fills from 5 % for an hour", lambda t, n, r: fills(memory(t, n, r, 0.005), t, 0.05, 60)),
    "cpu-steps": Cell("cores follow the share: 5, 10, 25, 50 %", cpu, steps=True),
    "cpu-idle": Cell("cores follow it by half", lambda t, n, r: cpu(t, n, r, 0.5), steps=True),
    "connections-steps": Cell(
        "connections follow it", lambda t, n, r: r.poisson(20 * loads(t, n)).astype(float), steps=True
    ),
    "memory-steps": Cell("memory does not follow it", lambda t, n, r: memory(t, n, r, 0.01), steps=True),
    "swinging": Cell("cores with the time of day", swinging),
    "restarts": Cell("pods of stable start anew", restarts),
    "real-front-end": Cell("latency of a real front end", lambda t, n, r: real(t, n, r, "petsite")),
    "real-dependency": Cell("latency of a real dependency", lambda t, n, r: real(t, n, r, "dependency")),
    "leak-real": Cell(
        "2 % a minute amid the noise of a real front end",
        lambda t, n, r: real(t, n, r, "petsite") * grown(t, n, 0.02),
        bad=True,
    ),
    "leak-constant": Cell(
        "one thread more each minute, beside 16", lambda t, n, _: leaks(constant(t, n, 16.0), t, 1.0), bad=True
    ),
    "leak-1e-3": Cell("1 % a minute, steady to 0.1 %", lambda t, n, r: grows(memory(t, n, r), t, 0.01), bad=True),
    "leak-1e-6": Cell(
        "1 % a minute, steady to a millionth", lambda t, n, r: grows(memory(t, n, r, 1e-6, keep=0.5), t, 0.01), bad=True
    ),
    "leak-slow": Cell("0.5 % a minute, steady to 0.1 %", lambda t, n, r: grows(memory(t, n, r), t, 0.005), bad=True),
    "leak-late": Cell("2 % a minute from minute 10", lambda t, n, r: grows(memory(t, n, r), t, 0.02, 10), bad=True),
    "leak-rounded": Cell(
        "2 % a minute, steps of 10 MB", lambda t, n, r: grows(tens(memory(t, n, r, 0.005), 1e7), t, 0.02), bad=True
    ),
    "leak-saw": Cell(
        "3 % a minute amid saw-teeth", lambda t, n, r: grows(sawtooth(t, n, r, 10, 0.3), t, 0.03), bad=True
    ),
    "leak-connections": Cell(
        "one more each minute, beside some three", lambda t, n, r: leaks(jobs(t, n, r, 3.0), t, 1.0), bad=True
    ),
    "leak-lean": Cell(
        "3 % a minute from 70 % of stable's", lambda t, n, r: grows(higher(memory(t, n, r), t, 0.7), t, 0.03), bad=True
    ),
    "leak-steps": Cell(
        "2 % a minute through steps", lambda t, n, r: grows(memory(t, n, r), t, 0.02), bad=True, steps=True
    ),
    "doubled": Cell("twice the memory", lambda t, n, r: higher(memory(t, n, r), t, 2.0), bad=True),
    "doubled-late": Cell(
        "twice the memory from minute 10", lambda t, n, r: higher(memory(t, n, r), t, 2.0, 10), bad=True
    ),
    "saturates": Cell("cores at 1.0 beside 0.45", saturated, bad=True),
    "cpu-thrice": Cell(
        "three times the cores that the share asks for",
        lambda t, n, r: higher(cpu(t, n, r), t, 3.0),
        bad=True,
        steps=True,
    ),
}


def convicted_at(cell: Cell, seed: int, number: int) -> float | None:
    """Seconds of the release after which a canary was taken back; None where it never was."""
    rng = np.random.default_rng([seed, number, *cell.name.encode()])
    history = round(60 * cell.history / EVERY)
    t = (np.arange(history + round(1800 / EVERY)) - history + 1) * EVERY / 60
    values = np.asarray(cell.world(t, cell.pods + 1, rng))
    judge = Judge(JudgePolicy(signals=(SignalPolicy("gauge", SignalKind.GAUGE),)))
    steps = dict(STEPS) if cell.steps else {}
    for minutes, now in zip(t.tolist(), values.tolist(), strict=True):
        at = 60 * (minutes + cell.history)
        pods = {f"p{pod}": PodLook(Arm.STABLE, 9000.0, EVERY, gauges={"gauge": x}) for pod, x in enumerate(now[:-1])}
        if minutes <= 0:
            judge.learn([SignalLook("gauge", at, SourceStatus.OK, pods)])
            continue
        for since in [since for since in steps if minutes > since]:
            judge.begin_step(steps.pop(since), at)
        pods["c"] = PodLook(Arm.CANARY, 60 * minutes, EVERY, gauges={"gauge": now[-1]})
        judge.look(at, [SignalLook("gauge", at, SourceStatus.OK, pods)])
        if judge.convicted_at is not None:
            return 60 * minutes
    return None


def told(cell: Cell, times: list[float | None]) -> list[str]:
    """A row's figures: how many, taken back (upper 95 % bound) or missed, and the mean delay of those that go."""
    if not times:
        return ["", "", ""]
    found = [at for at in times if at is not None]
    hits = len(times) - len(found) if cell.bad else len(found)
    most = float(beta.ppf(0.95, hits + 1, len(times) - hits)) if hits < len(times) else 1.0
    delay = f"{sum(found) / len(found):.0f}" if cell.bad and found else ""
    return [str(len(times)), f"{100 * hits / len(times):.1f} % (≤ {100 * most:.1f})", delay]


def tables(kept: dict[str, dict[str, Any]]) -> str:
    """What is known of each cell, and of another judge where it was kept as well."""
    names = sorted({name for each in kept.values() for name in each})
    lines = ["# Gauges of many kinds", "", *(f"- {name}: {value}" for name, value in about_this_machine().items()), ""]
    for bad, what in ((False, "Healthy: taken back"), (True, "Bad: missed, and mean delay in seconds")):
        lines += [f"## {what}", "", "| cell | " + " | ".join(f"{name}: runs | share | delay" for name in names) + " |"]
        lines += ["| --- |" + " ---: | ---: | ---: |" * len(names)]
        for key, cell in CELLS.items():
            if cell.bad is bad and key in kept:
                figures = [part for name in names for part in told(cell, kept[key].get(name, []))]
                lines.append(f"| {key}: {cell.name} | " + " | ".join(figures) + " |")
        lines.append("")
    return "\n".join(lines)


def main() -> int:
    """Play what is missing of each cell, keep it, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--replicates", type=int, default=300)
    parser.add_argument("--only", nargs="+", metavar="CELL", choices=list(CELLS), default=list(CELLS))
    parser.add_argument("--seed", type=int, default=19)
    parser.add_argument("--judge", default="grayling", help="what the judge is called in the table")
    parser.add_argument("--fresh", action="store_true", help="forget what was played before by that judge")
    parser.add_argument("--kept", type=Path, default=HERE.parent.parent / "out" / "bench" / "gauges.json")
    parser.add_argument("--out", type=Path, default=HERE.parent / "results" / "judge-gauges.md")
    options = parser.parse_args()
    kept: dict[str, dict[str, Any]] = json.loads(options.kept.read_text()) if options.kept.exists() else {}
    options.kept.parent.mkdir(parents=True, exist_ok=True)
    for key in options.only:
        times = kept.setdefault(key, {}).setdefault(options.judge, [])
        if options.fresh:
            times.clear()
        times += [convicted_at(CELLS[key], options.seed, n) for n in range(len(times), options.replicates)]
        options.kept.write_text(json.dumps(kept))
        print(key, *told(CELLS[key], times), flush=True)
    options.out.write_text(tables(kept))
    return 0


if __name__ == "__main__":
    sys.exit(main())
