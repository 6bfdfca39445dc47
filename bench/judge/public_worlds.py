"""Services that follow public recordings: windows of them at random times, dealt to stable's pods and a canary's.

A window is 90 minutes in a row of which every point is known and none is labelled as an anomaly. Between points load,
error rate and median latency are interpolated. What makes neighbouring points differ beyond counting (by their median
deviation) is put back as noise of the *shared* level, drawn anew for each look: a look of 15 s strays as far as a point
of five minutes or an hour does, for all pods alike. So the level wanders as recorded from point to point, and as much
again within. Pods differ by 20 % in errors and 3 % in latency, for good; requests, failures and latency are counted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtr, ndtri

from bench.judge.limit import limit_seconds, nats_of_buckets
from bench.judge.public_data import QUANTILES, STEP_SECONDS
from bench.judge.world import EDGES, Scenario, Series, World, between, scenarios
from rollout.judge.model.power import kl_two_sample

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from bench.judge.public_data import Issue, Level, Recorded
    from bench.judge.world import Floats

RPS = 200.0
"""Requests a second of a service where nobody recorded them, or where the recorded load is raised."""

PODS = {"pod_spread": 0.2, "pod_latency_spread": 0.03}
FAULTS: dict[str, dict[str, Any]] = {
    "healthy": {},
    "errors": {"canary_errors": 0.02},
    "latency": {"latency_factor": 1.5},
}
"""What is the matter with the canary: 2 points more errors, half as slow again."""

SECONDS = 5400.0
RARE = 1e-6
"""A share of which nobody has seen one."""

ALPHA = 0.01


def windows(recorded: Recorded) -> Floats:
    """First and last second at which a window may begin, shape (runs, 2); none where no stretch is long enough."""
    at, step = recorded.at, float(np.median(np.diff(recorded.at)))
    joined = recorded.usable[1:] & recorded.usable[:-1] & (np.diff(at) <= 2 * step)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], joined, [False]]).astype(int)))
    runs = np.array([(at[first], at[last] - SECONDS) for first, last in edges.reshape(-1, 2)]).reshape(-1, 2)
    return np.asarray(runs[runs[:, 1] >= runs[:, 0]])


def scenario_of(key: str, fault: str, more: dict[str, Any]) -> Scenario:
    """A scenario of the bench whose level comes from elsewhere: what is told is over 1."""
    defaults = scenarios()["H1"].said
    level = {"rps": 1.0, "stable_errors": 0.0, "median_seconds": 1.0}
    return Scenario(("H" if fault == "healthy" else "B") + key, key, defaults | level | PODS | FAULTS[fault] | more)


class Windows(Series):
    """Windows of recordings, as many of each in turn; levels as they are, not over their mean.

    Args:
        recorded: the recordings.
        of_each: windows of each.
        times: seconds of the middles of the looks, those of the release above 0.
        rng: draws times and noise.
        rps: the mean load, which goes as recorded; None for the recorded one.
    """

    def __init__(
        self, recorded: Sequence[Recorded], of_each: int, times: Floats, rng: np.random.Generator, rps: float | None
    ) -> None:
        self._times = times
        self._start = np.zeros(len(recorded) * of_each)
        self._columns = {name: np.zeros((self._start.size, times.size)) for name in COLUMNS}
        for number, each in enumerate(recorded):
            rows = slice(number * of_each, (number + 1) * of_each)
            runs = windows(each)
            chosen = rng.choice(len(runs), of_each, p=_lengths(runs))
            begins: Floats = rng.uniform(runs[chosen, :1], runs[chosen, 1:])
            when = begins + times - times[0]
            for name, values in zip(COLUMNS, (_load(each, rps), each.errors, each.median), strict=True):
                known = np.isfinite(values)
                level = np.interp(when, each.at[known], values[known])
                noise = each.noise.get(name, 0.0)
                self._columns[name][rows] = level * np.exp(noise * rng.standard_normal(level.shape) - noise**2 / 2)

    def at(self, column: str, seconds: float) -> Floats:
        """A column at the look whose middle that is, shape (replicates, 1); 0 where it is not recorded."""
        if column not in self._columns:
            return np.zeros((self._start.size, 1))
        return self._columns[column][:, [int(np.argmin(np.abs(self._times - seconds)))]]

    def relative(self, column: str, seconds: float) -> Floats:
        """The same: the scenario's own load and median are 1."""
        return self.at(column, seconds)


COLUMNS = ("load", "errors", "median_seconds")


def _lengths(runs: Floats) -> Floats:
    length = runs[:, 1] - runs[:, 0] + 1.0
    return np.asarray(length / length.sum())


def _load(recorded: Recorded, rps: float | None) -> Floats:
    if recorded.rps is None:
        return np.full(recorded.at.size, rps or RPS)
    return recorded.rps * rps / np.nanmean(recorded.rps) if rps else recorded.rps


