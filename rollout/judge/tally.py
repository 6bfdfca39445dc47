"""From looks to numbers: what each arm and each of stable's pods did since the look before, channel by channel."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from rollout.judge.batch import MOST_PODS, Batch
from rollout.judge.body import bins_of
from rollout.judge.onset import Floats
from rollout.judge.policy import REQUEST_KINDS, SignalKind
from rollout.judge.warmth import AGES, YOUNG_SECONDS, age_bins
from rollout.looks import Arm, PodLook, SignalLook

_CANARY = Arm.CANARY


@dataclass(slots=True)
class Reading:
    """What each pod of a signal's look did.

    Attributes:
        names: of the pods.
        arms: whose each pod is.
        counts: failures (or slow requests at each judged edge) and sizes (requests or pod-seconds, 0 at an edge the
            source has lost), shape (2, rows, pods).
        columns: the same of the canary, then of stable, shape (rows, 4).
        ages: seconds since each pod became ready, at the middle of the look; empty where no pod is young.
        whole: requests or pod-seconds, whatever the edges, of canary and stable.
        requests: requests of canary and stable, whatever the kind.
        told: requests of the canary that its pods told, where none of them was counted.
        seconds: longest exposure of any pod.
        body: requests of each pod in each bucket that has a score, shape (BINS, pods); None where none has.
    """

    names: list[str]
    arms: "_Arms"
    counts: Floats
    columns: Floats
    ages: list[float]
    whole: tuple[float, float]
    requests: tuple[int, int]
    told: int
    seconds: float
    body: Floats | None = None


_Places = list[int] | slice


@dataclass(frozen=True, slots=True)
class _Arms:
    """Whose pods they are.

    Attributes:
        canary: positions of the canary's.
        stable: positions of stable's.
        both: the same as numbers, canary and stable, shape (pods, 2).
    """

    canary: list[int]
    stable: list[int]
    both: Floats


@lru_cache(maxsize=256)
def _arms(canary: tuple[bool, ...]) -> _Arms:
    flags = np.array(canary, dtype=np.bool_)
    both = np.stack([flags, ~flags], axis=1)
    stable = np.flatnonzero(~flags).tolist()
    return _Arms(np.flatnonzero(flags).tolist(), stable, both.astype(np.float64))


@dataclass
class Pods:
    """Stable's pods by name, and the place each of them has in the arrays.

    Attributes:
        places: by name; those that came when all places were taken have none.
    """

    places: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._asked: tuple[Sequence[str], Sequence[int]] = (), ()
        self._found: tuple[_Places, _Places] = [], []

    def place(self, names: Sequence[str], chosen: Sequence[int]) -> tuple[_Places, _Places]:
        """Those of the chosen positions whose names have a place, and the places; new names are given theirs.

        As a rule the same is asked as the last time.
        """
        if self._asked != (names, chosen):
            self._asked, self._found = (names, chosen), self._find(names, chosen)
        return self._found

    def _find(self, names: Sequence[str], chosen: Sequence[int]) -> tuple[_Places, _Places]:
        places = self.places
        found = [places.get(names[at], -1) for at in chosen]
        if -1 in found:
            for at in chosen:
                if len(places) < MOST_PODS:
                    places.setdefault(names[at], len(places))
            chosen = [at for at in chosen if names[at] in places]
            found = [places[names[at]] for at in chosen]
        return _run(chosen), _run(found)


def _run(places: Sequence[int]) -> _Places:
    """The same as a slice where they follow each other, as they do as a rule: numpy is quicker with that."""
    places = list(places)
    first = places[0] if places else 0
    follow = slice(first, first + len(places))
    return follow if places and places == list(range(follow.start, follow.stop)) else places


def read(kind: SignalKind, look: SignalLook, judged: tuple[float, ...] = (), body: tuple[float, ...] = ()) -> Reading:
    """Read a look; negative increments (a counter that went back) count as nothing.

    Args:
        kind: how it is to be read.
        look: the look.
        judged: judged edges in seconds; latency only.
        body: upper edges of the buckets that have scores; latency only.
    """
    pods = list(look.pods.values())
    arms = _arms(tuple([pod.arm is _CANARY for pod in pods]))
    if kind is SignalKind.LATENCY:
        counts, every, inside = _latency(pods, judged, body, look.edges_seconds)
        whole = (every @ arms.both).tolist()
        columns = (counts @ arms.both).transpose(1, 2, 0).reshape(-1, 4)
    else:
        each, inside = _READERS[kind](pods), None
        by_arm = (each @ arms.both).T
        counts, columns, whole = each[:, None, :], by_arm.reshape(1, 4), by_arm[:, 1].tolist()
    requests = whole if kind in REQUEST_KINDS else _by_arm([max(0, pod.requests) for pod in pods], arms)
    told = 0 if whole[0] > 0 else sum([max(0, pods[at].requests) for at in arms.canary])
    seconds = max([pod.exposure_seconds for pod in pods], default=0.0)
    youngest = min([pod.age_seconds for pod in pods], default=YOUNG_SECONDS) - seconds / 2
    return Reading(
        names=list(look.pods),
        arms=arms,
        counts=counts,
        columns=columns,
        ages=[pod.age_seconds - pod.exposure_seconds / 2 for pod in pods] if youngest < YOUNG_SECONDS else [],
        whole=(whole[0], whole[1]),
        requests=(int(requests[0]), int(requests[1])),
        told=told,
        seconds=seconds,
        body=inside,
    )


def _by_arm(each: Sequence[float], arms: _Arms) -> tuple[float, float]:
    """Sums of canary and stable."""
    return sum([each[at] for at in arms.canary]), sum([each[at] for at in arms.stable])


def slower_than_edges(look: SignalLook) -> Floats:
    """Requests of all pods slower than each of the source's edges, then all requests; shape (edges + 1,)."""
    counts = _buckets(list(look.pods.values()), len(look.edges_seconds) + 1).sum(axis=0)
    above: Floats = np.append(np.cumsum(counts[::-1])[::-1][1:], counts.sum())
    return above


