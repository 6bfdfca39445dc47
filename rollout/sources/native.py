"""Prometheus' native histograms, read as if they had buckets with fixed edges.

A native histogram has no fixed edges: its buckets grow by a factor of 2^(2^-n), only those with something in them are
told, and n differs from version to version. Edges that are powers of the square root of two are edges of every
histogram with n >= 1, so counts below them are exact and versions can be compared; a coarser one is exact at every
second of them and counts late at the others, in both arms alike.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rollout.sources.exposition import Sample

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

EDGES_SECONDS = tuple(2.0 ** (k / 2) for k in range(-20, 14))
"""1 ms to 90 s."""

_SLACK = 1 + 1e-9  # edges are told in decimals


def told(series: Mapping[str, Any]) -> Iterator[tuple[float, list[Sample]]]:
    """What a series of an answer to a range query says, by time: one sample, or of a native histogram one an edge.

    Raises:
        KeyError: it is no such series.
        TypeError: it is no such series.
        ValueError: a number is none.
    """
    labels = series["metric"]
    for at, value in series.get("values") or ():
        yield float(at), [Sample(labels["__name__"], labels, float(value))]
    for at, histogram in series.get("histograms") or ():
        yield float(at), _edged(labels, histogram)


def _edged(labels: Mapping[str, str], histogram: Mapping[str, Any]) -> list[Sample]:
    buckets = [(float(right), float(count)) for _rule, _left, right, count in histogram.get("buckets") or ()]
    below = [sum(count for right, count in buckets if right <= edge * _SLACK) for edge in EDGES_SECONDS]
    reached = [*zip(map(repr, EDGES_SECONDS), below, strict=True), ("+Inf", float(histogram["count"]))]
    return [Sample(labels["__name__"], {**labels, "le": edge}, count) for edge, count in reached]
