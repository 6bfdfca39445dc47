"""Public recordings of real services, as users download them: read, checked, and made into the course of a service.

A folder has `petshop/*/metrics.csv` and `cloud-monitoring/*/*.csv` of the repositories that series/README.md names.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bench.early.days import HOURLY
from bench.judge.public_files import DataError, cloud, column_of, petshop

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from bench.judge.world import Floats

STEP_SECONDS = 300.0
"""Of petshop's points."""

ENOUGH = 50.0
"""Requests in such a step: a canary with a tenth of them has thirty in half an hour."""

ERRORS, MEDIAN_SECONDS, SIGMA = 0.002, 0.08, 0.6
"""Of a service of which nobody recorded them, as the scenarios have them."""

QUANTILES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99}
ISSUE_POINTS, ISSUE_EARLY_SECONDS = 2, 60.0
"""An issue lasts two points, of which the first may begin a minute before it was noticed."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """How a service went.

    Attributes:
        dataset: which row of the table it belongs to.
        name: file or component.
        at: seconds of the points, shape (points,), as the columns.
        usable: whether a point is known, and nobody labelled it as an anomaly.
        rps: requests a second; None where nobody recorded them.
        errors: shares of failed requests.
        median: seconds.
        sigma: of the log latency.
        noise: by column, standard deviation of the log of what comes and goes from point to point, counting left out.
    """

    dataset: str
    name: str
    at: Floats
    usable: NDArray[np.bool_]
    rps: Floats | None
    errors: Floats
    median: Floats
    sigma: float
    noise: dict[str, float]


@dataclass(frozen=True, slots=True)
class Level:
    """What a component did over some points: means, and each point's quantiles of latency in seconds.

    Attributes:
        requests: a second.
        errors: share of failed requests.
        quantiles: shape (points, QUANTILES).
    """

    requests: float
    errors: float
    quantiles: Floats


@dataclass(frozen=True, slots=True)
class Issue:
    """A fault that somebody injected into petshop: a component before it and during it."""

    kind: str
    name: str
    before: Level
    during: Level


def everything(data: Path) -> tuple[list[Recorded], dict[str, list[str]]]:
    """All healthy series in a folder, and names of those that were left out, by why.

    Raises:
        DataError: there is no such folder, nothing in it, or something in it cannot be read.
    """
    if not data.is_dir():
        raise DataError(f"{data}: no such folder; give one with petshop/ or cloud-monitoring/ of the repositories")
    found: list[Recorded] = []
    left: dict[str, list[str]] = {}
    for file in sorted(data.glob("petshop/*_noissue/metrics.csv")):
        for each in components(file):
            if each.rps is not None and np.nan_to_num(each.rps).mean() * STEP_SECONDS >= ENOUGH:
                found.append(each)
            else:
                why = f"{each.dataset}, fewer than {ENOUGH:.0f} requests in 5 min"
                left.setdefault(why, []).append(each.name)
    for folder, read in CLOUD.items():
        found.extend(read(file) for file in sorted(data.glob(f"cloud-monitoring/{folder}/*.csv")))
    if not found:
        where = ", ".join(["petshop/*_noissue/metrics.csv", *(f"cloud-monitoring/{each}/*.csv" for each in CLOUD)])
        raise DataError(f"{data}: no series in it; it needs one of {where}")
    return found, left


def components(file: Path) -> list[Recorded]:
    """Every component of a file of petshop that has requests and latency; median, else the average for it."""
    at, table = petshop(file)
    found = []
    for name, columns in table.items():
        requests = column_of(file, name, columns, "requests Sum")
        median = columns.get("latency p50")
        if median is None:
            median = column_of(file, name, columns, "latency Average")
        upper, availability = columns.get("latency p95"), columns.get("availability Average")
        errors = np.full(at.size, ERRORS) if availability is None else 1 - availability / 100
        sigma = SIGMA if upper is None else _sigma(median, upper)
        usable = np.isfinite(requests) & np.isfinite(errors) & (median > 0)
        count = max(float(np.nanmean(requests)), 1e-9)
        rate = float(np.nanmean(errors[usable])) if usable.any() else 0.0
        counting = {
            "load": 1 / count,
            "errors": (1 - rate) / (count * rate) if rate else 0.0,
            "median_seconds": np.pi / 2 * sigma**2 / count,
        }
        series = {"load": requests, "errors": errors, "median_seconds": median}
        noise = {column: spread(values[usable], counting[column]) for column, values in series.items()}
        dataset = f"petshop, {file.parent.name.partition('_')[0]} load"
        found.append(Recorded(dataset, name, at, usable, requests / STEP_SECONDS, errors, median, sigma, noise))
    return found


def issues(data: Path) -> list[Issue]:
    """Petshop's injected faults: the component where they showed, and the one where they were."""
    found = []
    for file in sorted(data.glob("petshop/*_train/issue_*/target.json")):
        try:
            told = json.loads(file.read_text())
            since = float(told["target"]["timestamp"]) - ISSUE_EARLY_SECONDS
            names = told["target"]["node"], told["root_cause"]["node"]
            command = str(told["metadata"]["reproducibility"]["command"])
        except (ValueError, KeyError, TypeError) as wrong:
            raise DataError(
                f"{file}: {wrong!r}; it needs target, root_cause and metadata as petshop has them"
            ) from wrong
        metrics = file.with_name("metrics.csv")
        at, table = petshop(metrics)
        first = int(np.searchsorted(at, since))
        if first == 0 or first + ISSUE_POINTS > at.size:
            raise DataError(
                f"{file}: timestamp: {since + ISSUE_EARLY_SECONDS:.0f} is not within {metrics}; take both anew"
            )
        words = command.replace("'", "").split()
        kind = f"{words[words.index('--name') + 1].rpartition('/')[2]} {words[words.index('--value') + 1]}"
        for name in names:
            parts = slice(0, first), slice(first, first + ISSUE_POINTS)
            before, during = (level(metrics, name, table, part) for part in parts)
            found.append(Issue(kind, name, before, during))
    return found