def fill(batch: Batch, used: slice, reading: Reading, pods: Pods, scores: Floats) -> None:
    """Put what was read into a signal's channels; `at` and `seconds` are left to the caller.

    Args:
        batch: where to.
        used: the signal's channels.
        reading: what was read.
        pods: places of stable's pods.
        scores: of the buckets of the first channel, shape (BINS,).
    """
    counts, grown = reading.counts, reading.arms.stable
    batch.looked[used] = True
    batch.columns[used] = reading.columns
    if reading.ages:
        _fill_young(batch, used, reading)
        grown = [at for at in grown if reading.ages[at] >= YOUNG_SECONDS]
    here, places = pods.place(reading.names, grown)
    batch.pods[:, used, places] = counts[:, :, here]
    if reading.body is not None:
        batch.bodies[:2, used.start] = (reading.body @ reading.arms.both).T
        batch.bodies[2, used.start] = reading.body[:, here].sum(axis=1)
        batch.pods[0, used.start, places] = scores @ reading.body[:, here]


def _fill_young(batch: Batch, used: slice, reading: Reading) -> None:
    if batch.young is None:
        batch.young = np.zeros((3, batch.at.size, AGES))
    total = np.maximum(batch.columns[used, 1], 1e-300)
    for position, age in enumerate(age_bins(np.array(reading.ages))):
        if age == AGES:
            continue
        if position in reading.arms.canary:
            batch.young[0, used, age] += reading.counts[1, :, position] / total
        else:
            batch.young[1:, used, age] += reading.counts[:, :, position]


def _errors(pods: Sequence[PodLook]) -> Floats:
    failed = _events_of(pods)
    return _counted(failed, [max(pod.requests, events) for pod, events in zip(pods, failed, strict=True)])


def _crashes(pods: Sequence[PodLook]) -> Floats:
    return _counted([pod.crashes for pod in pods], [pod.exposure_seconds for pod in pods])


def _events(pods: Sequence[PodLook]) -> Floats:
    return _counted(_events_of(pods), [pod.exposure_seconds for pod in pods])


def _counted(failed: Sequence[float], size: Sequence[float]) -> Floats:
    """Failures and sizes, nothing for less than nothing; shape (2, pods)."""
    found: Floats = np.maximum(np.array([failed, size], dtype=np.float64), 0.0)
    return found


def _events_of(pods: Sequence[PodLook]) -> list[int]:
    return [sum([count for count in pod.errors.values() if count > 0]) if pod.errors else 0 for pod in pods]


def _latency(
    pods: Sequence[PodLook], judged: tuple[float, ...], body: tuple[float, ...], edges: tuple[float, ...]
) -> tuple[Floats, Floats, Floats | None]:
    buckets = _buckets(pods, len(edges) + 1).T
    counts = _above(judged, edges) @ buckets
    inside = bins_of(body, edges) @ buckets if body else None
    return counts[1:].reshape(2, len(judged), len(pods)), counts[0], inside


def _buckets(pods: Sequence[PodLook], width: int) -> Floats:
    """Requests per bucket, none for pods with another number of buckets; shape (pods, width)."""
    none = (0,) * width
    rows = [pod.latency_counts if len(pod.latency_counts) == width else none for pod in pods]
    return np.maximum(np.array(rows, dtype=np.float64).reshape(len(rows), width), 0.0)


@lru_cache(maxsize=256)
def _above(judged: tuple[float, ...], edges: tuple[float, ...]) -> Floats:
    """Buckets that count: all; those above each judged edge; all, for each judged edge that is there.

    Returns:
        Shape (1 + 2 * judged, buckets).
    """
    where = {edge: index for index, edge in enumerate(edges)}
    found = np.array([where.get(edge, len(edges)) for edge in judged], dtype=np.intp)[:, None]
    there = np.array([float(edge in where) for edge in judged])[:, None]
    every = np.ones((1, len(edges) + 1))
    return np.concatenate([every, np.arange(len(edges) + 1) > found, there * every])


_READERS = {
    SignalKind.ERRORS: _errors,
    SignalKind.CRASHES: _crashes,
    SignalKind.EVENTS: _events,
}
