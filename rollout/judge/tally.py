"""From looks to numbers: what each arm did since the look before, whichever kind of signal it is."""

from dataclasses import dataclass

import numpy as np

from rollout.judge.onset import Floats, Indices
from rollout.judge.policy import SignalKind
from rollout.looks import Arm, PodLook, SignalLook

REQUEST_KINDS = frozenset({SignalKind.ERRORS, SignalKind.LATENCY})
"""Kinds whose sizes are requests, each failing at most once; the others count events over pod-seconds."""


@dataclass(frozen=True, slots=True)
class Part:
    """One arm's increments.

    Attributes:
        pods: pods seen.
        size: requests, or pod-seconds for kinds that count events.
        failed: failures or events; 0 for latency, whose failures depend on the edge.
        requests: requests, whatever the kind.
        slow: requests slower than each edge, shape (edges,); empty unless latency.
    """

    pods: int
    size: float
    failed: float
    requests: int
    slow: Floats


@dataclass(frozen=True, slots=True)
class Tally:
    """Both arms' increments of one signal.

    Attributes:
        canary: the canary's part.
        stable: stable's part.
        seconds: longest exposure of any pod.
    """

    canary: Part
    stable: Part
    seconds: float


@dataclass(frozen=True, slots=True)
class PodShares:
    """What each of stable's pods did in a look.

    Attributes:
        names: of the pods.
        failed: failures, or slow requests at each judged edge, shape (pods, rows).
        size: requests or pod-seconds, shape (pods,).
    """

    names: tuple[str, ...]
    failed: Floats
    size: Floats


def shares_of(kind: SignalKind, look: SignalLook, judged: Indices | None) -> PodShares:
    """Stable's pods apart; `judged` are the positions of the judged edges, None unless latency."""
    pods = [(name, pod) for name, pod in look.pods.items() if pod.arm is Arm.STABLE]
    if judged is not None:
        width = len(look.edges_seconds) + 1
        pods = [(name, pod) for name, pod in pods if len(pod.latency_counts) == width]
        counts = np.array([pod.latency_counts for _, pod in pods], dtype=np.float64).reshape(len(pods), width)
        slow = np.cumsum(counts[:, ::-1], axis=1)[:, ::-1][:, 1:]
        failed = np.where(judged < 0, 0.0, slow[:, judged])
        return PodShares(tuple(name for name, _ in pods), failed, counts.sum(axis=1))
    failures = [float(_failures(kind, pod)) for _, pod in pods]
    if kind is SignalKind.ERRORS:
        sizes = [max(float(pod.requests), failed) for (_, pod), failed in zip(pods, failures, strict=True)]
    else:
        sizes = [max(pod.exposure_seconds, 0.0) for _, pod in pods]
    return PodShares(tuple(name for name, _ in pods), np.array(failures).reshape(len(pods), 1), np.array(sizes))


def tally_of(kind: SignalKind, look: SignalLook) -> Tally:
    """Sum a look's pods by arm; negative increments (a counter that went back) count as nothing."""
    pods = tuple(look.pods.values())
    return Tally(
        canary=_part(kind, [pod for pod in pods if pod.arm is Arm.CANARY], len(look.edges_seconds)),
        stable=_part(kind, [pod for pod in pods if pod.arm is Arm.STABLE], len(look.edges_seconds)),
        seconds=max((pod.exposure_seconds for pod in pods), default=0.0),
    )


def _part(kind: SignalKind, pods: list[PodLook], edges: int) -> Part:
    requests = sum(max(pod.requests, 0) for pod in pods)
    if kind is SignalKind.LATENCY:
        slow, size = _slower(pods, edges)
        return Part(len(pods), size, 0.0, max(requests, int(size)), slow)
    failed = float(sum(_failures(kind, pod) for pod in pods))
    if kind is SignalKind.ERRORS:
        return Part(len(pods), max(float(requests), failed), failed, requests, _NONE)
    exposure = sum(max(pod.exposure_seconds, 0.0) for pod in pods)
    return Part(len(pods), exposure, failed, requests, _NONE)


_NONE: Floats = np.zeros(0)


def _failures(kind: SignalKind, pod: PodLook) -> int:
    if kind is SignalKind.CRASHES:
        return max(pod.crashes, 0)
    return sum(max(count, 0) for count in pod.errors.values())


def _slower(pods: list[PodLook], edges: int) -> tuple[Floats, float]:
    """Requests above each edge, and all requests; pods with another number of buckets are left out."""
    rows = [pod.latency_counts for pod in pods if len(pod.latency_counts) == edges + 1]
    if not rows or not edges:
        return np.zeros(edges), 0.0
    counts = np.maximum(np.array(rows, dtype=np.float64).sum(axis=0), 0.0)
    return np.cumsum(counts[::-1])[::-1][1:], float(counts.sum())
