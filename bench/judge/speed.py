"""What a look costs: twelve signals of ten pods, learning, saving, and replays of an hour of looks.

    python bench/judge/speed.py            # a minute; writes bench/results/judge-speed.md

Machines differ and are shared: each figure stands beside the time that this machine takes, in the same run, for a
loop of 100,000 additions in plain Python.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent))

import numpy as np  # noqa: E402 - after the threads are limited and the path is made

from bench.machine import page  # noqa: E402
from rollout.judge import Judge, JudgePolicy, SignalKind, SignalPolicy  # noqa: E402
from rollout.judge.recording import RecordedLook, Recording  # noqa: E402
from rollout.judge.replay import replay  # noqa: E402
from rollout.looks import Arm, PodLook, SignalLook, SourceStatus  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

KINDS = (*[SignalKind.ERRORS] * 4, *[SignalKind.LATENCY] * 4, SignalKind.CRASHES, *[SignalKind.EVENTS] * 3)
EDGES = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
SHARES = (0.01, 0.02, 0.1, 0.3, 0.3, 0.2, 0.05, 0.01, 0.005, 0.004, 0.001)
PODS = 10
HISTORY, RELEASE = 60, 180


def pods_of(kind: SignalKind, rng: np.random.Generator, seconds: float, *, canary: bool) -> Mapping[str, PodLook]:
    """One look at ten pods that serve 10 requests a second each and fail 1 %."""
    found = {}
    for number in range(PODS if canary else PODS - 1):
        requests = int(rng.poisson(10 * seconds))
        events = int(rng.poisson(0.01 * seconds))
        found[f"p{number}"] = PodLook(
            arm=Arm.CANARY if number == PODS - 1 else Arm.STABLE,
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


def looks_of(at: float, rng: np.random.Generator, seconds: float, *, canary: bool) -> list[SignalLook]:
    """One look of each of the twelve signals."""
    return [
        SignalLook(
            f"s{index}",
            at,
            SourceStatus.OK,
            pods_of(kind, rng, seconds, canary=canary),
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


def rows(looks: int, replays: int) -> list[str]:
    """The table's rows: what was done, how often, median, slowest tenth, in plain loops, the bar."""
    rng = np.random.default_rng(0)
    policy = JudgePolicy(signals=tuple(SignalPolicy(f"s{index}", kind) for index, kind in enumerate(KINDS)))
    judge = Judge(policy)
    history = [looks_of(15.0 * number, rng, 15.0, canary=False) for number in range(1, HISTORY + 1)]
    began = 15.0 * HISTORY
    later = [looks_of(began + number, rng, 1.0, canary=True) for number in range(1, looks + 31)]
    learned = [milliseconds(lambda each=each: judge.learn(each)) for each in history]
    judge.begin_step(0.1)
    judged = [milliseconds(lambda each=each: judge.look(each[0].at, each)) for each in later][30:]
    saved = [milliseconds(judge.save) for _ in range(20)]
    blob = judge.save()
    restored = [milliseconds(lambda: Judge.restore(policy, blob)) for _ in range(20)]
    learned, recording = learned[1:], recorded(rng)
    replayed = [milliseconds(lambda: replay(recording)) for _ in range(replays)]
    total = 200 * statistics.mean(replayed) / 1000
    loop = plain_loop()
    return [
        _row("a look of 12 signals", judged, loop, "1 ms"),
        _row("a look of 12 signals at history", learned, loop, ""),
        _row(f"saving ({len(blob) / 1024:.0f} kB)", saved, loop, "64 kB"),
        _row("restoring", restored, loop, ""),
        _row(f"a replay of 240 looks at 2 signals (200 of them: {total:.0f} s)", replayed, loop, "60 s for 200"),
    ]


def _row(what: str, took: Sequence[float], loop: float, bar: str) -> str:
    median, late = statistics.median(took), sorted(took)[len(took) * 9 // 10]
    return f"| {what} | {len(took)} | {median:.2f} | {late:.2f} | {median / loop:.2f} | {bar} |"


def main() -> int:
    """Measure and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--looks", type=int, default=1000, help="looks that are timed")
    parser.add_argument("--replays", type=int, default=30, help="replays that are timed")
    parser.add_argument("--out", type=Path, default=HERE.parent / "results" / "judge-speed.md", help="the table")
    options = parser.parse_args()
    columns = ("what", "times", "median, ms", "slowest tenth from, ms", "over 100,000 plain additions", "bar")
    text = page("What a look costs", columns, rows(options.looks, options.replays))
    options.out.write_text(text)
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
