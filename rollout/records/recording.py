"""Recordings: what the judge of a release saw, as JSON Lines that outlive the release.

The first line is a header, every further one a look:

    {"format": "grayling.recording/2", "interval_seconds": 15, "latency_edges_seconds": [0.1, 1], "canary_share": 0.1}
    {"t": 15.0, "phase": "history", "pods": {"p1": {"arm": "stable", "age_seconds": 900, "requests": 300,
     "errors": {"5xx": 1}, "latency_counts": [290, 9, 1], "gauges": {"memory_bytes": 1.0e8}}}}

Counts are increments since the look before. "history" looks teach, "release" looks are judged, as are those without a
phase; "starts" looks are of earlier starts of the service's pods and teach only what young pods are like. Optional in
the header: "analysis", as in the GrayRelease. Optional in a pod: "crashes", "node" and "zone" (where it runs) and
"exposure_seconds" (else the time since the look before). Optional in a look: "signal", when it is one signal's and
not all signals', with "edges_seconds" where its buckets are not the header's; "step", the number of the step that
begins with it, with its "share" of the requests; and "share" without a step, where another weight is in force from
then on: 0 where requests cannot be held against any, because weights move or the canary has all. Version 1 had no
share without a step: nobody knows when its last one ended. Keys that nobody knows are left out and told.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, cast, get_args

from kube.errors import UsageError
from rollout.records import fields
from rollout.signals.looks import Arm, PodLook

FORMAT = "grayling.recording/2"
"""Name and version of the format."""

BEFORE = "grayling.recording/1"
"""The one before, which is read as well."""

Phase = Literal["starts", "history", "release"]

HEADER_KEYS = frozenset({"format", "interval_seconds", "latency_edges_seconds", "canary_share", "analysis"})
LOOK_KEYS = frozenset({"t", "phase", "pods", "signal", "edges_seconds", "step", "share"})
POD_KEYS = frozenset(
    {"arm", "age_seconds", "exposure_seconds", "requests", "errors", "latency_counts", "crashes", "gauges"}
    | {"node", "zone"}
)
"""Keys of the first line, of the others, and of each pod."""

LEAST_INTERVAL_SECONDS = 0.001
"""Between looks."""


class RecordingError(UsageError, ValueError):
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
        share: the canary's share from then on, 0 where requests cannot be held against any; None when it is not said.
    """

    at: float
    phase: Phase
    pods: Mapping[str, PodLook]
    signal: str = ""
    edges_seconds: tuple[float, ...] = ()
    step: int = 0
    share: float | None = None


@dataclass(frozen=True, slots=True)
class Recording:
    """A release as its judge saw it.

    Attributes:
        interval_seconds: usual time between looks.
        edges_seconds: upper edges of the latency buckets; empty without a histogram.
        canary_share: the canary's weight when the recording began.
        looks: in the order of time, those at earlier starts behind the history they came with.
        analysis: the `analysis` of the GrayRelease that was judged; empty where it is not known.
        strangers: keys that nobody knows, which were left out: in how many lines each.
    """

    interval_seconds: float
    edges_seconds: tuple[float, ...]
    canary_share: float
    looks: tuple[RecordedLook, ...]
    analysis: Mapping[str, Any] = field(default_factory=dict)
    strangers: Mapping[str, int] = field(default_factory=dict)


def parse(lines: Iterable[str]) -> Recording:
    """Read a recording.

    Raises:
        RecordingError: a line is not what the format says.
    """
    numbered = [(number, text) for number, text in enumerate(lines, start=1) if text.strip()]
    if not numbered:
        raise RecordingError(f'line 1: a recording begins with {{"format": "{FORMAT}"}}, found nothing')
    try:
        return _headed(fields.object_of(numbered[0][1]), numbered[1:])
    except ValueError as error:
        raise _at(numbered[0][0], error, "correct it") from error


def _headed(header: Mapping[str, Any], numbered: Sequence[tuple[int, str]]) -> Recording:
    found = header.get("format")
    if found not in (FORMAT, BEFORE):
        raise ValueError(f"format is {fields.short(found)}, this version reads {FORMAT!r} and {BEFORE!r}")
    interval = fields.number(header, "interval_seconds", 15.0, LEAST_INTERVAL_SECONDS, fields.MOST_SECONDS)
    edges = fields.edges(header, "latency_edges_seconds")
    share = fields.number(header, "canary_share", 0.0, 0.0, 1.0)
    analysis = fields.mapping(header, "analysis")
    strangers = Counter(fields.strangers(header, HEADER_KEYS))
    looks = tuple(_looks(numbered, interval, strangers))
    if found == BEFORE:
        looks = tuple(look if look.step else replace(look, share=None) for look in looks)
    return Recording(interval, edges, share, looks, analysis, strangers)


def _at(number: int, error: ValueError, fix: str) -> RecordingError:
    """The error with the line it is of and what is to be done, where it does not tell that itself."""
    return error if isinstance(error, RecordingError) else RecordingError(f"line {number}: {error}; {fix}")


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


def continued(lines: str) -> str:
    """Lines that somebody wrote before, fit to be gone on with: those of the version before are good in this one."""
    header, end, rest = lines.partition("\n")
    return header.replace(f'"{BEFORE}"', f'"{FORMAT}"') + end + rest


def look_line(look: RecordedLook) -> str:
    """A look as a line, without a line end; what is empty is left out."""
    line: dict[str, Any] = {"t": look.at, "phase": look.phase}
    rest: dict[str, Any] = {"signal": look.signal, "edges_seconds": list(look.edges_seconds)}
    line |= {key: value for key, value in rest.items() if value}
    line |= {"step": look.step} if look.step else {}
    line |= {} if look.share is None else {"share": look.share}
    line["pods"] = {name: _plain(pod) for name, pod in look.pods.items()}
    return json.dumps(line, separators=(",", ":"))


