"""Recordings: what the judge of a release saw, as JSON Lines that outlive the release.

The first line is a header, every further one a look:

    {"format": "grayling.recording/1", "interval_seconds": 15, "latency_edges_seconds": [0.1, 1], "canary_share": 0.1}
    {"t": 15.0, "phase": "history", "pods": {"p1": {"arm": "stable", "age_seconds": 900, "requests": 300,
     "errors": {"5xx": 1}, "latency_counts": [290, 9, 1], "gauges": {"memory_bytes": 1.0e8}}}}

Counts are increments since the look before. "history" looks teach, "release" looks are judged; "starts" looks are of
earlier starts of the service's pods and teach only what young pods are like. Optional in the header:
"analysis", as in the GrayRelease. Optional in a pod: "crashes" and "exposure_seconds" (else the time since the look
before). Optional in a look: "signal", when it is one signal's and not all signals', with "edges_seconds" where its
buckets are not the header's; and "step", the number of the step that begins with it, with its "share" of the requests.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, cast, get_args

from rollout.looks import Arm, PodLook

FORMAT = "grayling.recording/1"
"""Name and version of the format."""

Phase = Literal["starts", "history", "release"]


class RecordingError(ValueError):
    """A recording cannot be read; the message says which line and why."""


@dataclass(frozen=True, slots=True)
class RecordedLook:
    """One look of all pods.

    Attributes:
        at: seconds, from any origin.
        phase: whether it teaches, and what, or is judged.
        pods: increments by pod name.
        signal: the signal it is of; empty when it is of all.
        edges_seconds: upper edges of its latency buckets; empty when they are the header's.
        step: number of the step that begins with it; 0 when none does.
        share: the canary's share from then on; 0 when it is not told.
    """

    at: float
    phase: Phase
    pods: Mapping[str, PodLook]
    signal: str = ""
    edges_seconds: tuple[float, ...] = ()
    step: int = 0
    share: float = 0.0


@dataclass(frozen=True, slots=True)
class Recording:
    """A release as its judge saw it.

    Attributes:
        interval_seconds: usual time between looks.
        edges_seconds: upper edges of the latency buckets; empty without a histogram.
        canary_share: the canary's weight when the recording began.
        looks: in the order of time, those at earlier starts behind the history they came with.
        analysis: the `analysis` of the GrayRelease that was judged; empty where it is not known.
    """

    interval_seconds: float
    edges_seconds: tuple[float, ...]
    canary_share: float
    looks: tuple[RecordedLook, ...]
    analysis: Mapping[str, Any] = field(default_factory=dict)


def parse(lines: Iterable[str]) -> Recording:
    """Read a recording.

    Raises:
        RecordingError: a line is not what the format says.
    """
    numbered = [(number, text) for number, text in enumerate(lines, start=1) if text.strip()]
    if not numbered:
        raise RecordingError(f'line 1: a recording begins with {{"format": "{FORMAT}"}}, found nothing')
    header = _object(*numbered[0])
    if header.get("format") != FORMAT:
        raise RecordingError(f"line 1: format is {header.get('format')!r}, this version reads {FORMAT!r}")
    try:
        interval = float(header.get("interval_seconds", 15.0))
        edges = tuple(float(edge) for edge in header.get("latency_edges_seconds", ()))
        share = float(header.get("canary_share", 0.0))
        analysis = dict(header.get("analysis", {}))
    except (TypeError, ValueError) as error:
        raise RecordingError(f"line 1: {error}") from error
    return Recording(interval, edges, share, tuple(_looks(numbered[1:], interval)), analysis)


def header_line(
    interval_seconds: float,
    edges_seconds: Iterable[float],
    canary_share: float,
    analysis: Mapping[str, Any] | None = None,
) -> str:
    """The first line of a recording, without a line end."""
    header = {
        "format": FORMAT,
        "interval_seconds": interval_seconds,
        "latency_edges_seconds": list(edges_seconds),
        "canary_share": canary_share,
    }
    return json.dumps(header | ({"analysis": analysis} if analysis else {}))


def look_line(look: RecordedLook) -> str:
    """A look as a line, without a line end; what is empty is left out."""
    told: dict[str, Any] = {"t": look.at, "phase": look.phase}
    rest: dict[str, Any] = {"signal": look.signal, "edges_seconds": list(look.edges_seconds)}
    rest |= {"step": look.step, "share": look.share}
    told |= {key: value for key, value in rest.items() if value}
    told["pods"] = {name: _plain(pod) for name, pod in look.pods.items()}
    return json.dumps(told, separators=(",", ":"))


def _plain(pod: PodLook) -> dict[str, Any]:
    told = {
        "age_seconds": pod.age_seconds,
        "exposure_seconds": pod.exposure_seconds,
        "requests": pod.requests,
        "errors": dict(pod.errors),
        "latency_counts": list(pod.latency_counts),
        "crashes": pod.crashes,
        "gauges": dict(pod.gauges),
    }
    return {"arm": str(pod.arm)} | {key: value for key, value in told.items() if value}


def _looks(numbered: Iterable[tuple[int, str]], interval: float) -> Iterator[RecordedLook]:
    before: dict[tuple[str, bool], float] = {}
    for number, text in numbered:
        told = _object(number, text)
        try:
            at, signal, phase = float(told["t"]), str(told.get("signal", "")), _phase(told.get("phase", "release"))
            line = signal, phase == "starts"
            seconds = max(at - before[line], 0.0) if line in before else interval
            pods = {name: _pod(pod, seconds) for name, pod in told["pods"].items()}
            edges = tuple(float(edge) for edge in told.get("edges_seconds", ()))
            step = int(told.get("step", 0))
            share = float(told.get("share", 0.0))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise RecordingError(f"line {number}: {error!r} in a look; it needs t, phase and pods") from error
        before[line] = at
        yield RecordedLook(at, phase, pods, signal, edges, step, share)


def _phase(value: object) -> Phase:
    for phase in get_args(Phase):
        if value == phase:
            return cast("Phase", phase)
    raise ValueError(f"phase is {value!r}, expected starts, history or release")


def _pod(told: Mapping[str, Any], seconds: float) -> PodLook:
    return PodLook(
        arm=Arm(told["arm"]),
        age_seconds=float(told.get("age_seconds", 0.0)),
        exposure_seconds=float(told.get("exposure_seconds", seconds)),
        requests=int(told.get("requests", 0)),
        errors={str(name): int(count) for name, count in told.get("errors", {}).items()},
        latency_counts=tuple(int(count) for count in told.get("latency_counts", ())),
        crashes=int(told.get("crashes", 0)),
        gauges={str(name): float(value) for name, value in told.get("gauges", {}).items()},
    )


def _object(number: int, text: str) -> dict[str, Any]:
    try:
        told = json.loads(text)
    except ValueError as error:
        raise RecordingError(f"line {number}: not JSON ({error})") from error
    if not isinstance(told, dict):
        raise RecordingError(f"line {number}: expected an object, found {type(told).__name__}")
    return told
