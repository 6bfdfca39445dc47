"""Requests and errors of services over quiet days, five minutes each, and of real applications; from fixed seeds."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import numpy as np

from rollout.engine.drift import DAY

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    Counts = tuple[NDArray[np.int64], NDArray[np.int64]]

KINDS = ("nothing else", "daily cycle", "days differ", "weekends", "clumps", "all of these", "bursts")
SLOT_S, RPS, SHARE = 300, 50.0, 0.001
HOURLY = 100_000
"""Requests an hour of the real applications, of which only their crashes are known."""


def quiet(kind: str, days: int, rng: np.random.Generator) -> Counts:
    """Requests and errors, each of shape (days, DAY): a service of 10 to 50 requests a second, of which 0.1 % fail."""
    both, at = kind == "all of these", np.arange(DAY) / DAY
    load = np.tile(RPS * SLOT_S * (0.6 - 0.4 * np.cos(2 * np.pi * at)), (days, 1))
    share = np.full((days, DAY), SHARE)
    if both or kind in {"daily cycle", "days differ"}:
        share *= 1 + 0.5 * np.cos(2 * np.pi * at)
    if both or kind == "days differ":
        share *= np.exp(rng.normal(size=(days, 1)) * 0.15)
    if both or kind == "weekends":
        weekend = np.arange(days) % 7 >= 5  # noqa: PLR2004 - five working days
        load[weekend] *= 0.5
        share[weekend] *= 1.3
    if kind == "bursts":
        share *= np.where(rng.random((days, DAY)) < 0.01, 8, 1)  # noqa: PLR2004 - three a day
    requests = rng.poisson(load)
    together = 3 if both or kind == "clumps" else 1
    return requests, np.minimum(rng.poisson(requests * share / together) * together, requests)


def drifted(counts: Counts, share: float, begins: int, rng: np.random.Generator) -> Counts:
    """The same, of whose last day so large a share fails from then on."""
    requests, errors = counts[0], counts[1].copy()
    errors[-1, begins:] += rng.poisson(requests[-1, begins:] * (share - SHARE))
    return requests, np.minimum(errors, requests)


def real(data: Path, rng: np.random.Generator) -> Iterator[tuple[str, Counts, NDArray[np.bool_]]]:
    """Crashes of applications as errors: name, counts, and on which days somebody has marked an hour as odd."""
    for file in sorted(data.glob("cloud-monitoring/application-crash-rate-1/*.csv")):
        rows = [row for row in csv.reader(file.read_text().splitlines()) if row and row[1].replace(".", "").isdigit()]
        days = len(rows) // 24
        values = np.array([float(row[1]) for row in rows[: days * 24]])
        marked = np.array([float(row[2]) for row in rows[: days * 24]]).reshape(days, 24).any(axis=1)
        errors = np.concatenate([rng.multinomial(round(each), np.full(12, 1 / 12)) for each in values])
        requests = np.full(days * DAY, HOURLY // 12)
        yield file.stem, (requests.reshape(days, DAY), errors.reshape(days, DAY)), marked
