"""Which part of the requests really reached the canary, as the counters tell: the proof that a weight is in force.

A request counts when it begins, because that is when the gateway chose a version for it: one that began under an older
weight and ended under a newer one says nothing of the newer, and one that is never answered was sent nevertheless. Only
the gateway can tell both; the pods' counters hold answers, those to probes and scrapes among them.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING

from rollout.signals.kinds import SIGNAL_KINDS, Family, SourceName
from rollout.signals.looks import Arm, SourceStatus
from rollout.sources.arms import Point
from rollout.sources.gateway import ENDPOINTS
from rollout.sources.patience import Patience

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rollout.api.spec import Signal
    from rollout.signals.looks import SignalLook

_PREFERENCE = (SourceName.GATEWAY, SourceName.PODS, SourceName.PROMETHEUS)
_MOST_POINTS = 1024
QUIET_PODS_SECONDS = 1.0
"""Pods that count nothing for so long are asked by nobody, not even by probes."""


class ShareMeter:
    """Listens to the looks of all sources and adds up the requests of one signal.

    One signal only, or requests would count double: the one :meth:`begin` chooses, or the first that has requests.

    Attributes:
        endpoints: how many of the canary's pods every proxy of the gateway can send a request to; None where the
            gateway does not tell. While it is 0, any request that the weights send to the canary fails.
        by_gateway: the gateway counts the requests, or nobody said who does.
        open_requests: at the canary, begun and not answered; None where nobody can say.
    """

    def __init__(self) -> None:
        self._clear("")

    def _clear(self, signal: str, *, by_gateway: bool = True) -> None:
        self._signal, self.by_gateway = signal, by_gateway
        self._points: list[Point] = []
        self._up = False
        self._last_request_at: float | None = None
        self._patience = Patience()
        self.endpoints: int | None = None
        self.open_requests: int | None = None

    def begin(self, signals: Iterable[Signal]) -> None:
        """Start afresh for a release; the gateway's count is preferred to the pods', and theirs to Prometheus'."""
        failures = [signal for signal in signals if SIGNAL_KINDS[signal.kind].family is Family.FAILURES]
        counting = {signal.source: signal.name for signal in failures}
        source = next((each for each in _PREFERENCE if each in counting), SourceName.GATEWAY)
        self._clear(counting.get(source, ""), by_gateway=source is SourceName.GATEWAY)

    def take(self, look: SignalLook) -> None:
        """Add one look; of the looks of other signals nothing but the endpoints is taken."""
        self._hear_endpoints(look)
        if not self._signal and any(pod.requests or pod.begun for pod in look.pods.values()):
            self._signal = look.signal
        if look.signal != self._signal:
            return
        self._up = look.status is SourceStatus.OK
        self.open_requests = self.open_requests if self._up else None
        if self._up and not (self._points and look.at < self._points[-1].at):
            self._add(look)

    def _hear_endpoints(self, look: SignalLook) -> None:
        counting = [pod for pod in look.pods.values() if ENDPOINTS in pod.gauges]
        if counting:
            self.endpoints = int(sum(pod.gauges[ENDPOINTS] for pod in counting if pod.arm is Arm.CANARY))

    def _add(self, look: SignalLook) -> None:
        before = self._points[-1] if self._points else Point(look.at)
        arms = {arm: [pod for pod in look.pods.values() if pod.arm is arm] for arm in Arm}
        point = Point(look.at, before.stable.then(arms[Arm.STABLE]), before.canary.then(arms[Arm.CANARY]))
        if point.canary.begun > before.canary.begun or self._last_request_at is None:
            self._last_request_at = look.at
        self._points.append(point)
        if len(self._points) > _MOST_POINTS:
            older, newer = self._points[: _MOST_POINTS // 2], self._points[_MOST_POINTS // 2 :]
            self._points = older[::2] + newer
        if any(pod.waiting is not None for pod in look.pods.values()):
            self.open_requests = point.canary.waiting
            self._patience.see(before, point)

    def share_since(self, at: float, *, newest: int | None = None) -> tuple[float | None, int]:
        """The canary's fraction of the requests begun since ``at``, and of how many; None where there was none.

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
        canary = end.canary.begun - begin.canary.begun
        total = end.total - begin.total
        return (canary / total if total else None), total

    def quiet_seconds(self, now: float) -> float | None:
        """For how long no request has reached the canary; None while nobody can say.

        Pods count probes and scrapes for as long as they live: that they are quiet says something, that they are not
        says nothing.
        """
        if not self._up or self._last_request_at is None:
            return None
        quiet = max(0.0, now - self._last_request_at)
        return quiet if self.by_gateway or quiet >= QUIET_PODS_SECONDS else None

    def missing(self, now: float) -> tuple[float, float]:
        """How many answers of the canary are missing, and for how many seconds; (0, 0) where nobody can say."""
        if not self._up or not self.by_gateway:
            return 0.0, 0.0
        return self._patience.missing(self._points, now)
