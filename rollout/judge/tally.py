"""From looks to numbers: what each arm and each of stable's pods did since the look before, channel by channel."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from rollout.judge.batch import MOST_PODS, Batch
from rollout.judge.onset import Floats
from rollout.judge.policy import REQUEST_KINDS, SignalKind
from rollout.judge.warmth import AGES, YOUNG_SECONDS, age_bins
from rollout.looks import Arm, PodLook, SignalLook

_CANARY = Arm.CANARY


@dataclass(slots=True)
class Reading:
    """What each pod of a signal's look did, the canary's pods first.

    Attributes:
        names: of the pods.
        canaries: how many of them are the canary's.
        counts: failures (or slow requests at each judged edge) and sizes (requests or pod-seconds, 0 at an edge the
            source has lost), shape (2, rows, pods).
        ages: seconds since each pod became ready, at the middle of the look.
        whole: requests or pod-seconds, whatever the edges, of canary and stable.
        requests: requests of canary and stable, whatever the kind.
        told: requests of the canary that its pods told, counted or not.
        seconds: longest exposure of any pod.
    """

    names: list[str]
    canaries: int
    counts: Floats
    ages: list[float]
    whole: tuple[float, float]
    requests: tuple[int, int]
    told: int
    seconds: float


_Places = list[int] | slice


@dataclass(slots=True)
class Pods:
    """Stable's pods by name, and the place each of them has in the arrays.

    Attributes:
        places: by name; those that came when all places were taken have none.
    """

    places: dict[str, int] = field(default_factory=dict)

    def place(self, names: Sequence[str], chosen: Sequence[int]) -> tuple[_Places, _Places]:
        """Those of the chosen positions whose names have a place, and the places; new names are given theirs."""
        places = self.places
        if len(places) < MOST_PODS:
            for name in [names[at] for at in chosen if names[at] not in places][: MOST_PODS - len(places)]:
                places[name] = len(places)
        here = [at for at in chosen if names[at] in places]
        return _run(here), _run([places[names[at]] for at in here])


def _run(places: list[int]) -> _Places:
    """The same as a slice where they follow each other, as they do as a rule: numpy is quicker with that."""
    if not places:
        return places
    first = places[0]
    return slice(first, first + len(places)) if places == list(range(first, first + len(places))) else places


def read(kind: SignalKind, look: SignalLook, judged: tuple[float, ...]) -> Reading:
    """Read a look; negative increments (a counter that went back) count as nothing.

    Args:
        kind: how it is to be read.
        look: the look.
        judged: judged edges in seconds; latency only.
    """
    canary: list[str] = []
    stable: list[str] = []
    for name, pod in look.pods.items():
        (canary if pod.arm is _CANARY else stable).append(name)
    first, names = len(canary), canary + stable
    pods = [look.pods[name] for name in names]
    counts, whole = _READERS[kind](pods, judged, look.edges_seconds)
    told = [max(0, pod.requests) for pod in pods]
    requests = whole if kind in REQUEST_KINDS else told
    return Reading(
        names=names,
        canaries=first,
        counts=counts,
        ages=[pod.age_seconds - pod.exposure_seconds / 2 for pod in pods],
        whole=(float(sum(whole[:first])), float(sum(whole[first:]))),
        requests=(int(sum(requests[:first])), int(sum(requests[first:]))),
        told=sum(told[:first]),
        seconds=max([pod.exposure_seconds for pod in pods], default=0.0),
    )


def slower_than_edges(look: SignalLook) -> Floats:
    """Requests of all pods slower than each of the source's edges, then all requests; shape (edges + 1,)."""
    counts = _buckets(list(look.pods.values()), len(look.edges_seconds) + 1).sum(axis=0)
    above: Floats = np.append(np.cumsum(counts[::-1])[::-1][1:], counts.sum())
    return above