def calm_pairs(data: Path, names: Sequence[str], every: int) -> list[Issue]:
    """Healthy points as if they were issues: two, and the two after them, each so many points of the high load."""
    found = []
    for file in sorted(data.glob("petshop/high_noissue/metrics.csv")):
        at, table = petshop(file)
        for first in range(0, at.size - 2 * ISSUE_POINTS, every):
            for name in names:
                middle, end = first + ISSUE_POINTS, first + 2 * ISSUE_POINTS
                before, during = (level(file, name, table, part) for part in (slice(first, middle), slice(middle, end)))
                found.append(Issue("none: a healthy day", name, before, during))
    return found


def level(file: Path, name: str, table: dict[str, dict[str, Floats]], part: slice) -> Level:
    """What a component did over some points of a file."""
    columns = {each: column_of(file, name, table.get(name, {}), each)[part] for each in LEVEL}
    requests, availability = columns["requests Sum"], columns["availability Average"]
    errors = 1 - float((requests * availability).sum() / requests.sum()) / 100
    quantiles = np.stack([columns[f"latency {each}"] for each in QUANTILES], axis=1)
    if not (np.isfinite(quantiles).all() and np.isfinite(errors)):
        raise DataError(f"{file}: column {name}: empty where an issue is; take the file anew")
    return Level(float(requests.mean()) / STEP_SECONDS, errors, quantiles)


LEVEL = ("requests Sum", "availability Average", *(f"latency {each}" for each in QUANTILES))


def spread(values: Floats, counting: float) -> float:
    """Standard deviation of a point's log around what its neighbours tell, without what counting explains.

    By the median deviation, so that outages and jumps, which are in the level, are not taken for noise.
    """
    between = (values[:-2] + values[2:]) / 2
    known = between > 0
    if known.sum() < 8:  # noqa: PLR2004 - points
        return 0.0
    residual = values[1:-1][known] / between[known] - 1
    deviation = 1.4826 * float(np.median(np.abs(residual - np.median(residual))))
    return float(np.sqrt(max(deviation**2 / 1.5 - counting, 0.0)))


def _sigma(median: Floats, upper: Floats) -> float:
    known = (median > 0) & (upper > 0)
    ratio = np.median(np.log(upper[known] / median[known])) if known.any() else 1.645 * SIGMA
    return float(np.clip(ratio / 1.645, 0.3, 2.0))


def _latency(file: Path) -> Recorded:
    """Average milliseconds of an API's calls, as its median; an hour without calls has 0."""
    at, values, usable = cloud(file)
    usable, median = usable & (values > 0), values / 1000
    noise = {"median_seconds": spread(median[usable], 0.0)}
    return Recorded("API latency", file.stem, at, usable, None, np.full(at.size, ERRORS), median, SIGMA, noise)


def _requests(file: Path) -> Recorded:
    """Requests a second."""
    at, values, usable = cloud(file)
    noise = {"load": spread(values[usable], 0.0)}
    return _alike("request rate", file, at, usable, values, np.full(at.size, ERRORS), noise)


def _unavailable(file: Path) -> Recorded:
    """Whether a service was unavailable in a minute: all of its requests fail then."""
    at, values, usable = cloud(file)
    return _alike("unavailability", file, at, usable, None, ERRORS + (1 - ERRORS) * np.clip(values, 0, 1), {})


def _crashes(file: Path) -> Recorded:
    """Crashes in an hour, as failures among `HOURLY` requests."""
    at, values, usable = cloud(file)
    noise = {"errors": spread(values[usable], 1 / max(float(np.nanmean(values)), 1e-9))}
    return _alike("application crashes as errors", file, at, usable, None, np.clip(values / HOURLY, 0, 1), noise)


def _alike(
    dataset: str,
    file: Path,
    at: Floats,
    usable: NDArray[np.bool_],
    rps: Floats | None,
    errors: Floats,
    noise: dict[str, float],
) -> Recorded:
    """A series whose latency nobody recorded."""
    return Recorded(dataset, file.stem, at, usable, rps, errors, np.full(at.size, MEDIAN_SECONDS), SIGMA, noise)


CLOUD: dict[str, Callable[[Path], Recorded]] = {
    "middle-tier-api-dependency-latency": _latency,
    "ecommerce-api-incoming-rps": _requests,
    "service-unavailable": _unavailable,
    "application-crash-rate-1": _crashes,
}
