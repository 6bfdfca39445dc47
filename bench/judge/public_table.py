"""What came of public series, as a page."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from bench.judge.noise_run import share_of
from bench.judge.public_worlds import FAULTS, PODS, RPS, told
from bench.machine import page

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bench.judge.noise_run import Played
    from bench.judge.public_data import Issue, Recorded
    from bench.judge.world import Floats

    Measured = tuple["Cell", Mapping[str, "Found"]]

COLUMNS = (
    "series of",
    "load",
    "series",
    "healthy windows",
    "taken back (upper bound)",
    "good",
    "errors + 2 points: missed of all; where counts tell",
    "latency x 1.5: missed of all; where counts tell",
)
HOW = f"""
Each row has windows of 90 min of its series, an hour of it history: nine pods of stable and one of the canary. They
differ for good, by {100 * PODS["pod_spread"]:.0f} % in errors and {100 * PODS["pod_latency_spread"]:.0f} % in latency
(standard deviation), even while a service is down. As recorded, petshop's components have 0.2 to 4 requests a second;
where nobody recorded the load it is {RPS:.0f}.
*Where counts tell* leaves out series in which nobody could tell the fault by the counts of half an hour
(`judge/limit.py`: pods alike); delays are of those, 1,800 s for a miss.

Series of which a healthy window was taken back:
"""
ISSUES = """
Faults that were injected into petshop: a component during the ten minutes of an issue as the canary; what it did before
as stable and its hour of history, at its mean. Each pod has that part of the recorded requests. Told is how many were
found, and of how many issues the counts tell it. Rows of a healthy day take two points for stable and the two
after them for the canary: what is told there is that times differ.

"""


@dataclass(frozen=True, slots=True)
class Cell:
    """A row of the table: series of a dataset, at the recorded load or at a raised one."""

    dataset: str
    series: tuple[Recorded, ...]
    raised: bool

    @property
    def load(self) -> float | None:
        """Requests a second on the mean; None for those that were recorded."""
        return RPS if self.raised else None

    @property
    def words(self) -> str:
        """Dataset and load."""
        return f"{self.dataset}, {f'{RPS:.0f} a second' if self.raised else 'as recorded'}"


@dataclass(slots=True)
class Found:
    """Of each window its series, when it was convicted, whether it was good, by which signal, and what it was like."""

    series: list[str] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    good: list[bool] = field(default_factory=list)
    by: list[str] = field(default_factory=list)
    why: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, names: Sequence[str], of_each: int, played: Played) -> Found:
        """What was played, as many windows of each series in turn."""
        times = [np.inf if at is None else at for at in played.times]
        return cls(np.repeat(names, of_each).tolist(), times, played.good, played.by)

    def add(self, other: Found) -> None:
        """Add a chunk."""
        self.series += other.series
        self.times += other.times
        self.good += other.good
        self.by += other.by
        self.why += other.why

    def times_of(self, names: Sequence[str]) -> Floats:
        """When windows of some series were convicted."""
        return np.array(self.times)[np.isin(self.series, list(names))]


def row(cell: Cell, found: Mapping[str, Found]) -> str:
    """The table's row of a cell."""
    dataset, _, load = cell.words.rpartition(", ")
    figures = [str(len(cell.series)), *_healthy([found["healthy"]])]
    for fault in (each for each in FAULTS if each != "healthy"):
        telling = [each.name for each in cell.series if told(each, fault, cell.load)]
        figures += [_missed(found[fault], telling)]
    return f"| {dataset} | {load} | {' | '.join(figures)} |"


def _healthy(found: Sequence[Found]) -> list[str]:
    times = np.array([at for each in found for at in each.times])
    good = np.mean([at for each in found for at in each.good])
    return [str(times.size), share_of(np.isfinite(times)), f"{good:.0%}"]


def _missed(found: Found, telling: Sequence[str]) -> str:
    times, those = np.array(found.times), found.times_of(telling)
    of_all = f"{np.isinf(times).mean():.0%} of {times.size}"
    if not those.size:
        return f"{of_all}; none"
    delay = np.minimum(those, 1800.0)
    missed = f"{np.isinf(those).mean():.0%} of {those.size}"
    return f"{of_all}; {missed}, median {np.median(delay):.0f} s, mean {delay.mean():.0f} s"


def _pooled(rows: Sequence[Measured]) -> str:
    series = {(each.dataset, each.name) for cell, _ in rows for each in cell.series}
    windows, taken, good = _healthy([found["healthy"] for _, found in rows])
    return f"| **all** | | {len(series)} | {windows} | **{taken}** | {good} | | |"


def notes(rows: Sequence[Measured]) -> list[str]:
    """A line for each series of which a healthy window was taken back."""
    lines = []
    for cell, found in rows:
        healthy, taken = found["healthy"], defaultdict(list)
        for name, at, by, why in zip(healthy.series, healthy.times, healthy.by, healthy.why, strict=True):
            if np.isfinite(at):
                taken[name].append(f"by {by} after {at:.0f} s ({why})")
        for name, those in taken.items():
            size = healthy.series.count(name)
            lines.append(f"- {name} ({cell.words}): {len(those)} of {size}, {'; '.join(those)}")
    return lines or ["- none"]


def issue_rows(issues: Sequence[Issue], columns: Mapping[str, tuple[Found, Sequence[bool]]]) -> list[str]:
    """A row for each kind of issue and component.

    Args:
        issues: what was recorded.
        columns: by part of the requests: what came of them, and which the counts tell.
    """
    groups: dict[tuple[str, str], list[int]] = defaultdict(list)
    for number, issue in enumerate(issues):
        groups[issue.kind, issue.name.partition("_")[0]].append(number)
    lines = []
    for (kind, component), those in sorted(groups.items()):
        more = [100 * (issues[at].during.errors - issues[at].before.errors) for at in those]
        span = f"{min(more):+.1f} to {max(more):+.1f}"
        figures = [_told(found, telling, those) for found, telling in columns.values()]
        lines.append(f"| {kind} | {component} | {len(those)} | {span} | {' | '.join(figures)} |")
    return lines


def _told(found: Found, telling: Sequence[bool], those: Sequence[int]) -> str:
    of_each = len(found.times) // len(telling)
    times = np.array(found.times).reshape(-1, of_each)[list(those)]
    by = Counter(np.array(found.by).reshape(-1, of_each)[list(those)][np.isfinite(times)].tolist())
    seen = times[np.isfinite(times)]
    how = f" ({', '.join(sorted(by))}, median {np.median(seen):.0f} s)" if seen.size else ""
    return f"{seen.size} of {times.size}{how}; counts: {sum(telling[at] for at in those)} of {len(those)}"


def report(
    rows: Sequence[Measured], parts: Sequence[str], issues: Sequence[str], left: Mapping[str, Sequence[str]]
) -> str:
    """The page.

    Args:
        rows: what came of each cell.
        parts: columns of the issues' table.
        issues: its rows.
        left: what was left out, by why.
    """
    table = page("The judge on public series", COLUMNS, [*(row(*each) for each in rows), _pooled(rows)])
    lines = [table.rstrip("\n"), HOW.rstrip("\n"), "", *notes(rows)]
    if issues:
        head = ["injected", "component", "issues", "points of errors more", *(f"told, {part}" for part in parts)]
        lines += [ISSUES.rstrip("\n"), "", f"| {' | '.join(head)} |", f"| ---{' | ---' * (len(head) - 1)} |", *issues]
    lines += ["", "Left out:", "", *(f"- {why}: {', '.join(names)}" for why, names in left.items())]
    return "\n".join(lines) + "\n"
