"""Services in which healthy pods differ on every scale of time: looks of the cells of noise.yaml, many at once.

A pod's error rate and median latency are those of the service times factors: one for good (its own, its node's, its
zone's), one that wanders, one of a neighbour that comes and goes, one of a batch that hits one pod at a time, one of a
dependency that reaches the pods one after the other. Stable's pods beyond `TOLD_APART` are summed up, as the judge
does; so are the canary's.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml

from bench.judge.random_cells import drawn
from bench.judge.world import EDGES, GROWN, Look, lognormal
from rollout.judge.data.batch import MOST_PODS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.judge.world import Floats

TOLD_APART = MOST_PODS
"""Pods of stable that have a place of their own in a look."""

_TIMED_OUT = 7.0
"""Seconds after which a request times out."""

POOLED = "random"
"""Key of the row of services that are drawn at random."""

OF_EACH = 10
"""Replicates of each of them."""

ROLES = ("healthy", "twice", "bad")


@dataclass(frozen=True, slots=True)
class Cell:
    """One row of noise.yaml.

    Attributes:
        key: its short name.
        name: what is the matter.
        role: healthy; twice, where `good` would be wrong; or bad.
        said: its keys, defaults filled in.
    """

    key: str
    name: str
    role: str
    said: dict[str, Any]

    @property
    def onset_seconds(self) -> float:
        """When the canary begins to be bad."""
        return 60.0 * float(self.said["fault"]["at"])


def cells() -> dict[str, Cell]:
    """All cells by key.

    Raises:
        ValueError: a key is unknown.
    """
    path = Path(__file__).with_name("noise.yaml")
    told = yaml.safe_load(path.read_text())
    defaults, found = told["defaults"], {}
    for role in ROLES:
        for key, own in told[role].items():
            for name, value in own.items():
                inside = set(value) - set(defaults[name]) if isinstance(value, dict) else set()
                if (name not in defaults and name != "name") or inside:
                    raise ValueError(f"{path}: {key} has unknown keys {sorted(inside or {name})}")
            said = {
                name: default | own.get(name, {}) if isinstance(default, dict) else own.get(name, default)
                for name, default in defaults.items()
            }
            found[key] = Cell(key, own["name"], role, said)
    found[POOLED] = Cell(POOLED, "services drawn at random, ten replicates of each", "healthy", defaults)
    return found


def worlds(cell: Cell, replicates: int, seed: int) -> list[NoiseWorld]:
    """Return a chunk of replicates of a cell: one world, or for the pooled row of random services one for each ten."""
    if cell.key != POOLED:
        return [NoiseWorld(cell, replicates, seed)]
    services = range(seed * replicates // OF_EACH, (seed + 1) * replicates // OF_EACH)
    return [
        NoiseWorld(Cell(f"{POOLED}-{number}", cell.name, cell.role, drawn(number, cell.said)), OF_EACH, 0)
        for number in services
    ]


class NoiseWorld:
    """Replicates of a cell, made one look at a time.

    Args:
        cell: what is the matter.
        replicates: how many.
        seed: numbers are the same for the same seed and cell.
    """

    def __init__(self, cell: Cell, replicates: int, seed: int) -> None:
        self.cell, self.replicates = cell, replicates
        said = cell.said
        self._rng = np.random.default_rng([seed, *cell.key.encode(), 0])
        self._stable, self._ours = int(said["pods"]), int(said["canary_pods"])
        self._shape = replicates, self._stable + self._ours
        # Logarithms of the factors for good, of errors and of latency; then those that wander.
        self._lasting = np.stack([self._spread(name) for name in ("errors", "latency")]) + self._slow()
        self._wandering = self._rng.standard_normal((2, *self._shape))
        self._hit = self._rng.random(self._shape) < float(said["neighbour"]["chance"])
        self._batch = np.full(replicates, -1)
        self._late = self._rng.random(self._shape)
        if said["dependency"]["canary"] is not None:
            self._late[:, self._stable :] = float(said["dependency"]["canary"])
        self._late *= float(said["dependency"]["apart"])

    def looks(self) -> Iterator[Look]:
        """History, then the release."""
        said = self.cell.said
        every = float(said["every_seconds"])
        before, after = (round(60 * float(said[key]) / every) for key in ("history_minutes", "minutes"))
        for number in range(-before + 1, after + 1):
            yield self._look(number * every, every)

    def _spread(self, name: str) -> Floats:
        told = self.cell.said["spread"]
        if told["shape"] == "student3":
            drawn = self._rng.standard_t(3, self._shape) / np.sqrt(3)
        elif told["shape"] == "two-point":
            drawn = np.where(self._rng.random(self._shape) < 0.5, -1.0, 1.0)  # noqa: PLR2004 - one kind or the other
        else:
            drawn = self._rng.standard_normal(self._shape)
        return np.asarray(float(told[name]) * drawn)

    def _slow(self) -> Floats:
        """Logarithms of what slow nodes, or zones, do to each pod; shape (2, replicates, pods)."""
        told = self.cell.said["slow"]
        groups = int(told["groups"]) or self._shape[1]
        slow = self._rng.random((self.replicates, groups)) < float(told["share"])
        where = self._rng.integers(0, groups, self._shape) if told["groups"] else np.tile(np.arange(groups), (1, 1))
        pods = np.take_along_axis(slow, np.broadcast_to(where, self._shape), axis=1)
        return np.stack([np.where(pods, np.log(float(told[name])), 0.0) for name in ("errors", "latency")])

    def _move(self, every: float, at: float) -> None:
        """Let everything that changes go on by a look."""
        rng, said = self._rng, self.cell.said
        kept = np.exp(-every / float(said["wander"]["seconds"]))
        if said["wander"]["errors"] or said["wander"]["latency"]:
            fresh = rng.standard_normal(self._wandering.shape)
            self._wandering = kept * self._wandering + np.sqrt(1 - kept**2) * fresh
        chance, lasts = float(said["neighbour"]["chance"]), max(float(said["neighbour"]["seconds"]), every)
        if chance:
            ends = every / lasts
            begins = ends * chance / (1 - chance)
            drawn = rng.random(self._shape)
            self._hit = np.where(self._hit, drawn >= ends, drawn < begins) if ends < 1 else drawn < chance
        cron = said["cron"]
        if cron["minutes"]:
            since = at % (60 * float(cron["minutes"]))
            if since < every:
                self._batch = rng.integers(0, self._shape[1], self.replicates)
            elif since >= float(cron["seconds"]):
                self._batch = np.full(self.replicates, -1)

    def _factors(self, since: float, at: float, every: float) -> Floats:
        """Factors of the error rate and of the median of each pod in a look; shape (2, replicates, pods)."""
        said = self.cell.said
        self._move(every, at)
        names = ("errors", "latency")
        logs = self._lasting + self._wandering * np.array([said["wander"][name] for name in names])[:, None, None]
        batch = np.arange(self._shape[1]) == self._batch[:, None]
        for hit, told in ((self._hit, said["neighbour"]), (batch, said["cron"])):
            logs = logs + np.where(hit, np.log([told[name] for name in names])[:, None, None], 0.0)
        factors = np.exp(logs)
        # Of a dependency's fault each pod has as much of the look as there is of it since it came there.
        told = said["dependency"]
        began = 60 * float(told["at"]) + self._late
        share = np.clip(np.minimum(at, began + float(told["seconds"])) - np.maximum(since, began), 0.0, None) / every
        for which, name in enumerate(names):
            factors[which] *= 1 + share * (float(told[name]) - 1)
            if at > self.cell.onset_seconds and at > 0:
                factors[which, :, self._stable :] *= float(said["fault"][name])
        return factors

    def _look(self, at: float, every: float) -> Look:
        said, rng = self.cell.said, self._rng
        history = at <= 0
        errors, latency = self._factors(at - every, at, every)
        here = self._stable + (0 if history else self._ours)
        load = float(said["rps"]) * every / here
        rate = float(said["errors"]) * errors
        if not history and at <= float(said["outage"]["seconds"]):
            rate = rate + float(said["outage"]["errors"]) * errors
        ages = np.full(min(self._stable, TOLD_APART + 1) + 1, GROWN)
        clump = int(said["clump"])
        # Pods that are told apart, the rest of stable, and the canary; rates of sums are means.
        load_of, rate_of, median_of = [], [], []
        for group in self._groups():
            load_of.append(load * (group.stop - group.start) if group.start < self._stable or not history else 0.0)
            rate_of.append(rate[:, group].mean(axis=1))
            median_of.append(float(said["median_seconds"]) * np.exp(np.log(latency[:, group]).mean(axis=1)))
        requests = rng.poisson(np.array(load_of), (self.replicates, len(load_of)))
        chance = np.clip(np.stack(rate_of, axis=1), 0.0, 1.0)
        failed = np.minimum(clump * rng.binomial(requests, chance / clump), requests)
        shares = lognormal(np.stack(median_of, axis=1), float(said["sigma"]), EDGES)
        shares = np.maximum(shares, 0.0) / shares.sum(axis=-1, keepdims=True)
        if said["timeouts"]["share"] or said["timeouts"]["hit"]:
            shares = self._timed_out(shares, at)
        buckets = rng.multinomial(requests, shares)
        arrived = np.ones(self.replicates, dtype=np.bool_)
        counts = [each.astype(float) for each in (requests, failed, buckets, np.zeros_like(requests))]
        return Look(at, np.full(self.replicates, every), *counts, ages, arrived)

    def _timed_out(self, shares: Floats, at: float) -> Floats:
        """Shares of the requests by bucket, where some of them end between 5 and 10 s instead."""
        told = self.cell.said["timeouts"]
        rate = np.where(self._hit, float(told["share"]) + float(told["hit"]), float(told["share"]))
        if at > self.cell.onset_seconds and at > 0:
            rate[:, self._stable :] *= float(self.cell.said["fault"]["timeouts"])
        rate = np.stack([rate[:, group].mean(axis=1) for group in self._groups()], axis=1)[..., None]
        late = np.zeros(shares.shape[-1])
        late[np.searchsorted(EDGES, _TIMED_OUT)] = 1.0
        rate = np.minimum(rate, 1.0)
        return shares * (1 - rate) + late * rate

    def _groups(self) -> list[slice]:
        """Which pods each place of a look is about."""
        told = min(self._stable, TOLD_APART)
        places = [slice(at, at + 1) for at in range(told)]
        rest = [slice(told, self._stable)] if self._stable > told else []
        return [*places, *rest, slice(self._stable, self._shape[1])]
