"""From looks to numbers: what each arm and each of stable's pods did since the look before, column by column.

The looks of one moment are mostly of the same pods. So they are read as lines, one number for each pod, and the lines
of all signals are summed up in one product of matrices: what was counted, times where it belongs.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import NamedTuple, TypeAlias, assert_never

import numpy as np

from rollout.judge.data.ages import AGES, YOUNG_SECONDS, age_bin
from rollout.judge.data.batch import MOST_PODS, Batch
from rollout.judge.data.columns import Columns
from rollout.judge.data.places import MOST_PLACES, places_of
from rollout.judge.data.pod_slots import Layout, PodSlots
from rollout.judge.model import bucket_edges as edges
from rollout.judge.model.onset_prior import Floats, Indices
from rollout.judge.model.ridits import BINS, bins_of
from rollout.signals.kinds import SIGNAL_KINDS, Family, Kind
from rollout.signals.looks import Arm, PodLook, SignalLook

_Reader: TypeAlias = Callable[[Sequence[PodLook]], tuple[list[float], list[float]]]

_CANARY = Arm.CANARY
_PER_REQUEST = frozenset(family for family in Family if family.denominator == "requests")


@dataclass(slots=True)
class Reading:
    """What a look of a signal says of the arms as wholes.

    Attributes:
        whole: requests or pod-seconds, whatever the edges, of canary and stable.
        requests: requests of canary and stable, whatever the kind.
        uncounted: requests that the canary's pods reported where none of them was counted.
        seconds: longest exposure of any pod.
    """

    whole: tuple[float, float]
    requests: tuple[int, int]
    uncounted: int
    seconds: float


class _Asked(NamedTuple):
    """A look to be read: where its signal is, its pods, how they lie, and the longest exposure of any."""

    at: int
    pods: list[PodLook]
    layout: Layout
    seconds: float


def read(batch: Batch, looks: Sequence[tuple[int, SignalLook, PodSlots]], columns: Columns) -> list[Reading]:
    """Read looks into a batch; negative increments (a counter that went back) count as nothing.

    Args:
        batch: where to; its `looked`, `at` and `seconds` are left to the caller.
        looks: each with the index of its signal and the slots of stable's pods.
        columns: where each signal's numbers are, and at which edges they are judged.

    Returns:
        One reading for each look.
    """
    groups: dict[tuple[Layout, tuple[float, ...] | None], list[_Asked]] = {}
    for index, look, slots in looks:
        latency = columns.families[index] is Family.LATENCY
        asked = _ask(index, look, slots)
        groups.setdefault((asked.layout, look.edges_seconds if latency else None), []).append(asked)
    counts = np.zeros((2, columns.count, 2 + MOST_PODS))
    readings: dict[int, Reading] = {}
    for (layout, upper), group in groups.items():
        lines = _counted(group, columns) if upper is None else _latency(group, upper, columns)
        looked, height, pods = lines.shape
        # What was counted, times where it belongs: one product for all looks of the group.
        flat = lines.reshape(looked * height, pods)
        sums = (flat @ layout.belongs).reshape(looked, height, -1)
        if layout.inside.shape[1]:
            _put_places(batch, group, (flat @ layout.inside).reshape(looked, height, 2, -1), layout, columns)
        wholes = _put(batch, counts, group, sums, columns)
        for asked, whole in zip(group, wholes, strict=True):
            readings[asked.at] = _reading(asked, columns.families[asked.at], *whole)
    batch.counts, batch.pods = counts[:, :, :2].transpose(2, 0, 1).reshape(4, -1).T, counts[:, :, 2:]
    return [readings[index] for index, *_ in looks]


def _ask(index: int, look: SignalLook, slots: PodSlots) -> _Asked:
    pods = list(look.pods.values())
    canary, seconds, youngest, placed = [], 0.0, math.inf, False
    for pod in pods:
        placed = placed or bool(pod.node or pod.zone)
        canary.append(pod.arm is _CANARY)
        if pod.exposure_seconds > seconds:  # noqa: PLR1730 - twice as fast as max()
            seconds = pod.exposure_seconds
        if pod.age_seconds < youngest:  # noqa: PLR1730 - the same of min()
            youngest = pod.age_seconds
    bins: list[int] = []
    if youngest - seconds / 2 < YOUNG_SECONDS:
        bins = [age_bin(pod.age_seconds - pod.exposure_seconds / 2) for pod in pods]
    return _Asked(index, pods, slots.layout(list(look.pods), canary, bins, places_of(pods) if placed else []), seconds)


def _put(
    batch: Batch, counts: Floats, group: Sequence[_Asked], sums: Floats, columns: Columns
) -> list[tuple[float, float]]:
    """Put a group's sums where they belong.

    Args:
        batch: where requests that have scores go.
        counts: where failures and sizes go, shape (2, columns, 2 + MOST_PODS).
        group: k looks.
        sums: of the lines of each look, by where they belong: failures and sizes of the signal's columns; for latency
            also all requests, and those in each bucket that has a score. Shape (k, lines, 2 + MOST_PODS), and
            2 * AGES more where pods are young.
        columns: where each signal's numbers are.

    Returns:
        Sizes of canary and stable, whatever the edges, of each look.
    """
    where = _columns_of(group, columns)
    width, every = where.shape[1], 1  # `every` is the line of the sizes, whatever the edges
    if sums.shape[2] > counts.shape[2]:
        _put_young(batch, where, sums[:, :width], sums[:, width : 2 * width])
        sums = sums[:, :, : counts.shape[2]]
    # The first lines are the failures of the signal's columns, then come their sizes.
    counts[:, where] = sums[:, : 2 * width].reshape(len(group), 2, width, -1).transpose(1, 0, 2, 3)
    if sums.shape[1] > 2 * width:
        # Latency: then all requests, then those in each scored bucket, which belong to the signal's first column.
        every, inside, firsts = 2 * width, sums[:, 2 * width + 1 :], where[:, 0]
        scored = [at for at, asked in enumerate(group) if columns.ridit_edges[asked.at]]
        if len(scored) < len(group):
            firsts, inside = firsts[scored], inside[scored]
        batch.bucket_counts[:2, firsts] = inside[..., :2].transpose(2, 0, 1)
        batch.bucket_counts[2, firsts] = inside[..., 2:].sum(axis=2)
        # Pods have the sum of their scores for failures there (judge.md, "Latency").
        counts[0, firsts, 2:] = np.matmul(columns.scores[firsts, None], inside[..., 2:])[:, 0]
    wholes: list[tuple[float, float]] = sums[:, every, :2].tolist()
    return wholes


def _put_places(batch: Batch, group: Sequence[_Asked], sums: Floats, layout: Layout, columns: Columns) -> None:
    """Put what pods did where they run.

    Args:
        batch: where to.
        group: k looks.
        sums: of the lines of each look (see `_put`) by place, of stable and of the canary, shape (k, lines, 2, places).
        layout: of their pods.
        columns: where each signal's numbers are.
    """
    if batch.places is None or batch.pod_places is None:
        batch.places = np.zeros((3, batch.at.size, MOST_PLACES + 1))
        batch.pod_places = np.full((batch.at.size, MOST_PODS), -1.0)
    where = _columns_of(group, columns)
    width = where.shape[1]
    batch.places[:2, where] = sums[:, : 2 * width, 0].reshape(len(group), 2, width, -1).transpose(1, 0, 2, 3)
    batch.places[2, where] = sums[:, width : 2 * width, 1]
    batch.pod_places[where] = layout.places
    scored = [at for at, asked in enumerate(group) if columns.ridit_edges[asked.at]]
    if scored:
        firsts = where[scored, 0]
        inside = sums[scored, 2 * width + 1 :, 0]
        batch.places[0, firsts] = np.matmul(columns.scores[firsts, None], inside)[:, 0]


def _columns_of(group: Sequence[_Asked], columns: Columns) -> Indices:
    """The columns of a group's signals, shape (k, width)."""
    reserved = [columns.reserved[asked.at] for asked in group]
    return _column_indices(tuple([span.start for span in reserved]), reserved[0].stop - reserved[0].start)