def _plain(pod: PodLook) -> dict[str, Any]:
    found = {
        "age_seconds": pod.age_seconds,
        "exposure_seconds": pod.exposure_seconds,
        "requests": pod.requests,
        "errors": dict(pod.errors),
        "latency_counts": list(pod.latency_counts),
        "crashes": pod.crashes,
        "gauges": dict(pod.gauges),
        "node": pod.node,
        "zone": pod.zone,
    }
    return {"arm": str(pod.arm)} | {key: value for key, value in found.items() if value}


def _looks(numbered: Iterable[tuple[int, str]], interval: float, strangers: Counter[str]) -> Iterator[RecordedLook]:
    """The looks that lines tell; keys that nobody knows are counted on the way."""
    newest: dict[tuple[str, bool], float] = {}
    looked: dict[tuple[str, bool], float] = {}
    for number, text in numbered:
        try:
            found = fields.object_of(text)
            of = fields.text(found, "signal"), found.get("phase") == "starts"
            look = _look(found, newest.get(of), looked.get(of), interval)
        except ValueError as error:
            raise _at(number, error, "correct it or leave the line out") from error
        strangers.update(_strangers(found))
        newest[of] = look.at
        if look.pods or not (look.step or look.share is not None):  # else it says a step or a share, and is no look
            looked[of] = look.at
        yield look


def _look(line: Mapping[str, Any], newest: float | None, looked: float | None, interval: float) -> RecordedLook:
    """A line: a look, or a step or share from then on.

    Args:
        line: as it was read.
        newest: time of the line before it, of the same signal.
        looked: time of the look before it, since which its pods were observed where they do not say.
        interval: the same where there is none.

    Raises:
        ValueError: it is none.
    """
    for key in ("t", "pods"):
        if key not in line:
            raise ValueError(f"no {key}; a look needs t and pods")
    at, phase = fields.number(line, "t", 0.0, -fields.MOST_SECONDS, fields.MOST_SECONDS), _phase(line)
    if newest is not None and at < newest and phase != "starts":
        raise ValueError(f"t is {at:g}, before {newest:g} of the look before; looks are in the order of time")
    seconds = interval if looked is None else max(at - looked, 0.0)
    signal = fields.text(line, "signal")
    pods = {name: _pod(name, pod, seconds) for name, pod in fields.mapping(line, "pods").items()}
    if not signal:  # one signal's look has requests and buckets of different sources
        _each_in_one_bucket(pods)
    return RecordedLook(
        at=at,
        phase=phase,
        pods=pods,
        signal=signal,
        edges_seconds=fields.edges(line, "edges_seconds"),
        step=fields.count(line, "step"),
        share=fields.number(line, "share", 0.0, 0.0, 1.0) if "share" in line else None,
    )


def _strangers(line: Mapping[str, Any]) -> set[str]:
    """Keys of a look and of its pods that nobody knows."""
    return {*fields.strangers(line, LOOK_KEYS)}.union(
        *(fields.strangers(pod, POD_KEYS) for pod in line["pods"].values())
    )


def _each_in_one_bucket(pods: Mapping[str, PodLook]) -> None:
    """Make sure that no pod has more answers in its buckets than it had requests.

    Raises:
        ValueError: one has.
    """
    for name, pod in pods.items():
        timed = sum(pod.latency_counts)
        if timed > pod.requests > 0:
            raise ValueError(
                f"pods.{name[:60]}.latency_counts are {timed} in all, requests {pod.requests}; "
                "each request is in one bucket, not in all those above as well"
            )


def _phase(line: Mapping[str, Any]) -> Phase:
    found = fields.text(line, "phase", "release")
    for phase in get_args(Phase):
        if found == phase:
            return cast("Phase", phase)
    raise ValueError(f"phase is {fields.short(found)}, expected starts, history or release")


def _pod(name: str, pod: Any, seconds: float) -> PodLook:
    if not isinstance(pod, dict):
        raise ValueError(f"pods.{name[:60]} is {fields.short(pod)}, expected an object")  # noqa: TRY004 - as the others
    try:
        return _read(pod, seconds)
    except ValueError as error:
        raise ValueError(f"pods.{name[:60]}.{error}") from error


def _read(pod: Mapping[str, Any], seconds: float) -> PodLook:
    most = fields.MOST_SECONDS
    found = PodLook(
        arm=_arm(pod),
        age_seconds=fields.number(pod, "age_seconds", 0.0, 0.0, most),
        exposure_seconds=fields.number(pod, "exposure_seconds", seconds, 0.0, most),
        requests=fields.count(pod, "requests"),
        errors=fields.counts_by_name(pod, "errors"),
        latency_counts=fields.counts(pod, "latency_counts"),
        crashes=fields.count(pod, "crashes"),
        gauges=fields.numbers_by_name(pod, "gauges", fields.MOST_GAUGE),
        node=fields.name(pod, "node"),
        zone=fields.name(pod, "zone"),
    )
    failed = sum(found.errors.values())
    if "requests" in pod and failed > found.requests:  # counted events have none
        raise ValueError(f"errors are {failed} in all, requests {found.requests}; those that failed are among them")
    return found


def _arm(pod: Mapping[str, Any]) -> Arm:
    if "arm" not in pod:
        raise ValueError("arm is missing, expected stable or canary")
    found = fields.text(pod, "arm")
    if found not in list(Arm):
        raise ValueError(f"arm is {fields.short(found)}, expected stable or canary")
    return Arm(found)
