"""The benchmark's pictures, from bench/results/judge.json and a few runs of our judge.

uv pip install --group bench
python bench/judge/plots.py          # writes docs/img/judge-*.svg
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(ROOT))

import matplotlib as mpl

mpl.use("svg")
import numpy as np
from matplotlib import pyplot as plt

from bench.judge.ours import Ours
from bench.judge.tables import OURS
from bench.judge.world import World, scenarios

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

SHOWN = {
    OURS: ("Grayling", "#0b6e4f", "o"),
    "plain e-process": ("plain e-process", "#4c78a8", "s"),
    "z-test at each look": ("z-test at each look", "#b279a2", "v"),
    "Mann-Whitney each 5 min": ("Mann-Whitney each 5 min", "#e4a11b", "D"),
    "Flagger 99 % and p99 500 ms, threshold 1": ("Flagger, threshold 1", "#d1495b", "^"),
    "Flagger 99 % and p99 500 ms, threshold 5": ("Flagger, threshold 5", "#8c2f39", "<"),
    "Argo Rollouts 99 %, each minute, limit 3": ("Argo Rollouts 99 %, limit 3", "#7d7d7d", ">"),
}
"""Judges in the pictures: what they are called there, colour and mark."""

LEAST_SHARE = 3e-4
"""Where a share of 0 is drawn."""

PATHS = (("H4", "#0b6e4f"), ("B9", "#d1495b"), ("B1", "#e4a11b"))
"""Scenarios of which single runs are drawn."""


def _rows(figures: Sequence[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    """Healthy or bad scenarios that all judges saw, the last first: axes count upwards."""
    return [each for each in figures if each["scenario"].startswith(kind) and SHOWN.keys() <= each["judges"].keys()][
        ::-1
    ]


def false_rollbacks(figures: Sequence[dict[str, Any]], axes: Axes) -> None:
    """Share of healthy canaries that each judge took back."""
    rows = _rows(figures, "H")
    for name, (label, colour, mark) in SHOWN.items():
        shares = [max(each["judges"][name]["false"], LEAST_SHARE) for each in rows]
        own = name == OURS
        axes.plot(
            shares, range(len(rows)), mark, color=colour, label=label, ms=8 if own else 5, zorder=3 + own, alpha=0.9
        )
    axes.axvline(0.01, color="black", lw=0.8, ls="--")
    axes.text(0.0105, len(rows) - 0.4, "promised: 1 %", fontsize=8, va="bottom")
    axes.set_xscale("log")
    axes.set_xticks([LEAST_SHARE, 1e-3, 1e-2, 0.1, 1], ["0", "0.1 %", "1 %", "10 %", "100 %"])
    axes.set_yticks(range(len(rows)), [f"{each['scenario']}  {each['name']}" for each in rows], fontsize=8)
    axes.set_title("Healthy canaries taken back", loc="left")


def delays(figures: Sequence[dict[str, Any]], axes: Axes) -> None:
    """Mean delay of each judge on each fault, hollow where it missed more than one in a hundred."""
    rows = _rows(figures, "B")
    for name, (label, colour, mark) in SHOWN.items():
        for place, each in enumerate(rows):
            told, own = each["judges"][name], name == OURS
            fill = "none" if told["missed"] > 0.01 else colour  # noqa: PLR2004 - what the promise allows
            delay = max(told["delay_seconds"], 1.0)
            axes.plot(delay, place, mark, color=colour, mfc=fill, ms=8 if own else 5, zorder=3 + own, alpha=0.9)
        axes.plot([], [], mark, color=colour, label=label)
    for place, each in enumerate(rows):
        limit = each["limit_seconds"]
        if limit:
            axes.plot([max(limit, 1.0)] * 2, [place - 0.35, place + 0.35], color="black", lw=1.5, zorder=2)
    axes.set_xscale("log")
    axes.set_xticks([1, 15, 60, 300, 1800], ["1 s", "15 s", "1 min", "5 min", "30 min"])
    axes.set_yticks(range(len(rows)), [f"{each['scenario']}  {each['name']}" for each in rows], fontsize=8)
    axes.set_title("Mean time until a bad canary is taken back", loc="left")
    axes.set_xlabel("bar: what no judge can beat; hollow: missed in more than 1 % of the runs")


def evidence(axes: Axes, runs: int = 12) -> None:
    """How the evidence of single runs goes: a healthy service full of noise, and two faults."""
    for key, colour in PATHS:
        scenario, judge = scenarios()[key], Ours(runs)
        minutes, paths = [], []
        for look in World(scenario, runs, 3).looks():
            judge.look(look)
            if not look.history:
                minutes.append(look.at / 60)
                paths.append(judge.log_e.copy())
        for number, path in enumerate(np.array(paths).T):
            shown = np.minimum(path, 12.0)
            axes.plot(
                minutes, shown, color=colour, lw=0.9, alpha=0.7, label=f"{key} {scenario.name}" if not number else None
            )
    axes.axhline(np.log(100), color="black", lw=0.8, ls="--")
    axes.text(29.9, np.log(100) + 0.15, "taken back above this: 1/alpha = 100", fontsize=8, ha="right")
    axes.set_xlim(0, 30)
    axes.set_xlabel("minutes since the canary's first request")
    axes.set_ylabel("log evidence")
    axes.set_title("The evidence, run by run", loc="left")


def main() -> int:
    """Draw them all."""
    figures = json.loads((HERE.parent / "results" / "judge.json").read_text())
    folder = ROOT / "docs" / "img"
    folder.mkdir(exist_ok=True)
    plt.rcParams.update(
        {
            "font.size": 9,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "svg.hashsalt": "grayling",
            "svg.fonttype": "none",
        }
    )
    for name, size, draw in (
        ("false", (9, 6), lambda axes: false_rollbacks(figures, axes)),
        ("delay", (9, 6), lambda axes: delays(figures, axes)),
        ("evidence", (9, 4), evidence),
    ):
        figure, axes = plt.subplots(figsize=size, layout="constrained")
        draw(axes)
        axes.grid(axis="x", color="#e6e6e6", lw=0.6)
        axes.set_axisbelow(True)
        figure.legend(loc="outside lower center", ncols=4, fontsize=8, frameon=False)
        figure.savefig(folder / f"judge-{name}.svg", metadata={"Date": None})
        plt.close(figure)
    return 0


if __name__ == "__main__":
    sys.exit(main())
