"""What Prometheus answers, as samples by series and time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from rollout.sources.exposition import Sample
from rollout.sources.fetch import FetchError
from rollout.sources.native import edged

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

Times: TypeAlias = "list[tuple[float, list[Sample]]]"
"""Samples by time (seconds since the epoch), oldest first."""


def series_in(body: Any, name: str = "") -> list[tuple[Mapping[str, str], Times]]:
    """Labels and samples of each series that has some, in the answer to an instant query.

    Args:
        body: the JSON.
        name: what the samples are called where the query is an expression and its result has no name.

    Raises:
        FetchError: it is an error, or no such answer.
    """
    try:
        if body["status"] != "success":
            raise FetchError(f"Prometheus refuses the query: {body.get('error', body['status'])}")
        found = [(each["metric"], list(_told(each, name))) for each in body["data"]["result"]]
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise FetchError(f"this is no answer of Prometheus to such a query: {error!r}") from error
    return [(labels, times) for labels, times in found if times]


def _told(series: Mapping[str, Any], name: str) -> Iterator[tuple[float, list[Sample]]]:
    """One sample a time, or of a native histogram one an edge.

    Raises:
        KeyError: it is no such series.
        TypeError: it is no such series.
        ValueError: a number is none.
    """
    labels = series["metric"]
    name = name or labels["__name__"]
    for at, value in _all(series, "value"):
        yield float(at), [Sample(name, labels, float(value))]
    for at, histogram in _all(series, "histogram"):
        yield float(at), edged(name, labels, histogram)


def _all(series: Mapping[str, Any], what: str) -> Iterable[Any]:
    """A series of a range has many, in ``values``; that of a moment has one, in ``value``."""
    return series.get(f"{what}s") or ([series[what]] if what in series else [])