@lru_cache(maxsize=256)
def _column_indices(starts: tuple[int, ...], width: int) -> Indices:
    """So many columns from each start on, shape (k, width)."""
    where: Indices = np.array(starts, dtype=np.intp)[:, None] + np.arange(width)
    return where


def _put_young(batch: Batch, where: Indices, failed: Floats, size: Floats) -> None:
    """Put what young pods did where it belongs.

    Args:
        batch: where to.
        where: columns of k looks, shape (k, width).
        failed: of all pods by where they belong, shape (k, width, 2 + MOST_PODS + 2 * AGES).
        size: the same of sizes.
    """
    if batch.young is None:
        batch.young = np.zeros((3, batch.at.size, AGES))
    batch.young[0, where] = size[..., -2 * AGES : -AGES] / np.maximum(size[..., :1], 1e-300)
    batch.young[1, where], batch.young[2, where] = failed[..., -AGES:], size[..., -AGES:]


def _reading(asked: _Asked, family: Family, canary: float, stable: float) -> Reading:
    if family in _PER_REQUEST and canary > 0:
        return Reading((canary, stable), (int(canary), int(stable)), 0, asked.seconds)
    each = [pod.requests if pod.requests > 0 else 0 for pod in asked.pods]  # noqa: FURB136 - twice as fast as max()
    ours = sum([each[at] for at in asked.layout.canary])
    requests = (int(canary), int(stable)) if family in _PER_REQUEST else (ours, sum(each) - ours)
    return Reading((canary, stable), requests, ours if canary <= 0 else 0, asked.seconds)


