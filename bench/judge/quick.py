"""How soon the judge sees a gross fault when it looks four times a second: simulated rows of docs/explanation/judge.md.

    python bench/judge/quick.py            # some minutes; writes bench/results/judge-quick.md

One stable pod and one canary pod, no history: 100 requests a second, a fifth of them the canary's, 0.2 % fail. At a
moment that differs from run to run the canary begins to fail half of its requests, or both arms begin to fail.
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
from pathlib import Path
from typing import TYPE_CHECKING

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent))

from bench.machine import page
from rollout.judge import JudgePolicy
from tests.rollout.judge.traffic import CRASHES, ERRORS, ERRORS_ONLY, POLICY, Traffic, delay

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Play = tuple[str, JudgePolicy, "Callable[[int], Traffic]"]

BROKEN = 0.5
FAULTS: tuple[Play, ...] = (
    ("in minute 2, errors alone", ERRORS_ONLY, lambda seed: Traffic(onset=60 + seed % 60, canary_fails=BROKEN)),
    (
        "in minute 2, errors and crashes",
        JudgePolicy(signals=(ERRORS, CRASHES)),
        lambda seed: Traffic(onset=60 + seed % 60, canary_fails=BROKEN),
    ),
    (
        "after 6 to 12 s, errors, latency and crashes",
        POLICY,
        lambda seed: Traffic(onset=6 + 0.25 * (seed % 25), canary_fails=BROKEN),
    ),
)
OUTAGES = (0.03, 0.1, 0.5)


def rows(runs: int) -> list[str]:
    """The rows of the table, faults first."""
    lines = [_row(what, [delay(make(seed), seed, policy) for seed in range(runs)]) for what, policy, make in FAULTS]
    blamed = [
        delay(Traffic(onset=60 + seed % 60, canary_fails=share, stable_fails=share), seed)
        for share in OUTAGES
        for seed in range(runs)
    ]
    convicted = sum(math.isfinite(each) for each in blamed)
    shares = ", ".join(f"{share:.0%}" for share in OUTAGES)
    return [*lines, f"| outage of {shares} in both arms, 30 s | {len(blamed)} | called bad {convicted} times | | |"]


def _row(what: str, delays: Sequence[float]) -> str:
    ordered = sorted(delays)
    late = ordered[math.ceil(0.95 * len(ordered)) - 1]
    return f"| {what} | {len(delays)} | {statistics.median(ordered):.2f} s | {late:.2f} s | {ordered[-1]:.2f} s |"


def main() -> int:
    """Simulate and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=150, help="of each row")
    parser.add_argument("--out", type=Path, default=HERE.parent / "results" / "judge-quick.md", help="the table")
    options = parser.parse_args()
    columns = ("half of the canary's answers fail", "runs", "median", "p95", "worst")
    text = page("The judge alone, looking four times a second", columns, rows(options.runs))
    options.out.write_text(text)
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
