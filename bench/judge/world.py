"""Made-up services: what the pods of a scenario would have counted, look by look, for many replicates at once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml
from scipy.special import ndtr

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

EDGES = np.array([0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10])
"""Upper bucket edges in seconds, as Prometheus' clients have them by default."""

GROWN = 9000.0
"""Age in seconds of a pod that was there long before."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """One row of scenarios.yaml.

    Attributes:
        key: its short name; H for healthy, B for bad.
        name: what is the matter.
        said: its keys, defaults filled in.
    """

    key: str
    name: str
    said: dict[str, Any]

    @property
    def bad(self) -> bool:
        """Whether the canary is to be taken back."""
        return self.key.startswith("B")

    @property
    def onset_seconds(self) -> float:
        """When the canary begins to be bad."""
        return 60.0 * float(self.said["onset"])

    def at(self, key: str, seconds: float) -> float:
        """A value at a time of the release; before it, its first value."""
        return value_at(self.said[key], seconds / 60)

    def canary_errors(self, seconds: float) -> float:
        """The canary's error rate."""
        own = self.said["canary_errors"]
        return self.at("stable_errors", seconds) if own is None else value_at(own, seconds / 60)


@dataclass(frozen=True, slots=True)
class Look:
    """What happened between two looks; the last pod is the canary's.

    Attributes:
        at: seconds since the canary's first request, at most 0 in the history.
        seconds: time since the look before that arrived, shape (replicates,).
        requests: shape (replicates, pods).
        failed: shape (replicates, pods).
        buckets: requests by latency, shape (replicates, pods, edges + 1).
        crashes: shape (replicates, pods).
        ages: seconds at the middle of the look, shape (pods,).
        arrived: whether the look arrived, shape (replicates,); what a lost one had is in the next.
    """

    at: float
    seconds: Floats
    requests: Floats
    failed: Floats
    buckets: Floats
    crashes: Floats
    ages: Floats
    arrived: NDArray[np.bool_]

    @property
    def history(self) -> bool:
        """Before the canary had requests."""
        return self.at <= 0


def value_at(value: Any, minute: float) -> float:
    """A number, a step function, or a line between points."""
    if isinstance(value, dict):
        minutes, values = zip(*value["linear"], strict=True)
        return float(np.interp(minute, minutes, values))
    if isinstance(value, list):
        return float(next((said for since, said in reversed(value) if minute >= since - 1e-9), value[0][1]))
    return float(value)


def scenarios() -> dict[str, Scenario]:
    """All scenarios by key."""
    path = Path(__file__).with_name("scenarios.yaml")
    told = yaml.safe_load(path.read_text())
    found: dict[str, Scenario] = {}
    for key, own in told["scenarios"].items():
        unknown = set(own) - set(told["defaults"]) - {"name"}
        if unknown:
            raise ValueError(f"{path}: {key} has unknown keys {sorted(unknown)}")
        found[key] = Scenario(key, own["name"], told["defaults"] | own)
    return found


class Series:
    """How a real service went: a window of it for each replicate, drawn at random.

    Args:
        name: of a file in series/, whose columns are named as in its README.
        seconds: length of the windows.
        before: seconds of them that are history.
        rng: draws them.
        replicates: how many.
    """

    def __init__(self, name: str, seconds: float, before: float, rng: np.random.Generator, replicates: int) -> None:
        path = Path(__file__).with_name("series") / f"{name}.csv"
        told = np.genfromtxt(path, delimiter=",", names=True)
        self._columns = {column: told[column] for column in told.dtype.names or ()}
        self._start = rng.uniform(0.0, told["seconds"][-1] - seconds, replicates) + before

    def at(self, column: str, seconds: float) -> Floats:
        """A column's value at a time of the release, 0 where the file has no such column; shape (replicates, 1)."""
        if column not in self._columns:
            return np.zeros((self._start.size, 1))
        return np.interp(self._start + seconds, self._columns["seconds"], self._columns[column])[:, None]

    def relative(self, column: str, seconds: float) -> Floats:
        """The same over the mean of all, 1 where the file has no such column."""
        mean = float(self._columns[column].mean()) if column in self._columns else 0.0
        return self.at(column, seconds) / mean if mean else np.ones((self._start.size, 1))


