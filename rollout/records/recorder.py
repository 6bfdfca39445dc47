"""The recording of a release under way: every look that its judge was shown, small enough for one ConfigMap.

Lines are compressed as they come. When half of the room is used, two looks of a signal are written as one; when half of
the rest is used, four, and so on: the recording gets coarser and never too large.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import json
import math
import zlib
from dataclasses import replace
from typing import TYPE_CHECKING

from rollout.records.recording import (
    RecordedLook,
    continued,
    header_line,
    look_line,
)
from rollout.signals.looks import SourceStatus

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kube.kinds import Manifest
    from rollout.api.spec import Spec
    from rollout.records.recording import Phase
    from rollout.signals.looks import PodLook, SignalLook

RECORDING_LABEL = "grayling.dev/recording"
KEY = "recording.jsonl.gz"
ROOM_BYTES = 600_000
"""Of the 1 MiB that a ConfigMap may have, base64 takes a third."""

_GZIP = 31
_COARSEST = 16
_BUFFERED = 32_768  # zlib gives nothing out before it has so much


class Recorder:
    """Takes in looks and has the recording ready at any time.

    Args:
        spec: what is judged, and how.
        room: bytes that the compressed recording may have.
        before: what a predecessor has recorded of the same release.
    """

    def __init__(self, spec: Spec, *, room: int = ROOM_BYTES, before: str = "") -> None:
        self._room = room
        self._compressor = zlib.compressobj(6, zlib.DEFLATED, _GZIP)
        self._written: list[bytes] = []
        self._size = 0
        self._pending: dict[str, tuple[RecordedLook, int]] = {}
        analysis = spec.analysis
        first = spec.strategy.steps[0].weight / 100
        self._newest, self._share = _newest(before), _share(before)
        self._write(continued(before) or header_line(analysis.sampling.young, (), first, analysis.wire()))

    @property
    def together(self) -> int:
        """How many looks of a signal are written as one."""
        free = max(1 - self._size / max(self._room - _BUFFERED, 1), 0.5**_COARSEST)
        return 1 << math.floor(-math.log2(min(free, 1.0)))

    def step(self, at: float, number: int, share: float) -> None:
        """A step begins, in which the canary gets a share of the requests (0 to 1)."""
        self._tell(at, number, share)

    def change_share(self, at: float, share: float) -> None:
        """The canary's share of the requests changes without a step, to 0 where they cannot be held against any."""
        if share != self._share:
            self._tell(at, 0, share)

    def _tell(self, at: float, step: int, share: float) -> None:
        self._flush()
        self._share = share
        at = self._newest[""] = max(at, self._newest.get("", at))
        self._write(look_line(RecordedLook(at, "release", {}, step=step, share=share)))

    def note(self, phase: Phase, looks: Iterable[SignalLook]) -> None:
        """Take in what the judge is shown, in the order in which it learns; looks without data are left out."""
        for look in sorted(looks, key=lambda look: (look.starts, look.at)):
            if look.status is SourceStatus.OK:
                its: Phase = "starts" if look.starts else phase
                self._take(RecordedLook(look.at, its, look.pods, look.signal, look.edges_seconds))

    def finished(self) -> bytes:
        """The recording as it is now: gzip of JSON Lines. What waits to be made one with later looks waits on."""
        rest = "".join(f"{look_line(look)}\n" for look, _ in self._pending.values())
        end = self._compressor.copy()
        return b"".join(self._written) + end.compress(rest.encode()) + end.flush(zlib.Z_FINISH)

    def _take(self, look: RecordedLook) -> None:
        look = replace(look, pods={name: _readable(pod) for name, pod in look.pods.items()})
        if look.phase != "starts":  # the clock of a successor may be behind
            look = replace(look, at=max(look.at, self._newest.get(look.signal, look.at)))
            self._newest[look.signal] = look.at
        kept = self._pending.pop(look.signal, None)
        if kept is not None and (kept[0].phase, kept[0].edges_seconds) != (look.phase, look.edges_seconds):
            self._write(look_line(kept[0]))
            kept = None
        merged, number = (look, 1) if kept is None else (_merged(kept[0], look), kept[1] + 1)
        if number >= self.together:
            self._write(look_line(merged))
        else:
            self._pending[look.signal] = (merged, number)

    def _flush(self) -> None:
        pending, self._pending = self._pending, {}
        for look, _ in pending.values():
            self._write(look_line(look))

    def _write(self, lines: str) -> None:
        made = self._compressor.compress(lines.rstrip("\n").encode() + b"\n")
        self._written.append(made)
        self._size += len(made)