class PublicWorld(World):
    """Windows of several recordings, as many of each, side by side.

    Args:
        recorded: the recordings.
        fault: what is the matter with the canary.
        of_each: windows of each.
        seed: numbers are the same for the same seed and recordings.
        rps: the mean load; None for the recorded one.
    """

    def __init__(self, recorded: Sequence[Recorded], fault: str, of_each: int, seed: int, rps: float | None) -> None:
        self._recorded, self._of_each, self._rps = recorded, of_each, rps
        super().__init__(scenario_of(recorded[0].dataset, fault, {}), len(recorded) * of_each, seed)
        self._sigma = np.repeat([each.sigma for each in recorded], of_each)[:, None, None]

    def _course(self, before: float, after: float) -> Series:
        every = float(self.scenario.said["every_seconds"])
        times = np.arange(-before + every / 2, after, every)
        self._windows = Windows(self._recorded, self._of_each, times, self._rng, self._rps)
        return self._windows

    def around(self, replicate: int, at: float) -> str:
        """What a canary was like, and how its service went in a look."""
        luck = [each[replicate, -1] for each in (self._error_effect, self._latency_effect)]
        errors, median = (float(self._windows.at(name, at)[replicate, 0]) for name in COLUMNS[1:])
        return (
            f"its pod had {luck[0]:.2f} times the errors and {luck[1]:.2f} times the latency for good; the service then"
            f" {errors:.1%} and {1000 * median:.3g} ms"
        )


def told(recorded: Recorded, fault: str, rps: float | None) -> bool:
    """Whether the counts of half an hour tell a fault at all, pods being alike and nothing wandering."""
    usable, load = recorded.usable, _load(recorded, rps)
    errors = max(float(recorded.errors[usable].mean()), RARE)
    said = {
        "rps": float(load[usable].mean()),
        "stable_errors": errors,
        "median_seconds": float(np.median(recorded.median[usable])),
        "sigma": recorded.sigma,
    }
    if fault == "errors":
        said["canary_errors"] = min(errors + FAULTS["errors"]["canary_errors"], 1.0)
    return bool(np.isfinite(limit_seconds(scenario_of(recorded.name, fault, said))))


class _Apart(Series):
    """Levels that do not change, of stable's pods and of the canary; shape (replicates, pods)."""

    def __init__(self, columns: dict[str, Floats], pods: int) -> None:
        self._levels = {name: np.repeat(both, [pods, 1], axis=1) for name, both in columns.items()}

    def at(self, column: str, seconds: float) -> Floats:  # noqa: ARG002 - as a course is asked
        return self._levels.get(column, np.zeros((1, 1)))

    def relative(self, column: str, seconds: float) -> Floats:
        return self.at(column, seconds) if column in self._levels else np.ones((1, 1))


class IssueWorld(World):
    """Components before an issue as stable and its history, during the issue as the canary, as many of each in turn.

    Each pod of stable has `part` of the recorded requests, and so has the canary. It lasts as long as was recorded.

    Args:
        issues: what was recorded.
        part: of the requests.
        of_each: replicates of each.
        seed: numbers are the same for the same seed and issues.
    """

    def __init__(self, issues: Sequence[Issue], part: float, of_each: int, seed: int) -> None:
        self.issues, self._of_each, self._part = issues, of_each, part
        pods = scenarios()["H1"].said["stable_pods"] + 1
        said = {"rps": pods, "share": 1 / pods, "minutes": STEP_SECONDS / 60 * len(issues[0].during.quantiles)}
        super().__init__(scenario_of("issues", "healthy", said), len(issues) * of_each, seed)

    def _course(self, before: float, after: float) -> Series:  # noqa: ARG002 - levels stay as they are
        levels = [(each.before, each.during) for each in self.issues]
        columns = {
            "load": [[self._part * each.requests for each in both] for both in levels],
            "errors": [[each.errors for each in both] for both in levels],
        }
        return _Apart({name: np.repeat(each, self._of_each, axis=0) for name, each in columns.items()}, self.pods)

    def _shares(self, median: Floats, *, history: bool) -> Floats:
        parts = []
        for number, issue in enumerate(self.issues):
            rows = median[number * self._of_each : (number + 1) * self._of_each]
            stable, canary = (quantile_shares(rows, each) for each in (issue.before, issue.during))
            parts.append(np.where(history | (np.arange(self.pods + 1) < self.pods)[:, None], stable, canary))
        return np.concatenate(parts)

    def told(self, issue: Issue) -> bool:
        """Whether the counts of an issue tell the two apart at all, pods being alike."""
        seconds = 60 * float(self.scenario.said["minutes"])
        canary, stable = (each.requests * self._part * seconds for each in (issue.during, issue.before))
        stable *= self.pods
        own, other = (np.maximum(quantile_shares(np.ones(1), each)[0], RARE) for each in (issue.during, issue.before))
        worse, healthy = (max(each.errors, RARE) for each in (issue.during, issue.before))
        errors = kl_two_sample(canary, stable, worse, healthy) if worse > healthy else 0.0
        return bool(errors + nats_of_buckets(canary, stable, own, other) >= np.log(1 / ALPHA))


def quantile_shares(scale: Floats, level: Level) -> Floats:
    """Chance of each bucket where latencies are those of a level times a scale; shape of the scale and (edges + 1,).

    Between the recorded quantiles, and beyond them, the log latency is normal.
    """
    known = ndtri(list(QUANTILES.values()))
    far = np.array([-8.0, 8.0])
    below: Floats = np.zeros((*scale.shape, EDGES.size))
    for quantiles in np.log(level.quantiles):
        steps = np.maximum(np.diff(quantiles), 1e-6)
        quantiles = quantiles[0] + np.concatenate([[0.0], steps.cumsum()])  # noqa: PLW2901 - no two alike
        slopes = steps[[0, -1]] / np.diff(known)[[0, -1]]
        ends = quantiles[[0, -1]] + slopes * (far - known[[0, -1]])
        log_edges = np.log(EDGES) - np.log(scale)[..., None]
        x = np.concatenate([ends[:1], quantiles, ends[1:]])
        below += ndtr(np.interp(log_edges, x, np.concatenate([far[:1], known, far[1:]])))
    return between(below / len(level.quantiles))
