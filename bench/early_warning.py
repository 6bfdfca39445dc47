"""How often is the warning of exhaustion wrong in quiet weeks, and how long before the end does it come?

    python bench/early_warning.py [--data FOLDER]   # needs prometheus and promtool

Quiet weeks are simulated (`early/worlds.py`) and real (`judge/series`, and series below ``--data``, which are shares
of a limit just above what they reach). Beside the shipped rule stands `predict_linear(x[1h], 4h) > limit`, with the
same `for`. A real Prometheus evaluates the shipped expression on some of the series: the arrays must agree with it.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench.early.asked import LABELS, blocks, prometheus, true_at
from bench.early.rule import DAY, alarms, condition, held, plain
from bench.early.worlds import Worlds, running_out
from bench.machine import about_this_machine
from components.model.exhaustion import RATIO
from components.model.exhaustion import running_out as shipped

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.early.worlds import Floats

DAYS, SERIES, CHECKED, EVERY = 22, 100, 2, 5
FILLS = {"2 h": 120, "4 h": 240, "8 h": 480, "1 d": DAY, "2 d": 2 * DAY, "3 d": 3 * DAY}
BEFORE = ("steady", "daily cycle", "weekly cycle")
TEETH = ("garbage collection",)
FULL = 0.85
"""Real series are given limits so that they reach this share."""


def rate(used: Floats) -> tuple[float, float, float]:
    """Signal-weeks that were judged, and alarms in one: the shipped rule's, and the plain one's."""
    weeks = used.shape[0] * (used.shape[1] - DAY) / (7 * DAY)
    found = [alarms(held(rule(used))).sum() / weeks for rule in (condition, plain)]
    return weeks, found[0], found[1]


def lead(minutes: int, before: tuple[str, ...], series: int, seed: int) -> dict[str, Any]:
    """Hours between warning and end, by both rules, of those that run out within so many minutes."""
    hours: dict[str, list[float]] = {"ours": [], "plain": []}
    made = Worlds(series, 13, seed).make()
    for name in before:
        used = running_out(made[name], 9 * DAY, minutes)
        ours, other = held(condition(used)), held(plain(used))
        for at, row in enumerate(used):
            end = 9 * DAY + int(np.argmax(row[9 * DAY :] >= 1))
            for which, firing in (("ours", ours), ("plain", other)):
                told = np.flatnonzero(firing[at, 9 * DAY : end])
                hours[which].append((end - 9 * DAY - told[0]) / 60 if told.size else 0.0)
    return {
        which: {"median": float(np.median(each)), "missed": float(np.mean(np.array(each) == 0))}
        for which, each in hours.items()
    }


def real(data: Path | None) -> Iterator[tuple[str, Floats]]:
    """Real series, a value each minute between theirs: name, and one row."""
    series = ROOT / "bench" / "judge" / "series"
    yield "petsite, requests", _column(series / "petsite.csv", 1, 5)
    yield "API, requests", _column(series / "dependency.csv", 1, 60)
    yield "API, latency", _column(series / "dependency.csv", 2, 60)
    yield "application, crashes", _column(series / "crashes.csv", 1, 60)
    for file in sorted((data or series).glob("cloud-monitoring/*/*.csv")):
        yield f"{file.parent.name}/{file.stem}", _column(file, 1, 1 if "unavail" in file.stem else 60)


def _column(file: Path, index: int, minutes: int) -> Floats:
    values = []
    for row in csv.reader(file.read_text().splitlines()):
        try:
            values.append(float(row[index]))
        except (ValueError, IndexError):
            continue  # the head, or a gap
    at = np.arange((len(values) - 1) * minutes + 1) / minutes
    dense = np.interp(at, np.arange(len(values)), values)
    return np.asarray(dense / dense.max() * FULL)[None]


def agreement(worlds: dict[str, Floats]) -> dict[str, Any]:
    """At how many steps a Prometheus with the shipped expression, and the arrays, differ."""
    some = np.concatenate([used[:CHECKED] for used in worlds.values()])
    ending = Worlds(2, DAYS, 3).make()
    some = np.concatenate(
        [some, *(running_out(ending[each], 12 * DAY, 2 * DAY)[:, : some.shape[1]] for each in BEFORE)]
    )
    ours = condition(some)[:, ::EVERY]
    with TemporaryDirectory() as made:
        blocks(some, Path(made))
        with prometheus(Path(made)) as address:
            asked = np.stack(
                [
                    true_at(address, shipped(f"{RATIO}{{{LABELS.format(number=number)}}}"), some.shape[1], EVERY)
                    for number in range(some.shape[0])
                ]
            )
    return {
        "series": some.shape[0],
        "steps": int(asked.size),
        "true": int(asked.sum()),
        "differ": int((asked != ours).sum()),
        "alarms by Prometheus": int(alarms(held(asked, EVERY)).sum()),
        "alarms by the arrays": int(alarms(held(ours, EVERY)).sum()),
    }


def measured(data: Path | None) -> dict[str, Any]:
    """All figures."""
    worlds = Worlds(SERIES, DAYS, 1).make()
    found: dict[str, Any] = {"simulated": {}, "real": {}, "lead": {}}
    for name, used in worlds.items():
        found["simulated"][name] = rate(used)
        print(name, found["simulated"][name], flush=True)
    for name, used in real(data):
        found["real"][name] = rate(used)
    for name, minutes in FILLS.items():
        found["lead"][name] = lead(minutes, BEFORE, 25, 2)
        found["lead"][f"{name}, in teeth"] = lead(minutes, TEETH, 50, 2)
        print(name, found["lead"][name], flush=True)
    found["agreement"] = agreement(worlds)
    print(found["agreement"], flush=True)
    return found


def page(found: dict[str, Any]) -> str:
    """The figures as Markdown."""
    lines = ["# How often early warnings are wrong, and how early they are", ""]
    lines += [f"- {name}: {value}" for name, value in about_this_machine().items()]
    same = found["agreement"]
    lines += [
        f"- a real Prometheus: {same['steps']} evaluations, {same['true']} of them true, {same['differ']} not as here",
        "",
        "Plain is `predict_linear(x[1h], 4h) > 1` with the same `for`.",
        "",
        "| quiet weeks | signal-weeks | false alarms in one | plain |",
        "| --- | ---: | ---: | ---: |",
    ]
    for kind in ("simulated", "real"):
        rows = found[kind].items()
        lines += [f"| {name} | {weeks:.1f} | {ours:.3f} | {other:.3f} |" for name, (weeks, ours, other) in rows]
        total = sum(weeks for weeks, _, _ in found[kind].values())
        means = [sum(each[0] * each[at] for each in found[kind].values()) / total for at in (1, 2)]
        lines.append(f"| **all {kind}** | {total:.0f} | **{means[0]:.3f}** | {means[1]:.3f} |")
    lines += ["", "| runs out within | hours before the end, median | missed | plain | missed |"]
    lines += ["| --- | ---: | ---: | ---: | ---: |"]
    for name, each in found["lead"].items():
        both = (f"{each[which]['median']:.1f} | {each[which]['missed']:.0%}" for which in ("ours", "plain"))
        lines.append(f"| {name} | {' | '.join(both)} |")
    return "\n".join(lines) + "\n"


def main() -> int:
    """Measure and write."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--data", type=Path, help="folder with cloud-monitoring/*/*.csv")
    found = measured(asked.parse_args().data)
    results = ROOT / "bench" / "results"
    (results / "early-warning.json").write_text(json.dumps({**about_this_machine(), **found}, indent=1) + "\n")
    (results / "early-warning.md").write_text(page(found))
    print(page(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
