"""What many replicates came to, as figures and as tables."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import beta

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bench.judge.world import Scenario

OURS, BEFORE = "grayling", "grayling before"


@dataclass(slots=True)
class Result:
    """One judge on one chunk of replicates.

    Attributes:
        times: seconds of the release at which it convicted, None where it never did.
        harmed: requests that had been harmed by then.
        good: whether it was proven good at the end; our judge only.
    """

    times: list[float | None]
    harmed: list[float]
    good: list[bool] = field(default_factory=list)

    def plain(self) -> dict[str, Any]:
        """For JSON: infinity is None, harmed requests whole."""
        told = asdict(self)
        told["times"] = [None if at is None or math.isinf(at) else at for at in self.times]
        told["harmed"] = [round(value, 1) for value in self.harmed]
        return told


def summary(scenario: Scenario, chunks: Sequence[Mapping[str, Result]], limit: float) -> dict[str, Any]:
    """Figures of a scenario: for each judge how often it convicted, how soon, and at what cost.

    Of the information limit there is also the first look at or after it: nobody who looks each 15 s decides sooner.
    """
    judges = {}
    for name in chunks[0]:
        found = [chunk[name] for chunk in chunks if name in chunk]
        times = np.array([math.inf if at is None else at for result in found for at in result.times], dtype=float)
        harmed = np.array([value for result in found for value in result.harmed])
        judges[name] = _figures(scenario, times, harmed)
        good = [each for result in found for each in result.good]
        if good:
            judges[name]["good"] = round(sum(good) / len(good), 4)
    none = math.isinf(limit) or not scenario.bad
    return {
        "scenario": scenario.key,
        "name": scenario.name,
        "limit_seconds": None if none else round(limit, 1),
        "limit_at_a_look": None if none else _next_look(limit, float(scenario.said["every_seconds"])),
        "replicates": int(sum(len(chunk[OURS].times) for chunk in chunks)),
        "judges": judges,
    }


def _next_look(limit: float, every: float) -> float:
    return every * math.ceil(limit / every)


def _figures(scenario: Scenario, times: np.ndarray, harmed: np.ndarray) -> dict[str, Any]:
    fired = np.isfinite(times)
    early = fired & (times <= scenario.onset_seconds)
    horizon = 60 * float(scenario.said["minutes"]) - scenario.onset_seconds
    delay = np.where(fired, np.maximum(times - scenario.onset_seconds, 0.0), horizon)
    hits = int(fired.sum() if not scenario.bad else early.sum())
    told: dict[str, Any] = {
        "false": round(hits / times.size, 5),
        "false_at_most": round(float(beta.ppf(0.95, hits + 1, times.size - hits)) if hits < times.size else 1.0, 5),
    }
    if scenario.bad:
        told |= {
            "missed": round(float((~fired).mean()), 5),
            "delay_seconds": round(float(delay.mean()), 1),
            "delay_p95": round(float(np.quantile(delay, 0.95)), 1),
            "harmed": round(float(harmed.mean()), 1),
        }
    return told


def beside(figures: Sequence[dict[str, Any]], before: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Put those of an earlier run on the same seeds beside: our judge's as "grayling before", others' where none are.

    Where that run had another number of replicates, its number stands in brackets.
    """
    told = {each["scenario"]: each for each in before}
    found = []
    for each in figures:
        old = told.get(each["scenario"])
        if old is None:
            found.append(each)
            continue
        others = {name: value for name, value in old["judges"].items() if name not in {OURS, BEFORE}}
        ours = {OURS: each["judges"][OURS], BEFORE: old["judges"][OURS]}
        counts = [each["replicates"], old["replicates"]]
        replicates = counts[0] if counts[0] == counts[1] else f"{counts[0]} ({counts[1]})"
        found.append({**each, "replicates": replicates, "judges": {**ours, **others, **each["judges"], **ours}})
    return found


def markdown(figures: Sequence[dict[str, Any]], facts: Mapping[str, str]) -> str:
    """The tables."""
    gauges = [each for each in figures if each["scenario"].startswith(("HG", "BG"))]
    healthy = [each for each in figures if each["scenario"].startswith("H") and each not in gauges]
    bad = [each for each in figures if each["scenario"].startswith("B") and each not in gauges]
    lines = ["# The judges, side by side", ""]
    lines += [f"- {name}: {value}" for name, value in facts.items()]
    lines += ["- looks each 15 s for 30 min, alpha 1 %; scenarios and seeds in bench/judge", ""]
    lines += ["## Healthy canaries that were taken back", "", *_table(healthy, _false)]
    lines += ["", "## Bad canaries: mean delay in seconds / missed / harmed requests", "", *_table(bad, _found)]
    if gauges:
        lines += ["", "## Gauges: taken back, or mean delay in seconds / missed", "", *_table(gauges, _gauge)]
    return "\n".join(lines) + "\n"


def _table(figures: Sequence[dict[str, Any]], cell: Any) -> list[str]:
    if not figures:
        return ["(none)"]
    names = list(figures[0]["judges"])
    head = ["scenario", "limit (at a look)", "replicates", *names]
    rows = [
        [
            f"{each['scenario']} {each['name']}",
            "" if each["limit_seconds"] is None else f"{each['limit_seconds']:.0f} ({each['limit_at_a_look']:.0f})",
            str(each["replicates"]),
            *(cell(each["judges"].get(name)) for name in names),
        ]
        for each in figures
    ]
    rule = ["---", "---:", "---:", *["---:"] * len(names)]
    return ["| " + " | ".join(row) + " |" for row in [head, rule, *rows]]


def _false(told: dict[str, Any] | None) -> str:
    if told is None:
        return ""
    good = f", {100 * told['good']:.0f} % good" if "good" in told else ""
    return f"{100 * told['false']:.2f} % (≤ {100 * told['false_at_most']:.2f}){good}"


def _found(told: dict[str, Any] | None) -> str:
    if told is None:
        return ""
    early = f", {100 * told['false']:.1f} % early" if told["false"] else ""
    return f"{told['delay_seconds']:.0f} / {100 * told['missed']:.1f} % / {told['harmed']:.0f}{early}"


def _gauge(told: dict[str, Any] | None) -> str:
    return _found(told).rpartition(" / ")[0] if told and "missed" in told else _false(told)