def _counted(group: Sequence[_Asked], columns: Columns) -> Floats:
    """Failures and sizes of signals that are no latency, shape (k, 2, pods)."""
    found = [_READERS[columns.signals[asked.at].kind](asked.pods) for asked in group]
    lines: Floats = np.maximum(np.array(found, dtype=np.float64), 0.0)
    return lines


def _errors(pods: Sequence[PodLook]) -> tuple[list[float], list[float]]:
    failed: list[float] = _events_of(pods)
    size: list[float] = [pod.requests for pod in pods]
    if max(failed, default=0) > min(size, default=0):
        size = list(map(max, failed, size))
    return failed, size


def _crashes(pods: Sequence[PodLook]) -> tuple[list[float], list[float]]:
    return [pod.crashes for pod in pods], [pod.exposure_seconds for pod in pods]


def _events(pods: Sequence[PodLook]) -> tuple[list[float], list[float]]:
    return _events_of(pods), [pod.exposure_seconds for pod in pods]


def _reader_of(kind: Kind) -> _Reader | None:
    """Reads failures and sizes of such a kind; None for kinds that are not read pod by pod."""
    match kind.family:
        case Family.FAILURES:
            return _errors
        case Family.COUNT:
            return _crashes if kind.counted == "crashes" else _events
        case Family.LATENCY | Family.GAUGE:
            return None
        case _:
            assert_never(kind.family)


_READERS = {kind: reader for kind, row in SIGNAL_KINDS.items() if (reader := _reader_of(row)) is not None}


def _events_of(pods: Sequence[PodLook]) -> list[float]:
    found: list[float] = []
    for pod in pods:
        events = 0
        for count in pod.errors.values():
            if count > 0:
                events += count
        found.append(events)
    return found


def _latency(group: Sequence[_Asked], upper: tuple[float, ...], columns: Columns) -> Floats:
    """Requests slower than each judged edge, all of them for each, all of them, and those in each bucket with a score.

    An edge that the source has lost has none. Shape (k, 2 * MOST + 1 + BINS, pods).
    """
    width = len(upper) + 1
    buckets = _buckets([pod for asked in group for pod in asked.pods], width).reshape(len(group), -1, width)
    asked_for = tuple([(columns.edges[asked.at], columns.ridit_edges[asked.at]) for asked in group])
    lines: Floats = np.matmul(_bucket_masks(asked_for, upper), buckets.transpose(0, 2, 1))
    return lines


@lru_cache(maxsize=256)
def _bucket_masks(asked: tuple[tuple[tuple[float, ...], tuple[float, ...]], ...], upper: tuple[float, ...]) -> Floats:
    """Which of the source's buckets count on each line of `_latency`, for each look's judged edges and scored buckets.

    Returns:
        Shape (k, 2 * MOST + 1 + BINS, buckets).
    """
    found = np.zeros((len(asked), 2 * edges.MOST + 1 + BINS, len(upper) + 1))
    for mask, (judged, ridit_edges) in zip(found, asked, strict=True):
        for at, edge in enumerate(judged):
            if edge in upper:
                mask[at, upper.index(edge) + 1 :] = mask[edges.MOST + at] = 1.0
        mask[2 * edges.MOST] = 1.0
        if ridit_edges:
            mask[2 * edges.MOST + 1 :] = bins_of(ridit_edges, upper)
    return found


def slower_than_edges(look: SignalLook) -> Floats:
    """Requests of all pods slower than each of the source's edges, then all requests; shape (edges + 1,)."""
    counts = _buckets(list(look.pods.values()), len(look.edges_seconds) + 1).sum(axis=0)
    above: Floats = np.append(np.cumsum(counts[::-1])[::-1][1:], counts.sum())
    return above


def _buckets(pods: Sequence[PodLook], width: int) -> Floats:
    """Requests per bucket, none for pods with another number of buckets; shape (pods, width)."""
    none = (0,) * width
    rows = [pod.latency_counts if len(pod.latency_counts) == width else none for pod in pods]
    found = np.fromiter(chain.from_iterable(rows), np.float64, len(rows) * width).reshape(len(rows), width)
    return np.maximum(found, 0.0, out=found)