def _newest(lines: str) -> dict[str, float]:
    """When each signal was last looked at, by what a predecessor wrote."""
    found: dict[str, float] = {}
    for line in lines.splitlines()[1:]:
        with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError):
            look = json.loads(line)
            if look["phase"] != "starts":
                found[str(look.get("signal", ""))] = float(look["t"])
    return found


def _share(lines: str) -> float:
    """The share that was in force, by what a predecessor wrote."""
    found = 0.0
    for line in lines.splitlines()[1:]:
        if '"share":' in line:
            with contextlib.suppress(ValueError, KeyError, TypeError):
                found = float(json.loads(line)["share"])
    return found


def _readable(pod: PodLook) -> PodLook:
    """The pod with as many requests as failed at least: a gateway counts an answer that was cut off elsewhere."""
    failed = sum(pod.errors.values())
    return replace(pod, requests=failed) if 0 < pod.requests < failed else pod


def _merged(first: RecordedLook, second: RecordedLook) -> RecordedLook:
    """Two looks of a signal as one that covers both times."""
    pods = dict(first.pods)
    for name, pod in second.pods.items():
        pods[name] = _sum(pods[name], pod) if name in pods else pod
    return replace(second, pods=pods)


def _sum(first: PodLook, second: PodLook) -> PodLook:
    buckets = second.latency_counts or first.latency_counts
    if first.latency_counts and len(first.latency_counts) == len(second.latency_counts):
        buckets = tuple(a + b for a, b in zip(first.latency_counts, second.latency_counts, strict=True))
    return replace(
        second,
        exposure_seconds=first.exposure_seconds + second.exposure_seconds,
        requests=first.requests + second.requests,
        errors=_added(first.errors, second.errors),
        latency_counts=buckets,
        crashes=first.crashes + second.crashes,
    )


def _added(first: Mapping[str, int], second: Mapping[str, int]) -> dict[str, int]:
    return {name: first.get(name, 0) + second.get(name, 0) for name in {**first, **second}}


def config_map_name(name: str, release_id: str) -> str:
    """Where the cluster keeps the recording."""
    return f"{name}-recording-{release_id}"


def config_map_of(name: str, namespace: str, release_id: str, recording: bytes, owner: Manifest) -> Manifest:
    """The ConfigMap that keeps a recording; it goes with the GrayRelease that `owner` refers to."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": config_map_name(name, release_id),
            "namespace": namespace,
            "labels": {RECORDING_LABEL: name, "app.kubernetes.io/managed-by": "grayling"},
            "ownerReferences": [owner],
        },
        "binaryData": {KEY: base64.b64encode(recording).decode()},
    }


def lines_in(config_map: Manifest) -> str:
    """The lines that a ConfigMap keeps.

    Raises:
        ValueError: it keeps none, or they are damaged.
    """
    name = config_map["metadata"]["name"]
    try:
        packed = (config_map.get("binaryData") or {})[KEY]
        return zlib.decompress(base64.b64decode(packed, validate=True), _GZIP).decode()
    except KeyError as error:
        raise ValueError(f"ConfigMap {name} has no key {KEY}") from error
    except (binascii.Error, zlib.error, UnicodeDecodeError) as error:
        raise ValueError(f"ConfigMap {name}: the recording is damaged ({error})") from error