def fill(batch: Batch, used: slice, reading: Reading, pods: Pods) -> None:
    """Put what was read into a signal's channels; `at` and `seconds` are left to the caller."""
    counts, first = reading.counts, reading.canaries
    batch.looked[used] = True
    batch.columns[used] = (counts @ _arms(first, len(reading.names))).transpose(1, 2, 0).reshape(-1, 4)
    if min(reading.ages, default=YOUNG_SECONDS) < YOUNG_SECONDS:
        _fill_young(batch, used, reading)
    grown = [at for at in range(first, len(reading.names)) if reading.ages[at] >= YOUNG_SECONDS]
    here, places = pods.place(reading.names, grown)
    batch.pods[:, used, places] = counts[:, :, here]


@lru_cache(maxsize=256)
def _arms(canaries: int, pods: int) -> Floats:
    """Which pods are the canary's and which are stable's, shape (pods, 2)."""
    canary = np.arange(pods) < canaries
    return np.stack([canary, ~canary], axis=1).astype(np.float64)


def _fill_young(batch: Batch, used: slice, reading: Reading) -> None:
    if batch.young is None:
        batch.young = np.zeros((3, batch.at.size, AGES))
    total = np.maximum(batch.columns[used, 1], 1e-300)
    for position, age in enumerate(age_bins(np.array(reading.ages))):
        if age == AGES:
            continue
        if position < reading.canaries:
            batch.young[0, used, age] += reading.counts[1, :, position] / total
        else:
            batch.young[1:, used, age] += reading.counts[:, :, position]


_Read = tuple[Floats, Sequence[float]]


def _errors(pods: Sequence[PodLook], _judged: tuple[float, ...], _edges: tuple[float, ...]) -> _Read:
    failed = _events_of(pods)
    return _counted(failed, [max(pod.requests, events) for pod, events in zip(pods, failed, strict=True)])


def _crashes(pods: Sequence[PodLook], _judged: tuple[float, ...], _edges: tuple[float, ...]) -> _Read:
    return _counted([max(pod.crashes, 0) for pod in pods], [max(pod.exposure_seconds, 0.0) for pod in pods])


def _events(pods: Sequence[PodLook], _judged: tuple[float, ...], _edges: tuple[float, ...]) -> _Read:
    return _counted(_events_of(pods), [max(pod.exposure_seconds, 0.0) for pod in pods])


def _counted(failed: Sequence[float], size: Sequence[float]) -> _Read:
    return np.array([failed, size], dtype=np.float64)[:, None, :], size


def _events_of(pods: Sequence[PodLook]) -> list[int]:
    return [sum([max(count, 0) for count in pod.errors.values()]) if pod.errors else 0 for pod in pods]


def _latency(pods: Sequence[PodLook], judged: tuple[float, ...], edges: tuple[float, ...]) -> _Read:
    above, there = _above(judged, edges)
    counts = _buckets(pods, len(edges) + 1)
    size = counts.sum(axis=1)
    return np.stack([(counts @ above).T, there[:, None] * size]), size.tolist()


def _buckets(pods: Sequence[PodLook], width: int) -> Floats:
    """Requests per bucket, none for pods with another number of buckets; shape (pods, width)."""
    none = (0,) * width
    rows = [pod.latency_counts if len(pod.latency_counts) == width else none for pod in pods]
    return np.maximum(np.array(rows, dtype=np.float64).reshape(len(rows), width), 0.0)


@lru_cache(maxsize=256)
def _above(judged: tuple[float, ...], edges: tuple[float, ...]) -> tuple[Floats, Floats]:
    """Which buckets lie above each judged edge, shape (buckets, judged), and which edges are there, shape (judged,)."""
    where = {edge: index for index, edge in enumerate(edges)}
    found: list[int] = [where.get(edge, len(edges)) for edge in judged]
    above = np.arange(len(edges) + 1)[:, None] > np.array(found, dtype=np.intp)
    return above.astype(np.float64), np.array([float(edge in where) for edge in judged])


_READERS = {
    SignalKind.ERRORS: _errors,
    SignalKind.LATENCY: _latency,
    SignalKind.CRASHES: _crashes,
    SignalKind.EVENTS: _events,
}