class World:
    """Replicates of a scenario, made one look at a time.

    Args:
        scenario: what is the matter.
        replicates: how many.
        seed: numbers are the same for the same seed and scenario.
    """

    def __init__(self, scenario: Scenario, replicates: int, seed: int) -> None:
        self.scenario, self.replicates = scenario, replicates
        said = scenario.said
        self._rng = np.random.default_rng([seed, *scenario.key.encode()])
        self.pods = int(said["stable_pods"])
        shape = (replicates, self.pods + 1)
        self._error_effect = np.exp(self._spread(said["pod_spread"], shape))
        self._error_effect[:, -1] *= np.exp(self._spread(said["user_spread"], (replicates,)))
        self._latency_effect = np.exp(self._spread(said["pod_latency_spread"], shape))
        length = [60 * float(said[key]) for key in ("history_minutes", "minutes")]
        self._series = self._course(*length)
        self._sigma: float | Floats = float(said["sigma"])
        self._owed: list[Floats] = []
        minutes = said["canary_crash_minutes"]
        between = self._rng.normal(60.0 * (minutes or 0), 6.0 * (minutes or 0), (replicates, 60 if minutes else 0))
        self._falls = between.cumsum(axis=1)  # seconds at which the canary crashes, shape (replicates, crashes)

    def looks(self) -> Iterator[Look]:
        """History, then the release."""
        said = self.scenario.said
        every = float(said["every_seconds"])
        before, after = (round(60 * float(said[key]) / every) for key in ("history_minutes", "minutes"))
        for number in range(-before + 1, after + 1):
            yield self._look(number * every, every)

    def _course(self, before: float, after: float) -> Series | None:
        """What load, errors and latency follow, for so many seconds of history and of release."""
        name = self.scenario.said["series"]
        return Series(name, before + after, before, self._rng, self.replicates) if name else None

    def _spread(self, deviation: float, shape: tuple[int, ...]) -> Floats:
        heavy = self.scenario.said["tails"] == "student3"
        drawn = self._rng.standard_t(3, shape) / np.sqrt(3) if heavy else self._rng.standard_normal(shape)
        return np.asarray(deviation * drawn)

    def _ages(self, middle: float) -> Floats:
        """Ages of the pods, negative for those that are not there yet (or have gone)."""
        said = self.scenario.said
        ages = np.full(self.pods + 1, GROWN)
        ages[-1] = middle
        if said["starts"]:
            first = -60.0 * float(said["history_minutes"])
            born = first + 60.0 + 240.0 * np.arange(self.pods)
            # a pod that was replaced had been there for long
            ages[:-1] = np.where(middle >= born, middle - born, GROWN)
        if said["scaling"]:
            phase = (middle / 60) % 12  # every 12 minutes a third of the pods are there for 6
            extra = np.arange(self.pods) % 3 == 0
            ages[:-1] = np.where(extra, 60 * phase if phase < 6 else -1.0, ages[:-1])  # noqa: PLR2004 - minutes
        return ages

    def _look(self, at: float, every: float) -> Look:
        scenario, said, rng = self.scenario, self.scenario.said, self._rng
        middle = at - every / 2
        since = max(at - every, 0.0)
        history = at <= 0
        ages = self._ages(middle)
        there = ages[:-1] >= 0
        share = 0.0 if history else scenario.at("share", since)
        load = float(said["rps"]) * every * (1 + float(said["load_swing"]) * np.sin(2 * np.pi * middle / 1800))
        mean = np.append(np.where(there, load * (1 - share) / max(int(there.sum()), 1), 0.0), load * share)
        present = mean > 0
        if self._series is not None:
            mean = mean * self._series.relative("load", middle)
        requests = rng.poisson(mean, (self.replicates, self.pods + 1))
        errors = np.full(self.pods + 1, scenario.at("stable_errors", 0.0 if history else since))
        median = np.full(self.pods + 1, float(said["median_seconds"]))
        if not history:
            errors[-1] = scenario.canary_errors(since)
            median[-1] *= scenario.at("latency_factor", since)
        errors, median = self._cold(errors, median, ages)
        by_chance = float(said["crashes_per_hour"]) * np.ones((self.replicates, 1))
        if self._series is not None:
            errors = errors + self._series.at("errors", middle)
            median = median * self._series.relative("median_seconds", middle)
            by_chance += self._series.at("crashes_per_hour", middle) / (self.pods + 1)
        hit = self._hit()
        burst = said["burst"]
        rate = np.clip(errors * self._error_effect * np.where(hit, burst["errors"], 1.0), 0.0, 1.0)
        clump = int(said["clump"])
        failed = np.minimum(clump * rng.binomial(requests, rate / clump), requests)
        typical = median * self._latency_effect * np.where(hit, burst["latency"], 1.0)
        buckets = rng.multinomial(requests, self._shares(typical, history=history))
        crashes = rng.poisson(by_chance * every / 3600 * present, (self.replicates, self.pods + 1))
        crashes[:, -1] += ((self._falls > since) & (self._falls <= at)).sum(axis=1)
        arrived = np.asarray(history | (rng.random(self.replicates) >= float(said["lost"])))
        seconds = np.full(self.replicates, every)
        counts = self._carried(
            [seconds, *(each.astype(float) for each in (requests, failed, buckets, crashes))], arrived
        )
        return Look(at, *counts, ages, arrived)

    def _carried(self, counts: list[Floats], arrived: NDArray[np.bool_]) -> list[Floats]:
        """What is delivered of the counts: with what lost looks owe, and nothing where this one is lost."""
        if self._owed:
            counts = [now + before for now, before in zip(counts, self._owed, strict=True)]
        masks = [arrived.reshape(-1, *(1,) * (each.ndim - 1)) for each in counts]
        self._owed = [np.where(mask, 0.0, each) for each, mask in zip(counts, masks, strict=True)]
        return [np.where(mask, each, 0.0) for each, mask in zip(counts, masks, strict=True)]

    def _cold(self, errors: Floats, median: Floats, ages: Floats) -> tuple[Floats, Floats]:
        cold = self.scenario.said["cold"]
        if cold is None:
            return errors, median
        left = np.clip(1 - np.maximum(ages, 0.0) / float(cold["seconds"]), 0.0, 1.0)
        return errors + float(cold["errors"]) * left, median * (1 + (float(cold["latency_factor"]) - 1) * left)

    def _hit(self) -> NDArray[np.bool_]:
        burst = self.scenario.said["burst"]
        drawn = self._rng.random((self.replicates, self.pods + 1))
        if burst["together"]:
            drawn[:] = drawn[:, :1]
        return np.asarray(drawn < float(burst["probability"]))

    def _shares(self, median: Floats, *, history: bool) -> Floats:
        """Chance of each bucket, shape (replicates, pods, edges + 1)."""
        said = self.scenario.said
        shares = lognormal(median, self._sigma, EDGES)
        slow = float(said["slow_share"])
        if slow and not history:
            late = lognormal(median[:, -1:], self._sigma, np.maximum(EDGES - float(said["slow_seconds"]), 1e-9))
            shares[:, -1:] = (1 - slow) * shares[:, -1:] + slow * late
        return shares


def lognormal(median: Floats, sigma: float | Floats, edges: Floats) -> Floats:
    """Chance of each bucket between edges, the last one over the top; shape of the medians and (edges + 1,)."""
    return between(ndtr((np.log(edges) - np.log(median)[..., None]) / sigma))


def between(below: Floats) -> Floats:
    """Chance of each bucket, of the chances to be below each edge."""
    ends = np.ones((*below.shape[:-1], 1))
    return np.asarray(np.diff(np.concatenate([below, ends], axis=-1), axis=-1, prepend=0.0))
