"""What Prometheus answers, as samples by series and time."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Any, TypeAlias

from rollout.api.texts import told
from rollout.sources.budget import MOST_SERIES_ANSWERED, over
from rollout.sources.exposition import Labels, Sample
from rollout.sources.fetch import FetchError, TooMuchError
from rollout.sources.native import edged

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

Times: TypeAlias = "list[tuple[float, list[Sample]]]"
"""Samples by time (seconds since the epoch), oldest first."""
Series: TypeAlias = "list[tuple[Mapping[str, str], Times]]"
"""Labels and samples of each series."""


def series_in(body: Any, name: str = "") -> Series:
    """Labels and samples of each series that has some, in the answer to an instant query.

    Args:
        body: the JSON.
        name: what the samples are called where the query is an expression and its result has no name.

    Raises:
        FetchError: it is an error, or no such answer.
    """
    return [found for part in _parts(body, name) for found in part]


async def series_in_turns(body: Any, name: str = "") -> Series:
    """The same; others have their turn after every :data:`SERIES_AT_ONCE` series.

    Raises:
        FetchError: it is an error, or no such answer.
    """
    found: Series = []
    for number, part in enumerate(_parts(body, name)):
        if number:
            await asyncio.sleep(0)
        found += part
    return found


def _parts(body: Any, name: str) -> Iterator[Series]:
    """The series, some at a time.

    Raises:
        FetchError: it is an error, or no such answer.
    """
    samples = 0
    try:
        if body["status"] != "success":
            refusal = f"Prometheus refuses the query: {told(body.get('error', body['status']))}"
            raise (TooMuchError if TOO_MUCH in refusal else FetchError)(refusal)
        result = _bounded(body["data"]["result"])
        for begin in range(0, len(result), SERIES_AT_ONCE):
            part = [
                (_labels(each["metric"]), list(_told(each, name))) for each in result[begin : begin + SERIES_AT_ONCE]
            ]
            samples += sum(len(each) for _, times in part for _, each in times)
            if samples > _MOST_SAMPLES:
                raise TooMuchError(f"{over('samples or more', samples, _MOST_SAMPLES)}")
            yield [(labels, times) for labels, times in part if times]
    except _NO_ANSWER as error:
        raise FetchError(f"this is no answer of Prometheus to such a query: {told(repr(error))}") from error


SERIES_AT_ONCE = 500
TOO_MUCH = "too many samples"
"""What Prometheus says of a query that would cost it more than `--query.max-samples`."""

_NO_ANSWER = (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError)
_MOST_SAMPLES = 10 * MOST_SERIES_ANSWERED


def _bounded(result: Any) -> list[Any]:
    """The series of an answer.

    Raises:
        FetchError: there are too many.
        TypeError: it is no list.
    """
    if not isinstance(result, list):
        raise TypeError(f"the result is a {type(result).__name__}")
    if len(result) > MOST_SERIES_ANSWERED:
        raise TooMuchError(f"{over('series', len(result), MOST_SERIES_ANSWERED)}")
    return result


def _labels(metric: Any) -> Mapping[str, str]:
    """The labels of a series.

    Raises:
        TypeError: they are none.
    """
    if not isinstance(metric, dict) or not all(isinstance(value, str) for value in metric.values()):
        raise TypeError("the labels of a series are no texts")
    return metric


def _time(at: Any) -> float:
    """A moment, in seconds since the epoch.

    Raises:
        ValueError: it is none.
    """
    seconds = float(at)
    if not math.isfinite(seconds):
        raise ValueError(f"a sample is of the time {at}")
    return seconds


def _told(series: Mapping[str, Any], name: str) -> Iterator[tuple[float, list[Sample]]]:
    """One sample a time, or of a native histogram one an edge.

    Raises:
        KeyError: it is no such series.
        TypeError: it is no such series.
        ValueError: a number is none.
    """
    labels = Labels(series["metric"])
    name = name or labels["__name__"]
    for at, value in _all(series, "value"):
        yield _time(at), [Sample(name, labels, float(value))]
    for at, histogram in _all(series, "histogram"):
        yield _time(at), edged(name, labels, histogram)


def _all(series: Mapping[str, Any], what: str) -> Iterable[Any]:
    """A series of a range has many, in ``values``; that of a moment has one, in ``value``."""
    return series.get(f"{what}s") or ([series[what]] if what in series else [])
