"""What a look costs: twelve signals of ten pods, and of 300, learning, saving, and replays of an hour of looks.

    python bench/judge/speed.py            # two minutes; writes bench/results/judge-speed.md

Machines differ and are shared: each figure stands beside the time that this machine takes, in the same run, for a
loop of 100,000 additions in plain Python.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(ROOT))

import numpy as np

from bench.machine import page
from rollout.judge import Judge, JudgePolicy, SignalKind, SignalPolicy
from rollout.judge.replay import replay
from rollout.records.recording import (
    RecordedLook,
    Recording,
    header_line,
    look_line,
)
from rollout.signals.looks import (
    Arm,
    PodLook,
    SignalLook,
    SourceStatus,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

KINDS = (*[SignalKind.ERRORS] * 4, *[SignalKind.LATENCY] * 4, SignalKind.CRASHES, *[SignalKind.EVENTS] * 3)
EDGES = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
SHARES = (0.01, 0.02, 0.1, 0.3, 0.3, 0.2, 0.05, 0.01, 0.005, 0.004, 0.001)
PODS, MANY = 10, 300
HISTORY, RELEASE = 60, 180


def pods_of(
    kind: SignalKind, rng: np.random.Generator, seconds: float, *, canary: bool, pods: int = PODS
) -> Mapping[str, PodLook]:
    """One look at pods that serve 10 requests a second each and fail 1 %."""
    found = {}
    for number in range(pods if canary else pods - 1):
        requests = int(rng.poisson(10 * seconds))
        events = int(rng.poisson(0.01 * seconds))
        found[f"p{number}"] = PodLook(
            arm=Arm.CANARY if number == pods - 1 else Arm.STABLE,
            age_seconds=9000.0,
            exposure_seconds=seconds,
            requests=requests if kind is SignalKind.ERRORS else 0,
            errors={
                SignalKind.ERRORS: {"5xx": int(rng.binomial(requests, 0.01))},
                SignalKind.EVENTS: {"lines": events},
            }.get(kind, {}),
            latency_counts=tuple(rng.multinomial(requests, SHARES).tolist()) if kind is SignalKind.LATENCY else (),
        )
    return found


def looks_of(
    at: float, rng: np.random.Generator, seconds: float, *, canary: bool, pods: int = PODS
) -> list[SignalLook]:
    """One look of each of the twelve signals."""
    return [
        SignalLook(
            f"s{index}",
            at,
            SourceStatus.OK,
            pods_of(kind, rng, seconds, canary=canary, pods=pods),
            EDGES if kind is SignalKind.LATENCY else (),
        )
        for index, kind in enumerate(KINDS)
    ]


def recorded(rng: np.random.Generator) -> Recording:
    """240 looks of 15 s at errors and latency, a quarter of them history."""
    looks = []
    for number in range(1, HISTORY + RELEASE + 1):
        judged = number > HISTORY
        slow = pods_of(SignalKind.LATENCY, rng, 15.0, canary=judged)
        both = {
            name: replace(
                pod, requests=(served := sum(pod.latency_counts)), errors={"5xx": int(rng.binomial(served, 0.01))}
            )
            for name, pod in slow.items()
        }
        looks.append(RecordedLook(15.0 * number, "release" if judged else "history", both))
    return Recording(looks=tuple(looks), interval_seconds=15.0, edges_seconds=EDGES, canary_share=0.1)


def milliseconds(work: Callable[[], object]) -> float:
    """How long it takes."""
    began = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - began)


def plain_loop() -> float:
    """Milliseconds for 100,000 additions in plain Python, the median of nine."""

    def work() -> int:
        total = 0
        for number in range(100_000):
            total += number
        return total

    return statistics.median(milliseconds(work) for _ in range(9))


@dataclass(slots=True)
class Timed:
    """How long something took each time, in milliseconds, and a plain loop in between."""

    what: str
    bar: str = ""
    took: list[float] = field(default_factory=list)
    loops: list[float] = field(default_factory=list)

    def all(self, works: Iterable[Callable[[], object]], *, warm: int = 0) -> Timed:
        """Time all of them but the first few, with a plain loop before every hundredth."""
        for number, work in enumerate(works):
            if number % 100 == 0:
                self.loops.append(plain_loop())
            took = milliseconds(work)
            self.took += [took] if number >= warm else []
        return self

    def row(self) -> str:
        """The table's row: what was done, how often, median, slowest tenth, in plain loops, the bar."""
        median, late = statistics.median(self.took), sorted(self.took)[len(self.took) * 9 // 10]
        loop = statistics.median(self.loops)
        return f"| {self.what} | {len(self.took)} | {median:.2f} | {late:.2f} | {median / loop:.2f} | {self.bar} |"


def at_first(looks: Sequence[SignalLook], age: float) -> list[SignalLook]:
    """The same looks at a canary that has just begun."""

    def grown(pod: PodLook) -> PodLook:
        return replace(pod, age_seconds=age) if pod.arm is Arm.CANARY else pod

    return [replace(look, pods={name: grown(pod) for name, pod in look.pods.items()}) for look in looks]


def rows(looks: int, replays: int, files: int) -> list[str]:
    """The table's rows."""
    rng = np.random.default_rng(0)
    policy = JudgePolicy(signals=tuple(SignalPolicy(f"s{index}", kind) for index, kind in enumerate(KINDS)))
    judge = Judge(policy)
    history = [looks_of(15.0 * number, rng, 15.0, canary=False) for number in range(1, HISTORY + 1)]
    began = 15.0 * HISTORY
    later = [looks_of(began + number, rng, 1.0, canary=True) for number in range(1, looks + 31)]
    fresh = [at_first(each, 10.0 + number) for number, each in enumerate(later[:270])]
    learned = Timed("a look of 12 signals at history").all((partial(judge.learn, each) for each in history), warm=1)
    before = judge.save()
    beginner = Judge.restore(policy, before)
    for each in (judge, beginner):
        each.begin_step(0.1)
    judged = Timed("a look of 12 signals", "1 ms")
    judged.all((partial(judge.look, each[0].at, each) for each in later), warm=30)
    cold = Timed("a look of 12 signals at a canary in its first minutes", "1 ms")
    cold.all((partial(beginner.look, each[0].at, each) for each in fresh), warm=30)
    told = Timed("the numbers and sentences of 12 signals").all([judge.signals] * 100)
    blob = judge.save()
    saved = Timed(f"saving ({len(blob) / 1024:.0f} kB)", "64 kB").all([judge.save] * 20)
    restored = Timed("restoring").all([partial(Judge.restore, policy, blob)] * 20)
    one = Timed("a replay of 240 looks at 2 signals").all([partial(replay, recorded(rng))] * replays)
    timed = (judged, cold, _of_many(policy, rng, looks), learned, told, saved, restored, one, _command(rng, files))
    return [each.row() for each in timed]


def _of_many(policy: JudgePolicy, rng: np.random.Generator, looks: int) -> Timed:
    judge = Judge(policy)
    for number in range(1, HISTORY + 1):
        judge.learn(looks_of(15.0 * number, rng, 15.0, canary=False, pods=MANY))
    judge.begin_step(1 / MANY)
    later = (
        looks_of(15.0 * HISTORY + number, rng, 1.0, canary=True, pods=MANY) for number in range(1, looks // 10 + 31)
    )
    timed = Timed(f"a look of 12 signals at {MANY} pods", "10 ms")
    return timed.all((partial(judge.look, each[0].at, each) for each in later), warm=30)


def _command(rng: np.random.Generator, files: int) -> Timed:
    """Many recordings by the command that people use, on all processors."""
    timed = Timed(f"`grayling release replay` of {files} recordings of 240 looks", "60,000 ms for 200")
    with TemporaryDirectory() as folder:
        for number in range(files):
            one = recorded(rng)
            head = header_line(one.interval_seconds, one.edges_seconds, one.canary_share)
            lines = [head, *map(look_line, one.looks)]
            (Path(folder) / f"{number}.jsonl").write_text("\n".join(lines) + "\n")
        command = [str(Path(sys.executable).with_name("grayling")), "release", "replay", folder, "-o", "json"]
        return timed.all([partial(subprocess.run, command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)])


def main() -> int:
    """Measure and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--looks", type=int, default=1000, help="looks that are timed")
    parser.add_argument("--replays", type=int, default=30, help="replays that are timed")
    parser.add_argument("--files", type=int, default=200, help="recordings that are replayed at once by the command")
    parser.add_argument("--out", type=Path, default=HERE.parent / "results" / "judge-speed.md", help="the table")
    options = parser.parse_args()
    columns = ("what", "times", "median, ms", "slowest tenth from, ms", "over 100,000 plain additions", "bar")
    text = page("What a look costs", columns, rows(options.looks, options.replays, options.files))
    options.out.write_text(text)
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
