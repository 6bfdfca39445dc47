"""From the samples of one pod to the counters of one signal: which series are its own, and what they add up to."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from rollout.signals.kinds import SIGNAL_KINDS, Family
from rollout.sources.budget import MOST_SERIES
from rollout.sources.exposition import Labels
from rollout.sources.increments import MOST_COUNT, ImpossibleError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from rollout.api.spec import Signal
    from rollout.sources.exposition import Sample

Key: TypeAlias = str | float
"""A status, or the upper edge of a bucket in seconds."""
Series: TypeAlias = bytes
"""What tells a series from the others of its family: see :class:`~rollout.sources.exposition.Labels`."""
BIRTH = "process_start_time_seconds"
"""The series that says since when a pod's process counts."""

MOST_GAUGE = 1e21
"""No gauge is higher, nor lower than its negative: nanoseconds since the epoch are, and bytes."""


def signal_family(signal: Signal) -> Family:
    """The family of its kind."""
    return SIGNAL_KINDS[signal.kind].family


def family_of(signal: Signal) -> str:
    """The metric (or expression) a signal is read from."""
    return signal.query or signal.metric or SIGNAL_KINDS[signal.kind].metric or ""


def series_of(signal: Signal) -> list[str]:
    """The names its samples may carry: a histogram's are those of its buckets, a native one's its own."""
    family = family_of(signal)
    return [f"{family}_bucket", family] if signal_family(signal) is Family.LATENCY and not signal.query else [family]


@dataclass(slots=True)
class Counted:
    """The counters of one pod, series by series.

    Attributes:
        counts: value by series.
        keys: status or bucket edge by series; empty for a series without the label that says it.
        labelled: whether any series has that label.
        labels: names of the labels of a series that has it not.
    """

    counts: dict[Series, int]
    keys: dict[Series, Key]
    labelled: bool = False
    labels: Collection[str] = ()


def shows(signal: Signal, samples: Iterable[Sample]) -> bool:
    """Whether a signal's series are among the samples."""
    if signal_family(signal) is Family.GAUGE:
        return bool(values_of(signal, samples))
    names, edged = series_of(signal), signal_family(signal) is Family.LATENCY
    return any(sample.name in names and (not edged or _edge(sample.labels) is not None) for sample in samples)


def birth_of(samples: Iterable[Sample]) -> float:
    """When the pod's process began; 0 where it does not say."""
    births = [sample.value for sample in samples if sample.name == BIRTH and 0 <= sample.value <= MOST_COUNT]
    return max(births, default=0.0)


def values_of(signal: Signal, samples: Iterable[Sample]) -> list[float]:
    """What a gauge's series show; values that no gauge has are left out."""
    name = family_of(signal)
    return [sample.value for sample in samples if sample.name == name and abs(sample.value) <= MOST_GAUGE]


def counted(signal: Signal, samples: Iterable[Sample]) -> Counted:
    """The counters of a signal, by series.

    Of a histogram that is told with buckets and as a native one the buckets count.

    Raises:
        ImpossibleError: one of them is negative, no number, or higher than anybody counts, or they are too many.
    """
    found = Counted({}, {})
    known, edged, label = list(samples), signal_family(signal) is Family.LATENCY, signal.label
    for name in series_of(signal):
        for sample in known:
            if sample.name == name:
                key = _edge(sample.labels) if edged else sample.labels.get(label)
                if edged and key is None:
                    continue
                _add(found, sample, key)
        if found.counts:
            break
    if len(found.counts) > MOST_SERIES:
        raise ImpossibleError(f"{len(found.counts):,} series of {family_of(signal)}; at most {MOST_SERIES:,} are read")
    return found


def _add(found: Counted, sample: Sample, key: Key | None) -> None:
    labels, value = sample.labels, sample.value
    if not 0 <= value <= MOST_COUNT:  # nor is NaN
        raise ImpossibleError(f"a counter of {sample.name} is at {value:.3g}")
    series = (labels if isinstance(labels, Labels) else Labels(labels)).series
    found.counts[series] = found.counts.get(series, 0) + int(value)
    if key is None:
        found.keys[series], found.labels = "", labels.keys()
    else:
        found.keys[series], found.labelled = key, True


def counts_of(signal: Signal, samples: Iterable[Sample]) -> dict[Key, int]:
    """Counter values by status, or cumulative counts by bucket edge; summed over all other labels.

    Raises:
        ImpossibleError: as for :func:`counted`.
    """
    found = counted(signal, samples)
    return summed(found.counts, found.keys)


def summed(counts: Mapping[Series, int], keys: Mapping[Series, Key]) -> dict[Key, int]:
    """Counts by status or bucket edge, over all series of each."""
    total: dict[Key, int] = {}
    for series, count in counts.items():
        key = keys[series]
        total[key] = total.get(key, 0) + count
    return total


def _edge(labels: Mapping[str, str]) -> float | None:
    """The upper edge of a bucket; None where the labels name none."""
    try:
        edge = float(labels.get("le", ""))
    except ValueError:
        return None
    return None if math.isnan(edge) else edge


def shared_edges(bucket_sets: Iterable[Collection[Key]]) -> tuple[float, ...]:
    """The finite edges that every set has, of times: none below 0.

    Cumulative counts are exact at the edges a histogram has and nowhere else, so versions with different buckets are
    compared at those they share.
    """
    sets = [{edge for edge in edges if isinstance(edge, float) and 0 <= edge < math.inf} for edges in bucket_sets]
    return tuple(sorted(set.intersection(*sets))) if sets else ()


def bucket_counts(cumulative: Mapping[Key, int], edges: tuple[float, ...]) -> tuple[int, ...]:
    """Counts per bucket from cumulative ones; the last is over the top edge. A torn read never makes one negative."""
    counts, below = [], 0
    for edge in (*edges, math.inf):
        reached = max(below, cumulative.get(edge, 0))
        counts.append(reached - below)
        below = reached
    return tuple(counts)
