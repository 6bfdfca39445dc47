"""The committed table and picture of :mod:`scale`."""

from __future__ import annotations

import json
import statistics
from typing import TYPE_CHECKING, Any

from machine import about_this_machine, page

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

COLUMNS = (
    "releases in flight, signals",
    "engine, of one core (waited for it)",
    "API server and proxies on paper, of another",
    "memory, MB",
    "looks/s",
    "reads of a proxy/s",
    "looks late, ms: median, p99",
    "fault → weight 0, ms: median (all)",
    "taken back without a fault",
    "created at once, s",
    "first step verified, s",
    "load",
)
Row = dict[str, Any]


def write(results: Sequence[Row], where: Path) -> None:
    """`scale.md`, `scale.json`, and `scale.svg` where there is matplotlib."""
    rows = [_row(each) for each in results]
    (where / "scale.md").write_text(page("What one engine carries", COLUMNS, rows) + _AFTER)
    (where / "scale.json").write_text(json.dumps({**about_this_machine(), "results": results}, indent=1) + "\n")
    try:
        draw(results, where / "scale.svg")
    except ImportError:
        print("no matplotlib: no picture")


def kept(where: Path) -> list[Row]:
    """What was measured before, of whatever signals."""
    path = where / "scale.json"
    found: list[Row] = json.loads(path.read_text())["results"] if path.exists() else []
    return found


_AFTER = """
All releases are in their first step, which is read four times a second unless the engine stretches that (load above 1).
Signals: `gateway` is errors at the gateway and crashes; `pods` is latency from each pod's own metrics besides. The
fault lets half of the canary's 20 requests a second fail. Machine and cores are shared with whatever else runs there.

![cost and reaction](scale.svg)
"""


def _row(each: Row) -> str:
    reactions = each["reactions_ms"]
    told = ", ".join(f"{one:g}" for one in sorted(reactions))
    cells = (
        f"{each['releases']}, {each['signals']}",
        f"{100 * each['engine_cpu']:.0f} % ({100 * each['engine_waited']:.0f} %)",
        f"{100 * each['platform_cpu']:.0f} %",
        f"{each['memory_mb']:.0f}",
        f"{each['looks']:.0f}",
        f"{each['reads']:.1f}",
        f"{each['late_p50_ms']:.0f}, {each['late_p99_ms']:.0f}",
        f"{statistics.median(reactions):.0f} ({told})",
        str(each["taken_back"]),
        f"{each['created_s']:.1f}",
        f"{each['begun_s']:.1f}",
        f"{each['load']:.1f}",
    )
    return f"| {' | '.join(cells)} |"


def draw(results: Sequence[Row], where: Path) -> None:
    """The cost curve, and the reaction beside it."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.4), layout="constrained")
    cost, reaction, memory = figure.subplots(1, 3)
    for signals in dict.fromkeys(each["signals"] for each in results):
        mine = [each for each in results if each["signals"] == signals]
        count = [each["releases"] for each in mine]
        cost.plot(count, [100 * each["engine_cpu"] for each in mine], "o-", label=signals)
        reaction.plot(count, [statistics.median(each["reactions_ms"]) for each in mine], "o-", label=signals)
        memory.plot(count, [each["memory_mb"] for each in mine], "o-", label=signals)
    for axes, title in ((cost, "engine, % of one core"), (reaction, "fault → weight 0, ms"), (memory, "memory, MB")):
        axes.set(title=title, xlabel="releases in flight", ylim=(0, None))
        axes.grid(alpha=0.3)
        axes.legend()
    figure.savefig(where, metadata={"Date": None})
