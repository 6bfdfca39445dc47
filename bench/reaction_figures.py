"""The arithmetic of the reaction benchmark: one run's stages, a scenario's medians, the tables."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from statistics import median
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

MS = 1000.0


@dataclass(frozen=True, slots=True)
class Run:
    """The moments of one run, in seconds since the epoch; None where there was none.

    Attributes:
        fault: switched on, as the pod itself said.
        start: what reaction is counted from: a caller had the first bad answer, or the pod crashed.
        evidence, decided, written, observed: from the release record.
        weight_zero: the route with weight 0 for the canary was seen by a watch.
        last_canary: a caller had the last answer of the canary (or the last bad one of nobody).
        failed: requests that failed from the fault on.
        requests: requests answered from the fault to the last answer of the canary.
        outcome: as the record says.
        culprits: the signals that convicted it.
    """

    fault: float
    start: float
    evidence: float | None
    decided: float | None
    written: float | None
    observed: float | None
    weight_zero: float | None
    last_canary: float | None
    failed: int
    requests: int
    outcome: str
    culprits: tuple[str, ...] = ()

    @property
    def seen(self) -> float | None:
        """The evidence, or the start where the run-up that convicted had begun before it by chance."""
        return None if self.evidence is None else max(self.start, self.evidence)


@dataclass(frozen=True, slots=True)
class Scenario:
    """Runs of one fault through one kind of source."""

    fault: str
    sources: str
    runs: list[Run] = field(default_factory=list)
    trouble: list[str] = field(default_factory=list)


Measure = tuple[str, "Callable[[Run], float | None]"]
Column = tuple[str, "Callable[[Scenario], str]"]


def _between(first: str, second: str) -> Callable[[Run], float | None]:
    def measured(run: Run) -> float | None:
        begin, end = getattr(run, first), getattr(run, second)
        return None if begin is None or end is None else end - begin

    return measured


WHOLE: tuple[Measure, ...] = (
    ("first bad answer → weight 0 on the route", _between("start", "weight_zero")),
    ("first bad answer → last answer of the canary", _between("start", "last_canary")),
)
# Each begins where the one before ended. The record's own clock ends at the write; the watch and the callers go on.
STAGES: tuple[Measure, ...] = (
    ("sample: first bad answer → evidence", _between("start", "seen")),
    ("judge: evidence → decision", _between("seen", "decided")),
    ("persist and write: decision → weight 0 written", _between("decided", "written")),
    ("data plane: written → last answer of the canary", _between("written", "last_canary")),
)
BARS = {("errors", "direct"): (0.6, 1.2), ("errors", "prometheus"): (1.2, None)}


def spread(values: Iterable[float | None]) -> dict[str, float] | None:
    """``median``, ``min`` and ``max`` in seconds of the values there are; None of none."""
    found = sorted(value for value in values if value is not None)
    if not found:
        return None
    return {"median": round(median(found), 4), "min": round(found[0], 4), "max": round(found[-1], 4)}


def figures(scenario: Scenario) -> dict[str, Any]:
    """Everything about a scenario, as JSON."""
    runs = scenario.runs
    return {
        "fault": scenario.fault,
        "sources": scenario.sources,
        "runs": len(runs),
        "rolled_back": sum(run.outcome == "rolled-back" for run in runs),
        "seconds": {name: spread(measure(run) for run in runs) for name, measure in (*WHOLE, *STAGES)},
        "failed_requests": spread(float(run.failed) for run in runs),
        "bar": bar(scenario),
        "trouble": scenario.trouble,
        "each": [asdict(run) for run in runs],
    }


def scenario_of(told: Mapping[str, Any]) -> Scenario:
    """The scenario of its `figures`."""
    runs = [Run(**{**each, "culprits": tuple(each["culprits"])}) for each in told["each"]]
    return Scenario(told["fault"], told["sources"], runs, list(told["trouble"]))


def bar(scenario: Scenario) -> dict[str, Any] | None:
    """Whether the scenario holds what the design promises; None where it promises nothing."""
    limits = BARS.get((scenario.fault, scenario.sources))
    found = spread(WHOLE[1][1](run) for run in scenario.runs)
    if limits is None or found is None:
        return None
    middle, worst = limits
    held = found["median"] <= middle and (worst is None or found["max"] <= worst) and not scenario.trouble
    return {"median": middle, "worst": worst, "held": held}


def markdown(scenarios: Sequence[Scenario], about: Mapping[str, str]) -> str:
    """The committed report."""
    lines = ["# How fast a bad version goes", ""]
    lines += [f"- {name}: {value}" for name, value in about.items()]
    lines += ["", "Median (smallest .. largest), in milliseconds.", ""]
    lines += _table(scenarios, [("runs", _count), *_columns(WHOLE), ("failed requests", _failed), ("bar", _bar)])
    lines += ["", "## Where the time goes", ""]
    lines += _table(scenarios, _columns(STAGES))
    troubles = [
        f"- {scenario.fault}, {scenario.sources}: {told}" for scenario in scenarios for told in scenario.trouble
    ]
    lines += ["", "## Runs that did not end as they should", "", *troubles] if troubles else []
    return "\n".join(lines) + "\n"


def _columns(measures: Sequence[Measure]) -> list[Column]:
    def column(measure: Callable[[Run], float | None]) -> Callable[[Scenario], str]:
        return lambda scenario: _cell(spread(measure(run) for run in scenario.runs), MS)

    return [(name, column(measure)) for name, measure in measures]


def _table(scenarios: Sequence[Scenario], columns: Sequence[Column]) -> list[str]:
    rows = [["fault, sources", *(name for name, _ in columns)], ["---"] * (len(columns) + 1)]
    rows += [[f"{each.fault}, {each.sources}", *(cell(each) for _, cell in columns)] for each in scenarios]
    return [f"| {' | '.join(row)} |" for row in rows]


def _count(scenario: Scenario) -> str:
    return str(len(scenario.runs))


def _failed(scenario: Scenario) -> str:
    return _cell(spread(float(run.failed) for run in scenario.runs), 1.0)


def _bar(scenario: Scenario) -> str:
    found = bar(scenario)
    if found is None:
        return "none"
    worst = "" if found["worst"] is None else f", worst {found['worst'] * MS:.0f}"
    return f"{'held' if found['held'] else 'MISSED'}: median {found['median'] * MS:.0f}{worst}"


def _cell(found: Mapping[str, float] | None, unit: float) -> str:
    if found is None:
        return "-"
    return f"{found['median'] * unit:.0f} ({found['min'] * unit:.0f} .. {found['max'] * unit:.0f})"


def epoch(text: str | float | None) -> float | None:
    """A time of the release record (RFC 3339) as seconds since the epoch."""
    if text is None or isinstance(text, int | float):
        return text
    found = datetime.fromisoformat(text)
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
