"""How often is drift of errors told where there is none, and how soon where there is some?

    python bench/drift.py [--data FOLDER]   # three minutes of a core; writes bench/results/drift.md and .json

It asks `rollout.engine.drift.Trial` itself, day by day, with seven days before each.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench.early.days import KINDS, drifted, quiet, real
from bench.machine import about_this_machine
from rollout.engine.drift import DAY, DAYS, DRIFTED, FALSE_ALARMS, Trial
from rollout.sources.days import Answered

if TYPE_CHECKING:
    from bench.early.days import Counts

WEEKS, RUNS, BEGINS = 4, 6, 100
SHARES = (0.002, 0.003, 0.005)


async def told_at(counts: Counts, day: int) -> int | None:
    """The slot of a day at which drift is told; None where it is not."""
    requests, errors = (each[: day + 1].ravel() for each in counts)
    known = {slot + 1: Answered(int(n), int(k)) for slot, (n, k) in enumerate(zip(requests, errors, strict=True)) if n}
    trial = Trial("errors", day, day * DAY)
    trial.known.add(known)
    for slot in range(day * DAY + 1, (day + 1) * DAY + 1):
        await trial.judge(slot)
        if trial.verdict == DRIFTED:
            return slot - day * DAY
    return None


async def false_alarms(kind: str, weeks: int) -> int:
    """Days that are told, of so many quiet weeks after a week that is only known."""
    rng, found = np.random.default_rng([1, KINDS.index(kind)]), 0
    for _ in range(weeks):
        counts = quiet(kind, DAYS + 8, rng)
        for day in range(DAYS + 1, DAYS + 8):
            found += await told_at(counts, day) is not None
    return found


async def delays(kind: str, share: float, runs: int) -> dict[str, float]:
    """Minutes from the first worse slot to the word, and how many days end without."""
    rng, found = np.random.default_rng([2, KINDS.index(kind)]), []
    for _ in range(runs):
        at = await told_at(drifted(quiet(kind, DAYS + 2, rng), share, BEGINS, rng), DAYS + 1)
        found.append(np.inf if at is None else (at - BEGINS) * 5.0)
    seen = [each for each in found if np.isfinite(each)]
    return {
        "median": float(np.median(seen)) if seen else -1.0,
        "worst": max(seen, default=-1.0),
        "missed": 1 - len(seen) / runs,
    }


async def applications(data: Path) -> dict[str, int]:
    """Of the real ones: days judged and days told, apart for those that somebody has marked."""
    found = {"quiet": 0, "quiet told": 0, "marked": 0, "marked told": 0}
    for _, counts, marked in real(data, np.random.default_rng(3)):
        for day in range(DAYS + 1, counts[0].shape[0]):
            which = "marked" if marked[day] else "quiet"
            found[which] += 1
            found[f"{which} told"] += await told_at(counts, day) is not None
    return found


async def measured(data: Path | None) -> dict[str, Any]:
    """All figures."""
    found: dict[str, Any] = {"weeks": WEEKS, "quiet": {}, "delay": {}}
    for kind in KINDS:
        found["quiet"][kind] = await false_alarms(kind, WEEKS)
        print(kind, found["quiet"][kind], flush=True)
    for kind in ("daily cycle", "all of these"):
        for share in SHARES:
            found["delay"][f"{kind}, 0.1 % to {share:.1%}"] = await delays(kind, share, RUNS)
    print(found["delay"], flush=True)
    if data:
        found["real"] = await applications(data)
    return found


def page(found: dict[str, Any]) -> str:
    """The figures as Markdown."""
    lines = ["# Drift of errors without a release", ""]
    lines += [f"- {name}: {value}" for name, value in about_this_machine().items()]
    lines += [
        f"- promised: at most {FALSE_ALARMS:.1%} of the quiet days are told, {7 * FALSE_ALARMS:.3f} in a week",
        "",
        "| quiet weeks of a service | weeks | days told | in a week |",
        "| --- | ---: | ---: | ---: |",
    ]
    weeks = found["weeks"]
    lines += [f"| {kind} | {weeks} | {told} | {told / weeks:.3f} |" for kind, told in found["quiet"].items()]
    if real_ones := found.get("real"):
        for which in ("quiet", "marked"):
            days, told = real_ones[which], real_ones[f"{which} told"]
            lines.append(
                f"| real applications, {which} days | {days / 7:.1f} | {told} | {told / max(days / 7, 0.1):.3f} |"
            )
    lines += [
        "",
        "| drift | minutes until told, median | worst | days without a word |",
        "| --- | ---: | ---: | ---: |",
    ]
    lines += [
        f"| {name} | {each['median']:.0f} | {each['worst']:.0f} | {each['missed']:.0%} |"
        for name, each in found["delay"].items()
    ]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Measure and write."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--data", type=Path, help="folder with cloud-monitoring/application-crash-rate-1/*.csv")
    found = asyncio.run(measured(asked.parse_args().data))
    results = ROOT / "bench" / "results"
    (results / "drift.json").write_text(json.dumps({**about_this_machine(), **found}, indent=1) + "\n")
    (results / "drift.md").write_text(page(found))
    print(page(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
