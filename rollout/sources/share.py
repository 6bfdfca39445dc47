"""Which part of the requests really reached the canary, as the counters tell: the proof that a weight is in force."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rollout.looks import Arm, SourceStatus
from rollout.sources.gateway import ENDPOINTS
from rollout.spec import SignalKind, SourceName

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rollout.looks import SignalLook
    from rollout.spec import Signal

_PREFERENCE = (SourceName.GATEWAY, SourceName.PODS, SourceName.PROMETHEUS)
_MOST_POINTS = 1024


@dataclass(frozen=True, slots=True)
class _Point:
    """Requests counted up to ``at``."""

    at: float
    stable: int
    canary: int

    @property
    def total(self) -> int:
        return self.stable + self.canary


class ShareMeter:
    """Listens to the looks of all sources and adds up the requests of one signal.

    One signal only, or requests would count double: the one :meth:`begin` chooses, or the first that has requests.

    Attributes:
        endpoints: how many of the canary's pods every proxy of the gateway can send a request to; None where the
            gateway does not tell. While it is 0, any request that the weights send to the canary fails.
    """

    def __init__(self) -> None:
        self._signal = ""
        self._points: list[_Point] = []
        self._up = False
        self._last_request_at: float | None = None
        self.endpoints: int | None = None

    def begin(self, signals: Iterable[Signal]) -> None:
        """Start afresh for a release; the gateway's count is preferred to the pods', and theirs to Prometheus'."""
        self._points, self._up, self._last_request_at, self.endpoints = [], False, None, None
        counting = {signal.source: signal.name for signal in signals if signal.kind is SignalKind.ERRORS}
        self._signal = next((counting[source] for source in _PREFERENCE if source in counting), "")

    def take(self, look: SignalLook) -> None:
        """Add one look; of the looks of other signals nothing but the endpoints is taken."""
        self._hear_endpoints(look)
        if not self._signal and any(pod.requests for pod in look.pods.values()):
            self._signal = look.signal
        if look.signal != self._signal:
            return
        self._up = look.status is SourceStatus.OK
        if self._up and not (self._points and look.at < self._points[-1].at):
            self._add(look)

    def _hear_endpoints(self, look: SignalLook) -> None:
        told = [pod for pod in look.pods.values() if ENDPOINTS in pod.gauges]
        if told:
            self.endpoints = int(sum(pod.gauges[ENDPOINTS] for pod in told if pod.arm is Arm.CANARY))

    def _add(self, look: SignalLook) -> None:
        stable, canary = (sum(pod.requests for pod in look.pods.values() if pod.arm is arm) for arm in Arm)
        if canary or self._last_request_at is None:
            self._last_request_at = look.at
        before = self._points[-1] if self._points else _Point(look.at, 0, 0)
        self._points.append(_Point(look.at, before.stable + stable, before.canary + canary))
        if len(self._points) > _MOST_POINTS:
            older, newer = self._points[: _MOST_POINTS // 2], self._points[_MOST_POINTS // 2 :]
            self._points = older[::2] + newer

    def share_since(self, at: float, *, newest: int | None = None) -> tuple[float | None, int]:
        """The canary's fraction of the requests since ``at``, and of how many; None where there was none.

        The look that straddles ``at`` is left out: nobody can say on which side its requests were. With ``newest``
        only about so many of the last requests count, so that what a gateway did before it followed is forgotten.
        """
        first = bisect_left(self._points, at, key=lambda point: point.at)
        if first >= len(self._points):
            return None, 0
        end = self._points[-1]
        if newest is not None:
            first = max(first, bisect_right(self._points, end.total - newest, key=lambda point: point.total) - 1)
        begin = self._points[first]
        canary = end.canary - begin.canary
        total = canary + end.stable - begin.stable
        return (canary / total if total else None), total

    def quiet_seconds(self, now: float) -> float | None:
        """For how long no request has reached the canary; None while nobody can say."""
        if not self._up or self._last_request_at is None:
            return None
        return max(0.0, now - self._last_request_at)
