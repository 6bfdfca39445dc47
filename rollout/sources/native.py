"""Prometheus' native histograms, read as if they had buckets with fixed edges.

A native histogram has no fixed edges: its buckets grow by a factor of 2^(2^-n), only those with something in them are
told, and n differs from version to version. Edges that are powers of the square root of two are edges of every
histogram with n >= 1, so counts below them are exact and versions can be compared; a coarser one is exact at every
second of them and counts late at the others, in both arms alike.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rollout.sources.exposition import Labels, Sample

if TYPE_CHECKING:
    from collections.abc import Mapping

EDGES_SECONDS = tuple(2.0 ** (k / 2) for k in range(-20, 14))
"""1 ms to 90 s."""

MOST_BUCKETS = 5_000
"""Of a native histogram; Prometheus' own limit is lower where it has one."""

_SLACK = 1 + 1e-9  # edges are told in decimals


def edged(name: str, labels: Mapping[str, str], histogram: Mapping[str, Any]) -> list[Sample]:
    """A histogram of an answer as one sample an edge, with the requests up to it.

    Raises:
        KeyError: it is no histogram.
        TypeError: it is no histogram.
        ValueError: a number is none.
    """
    if len(histogram.get("buckets") or ()) > MOST_BUCKETS:
        raise ValueError(f"a histogram of {len(histogram['buckets'])} buckets")
    buckets = [(float(right), float(count)) for _rule, _left, right, count in histogram.get("buckets") or ()]
    below = [sum(count for right, count in buckets if right <= edge * _SLACK) for edge in EDGES_SECONDS]
    reached = [*zip(map(repr, EDGES_SECONDS), below, strict=True), ("+Inf", float(histogram["count"]))]
    return [Sample(name, Labels({**labels, "le": edge}), count) for edge, count in reached]
