"""What the pod objects themselves tell: containers that ended, readiness that was lost, pods that were thrown out.

Nothing is asked of anybody: the objects are in the watch cache already.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rollout.signals.looks import PodLook, SignalLook, SourceStatus

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rollout.api.spec import Signal
    from rollout.sources.pod_roster import PodInfo, Roster


@dataclass(slots=True)
class _Life:
    """What was last seen of one pod, and what of it was told already.

    Attributes:
        seen_at: when.
        deaths: of its containers.
        ready: whether it was ready.
        failed: whether the whole pod had ended.
        forgiven: readiness was lost and counted, so the death it leads to is the same incident.
    """

    seen_at: float
    deaths: int
    ready: bool
    failed: bool
    forgiven: bool = False


class KubernetesSource:
    """Counts incidents per pod. One incident is counted once, although it shows in several fields.

    What happens to a pod after somebody deleted it, evicted it or drained its node is not counted: it was asked for.
    """

    name = "kubernetes"

    def __init__(self, signals: Iterable[Signal]) -> None:
        self._signals = [signal.name for signal in signals]
        self._lives: dict[str, _Life] = {}
        self._first_at: float | None = None

    async def sample(self, roster: Roster, now: float) -> Sequence[SignalLook]:
        """One look per signal; all of them see the same incidents."""
        if self._first_at is None:
            self._first_at = now
        pods = {pod.name: look for pod in roster.pods if (look := self._look(pod, now))}
        present = {_key(pod) for pod in roster.pods}
        self._lives = {key: life for key, life in self._lives.items() if key in present or now - life.seen_at < 600}  # noqa: PLR2004 - ten minutes
        return [SignalLook(signal, now, SourceStatus.OK, pods) for signal in self._signals]

    def _look(self, pod: PodInfo, now: float) -> PodLook | None:
        life = self._lives.get(_key(pod)) or self._meet(pod, now)
        exposure = max(0.0, now - life.seen_at)
        errors = {} if pod.terminating or pod.disrupted else _incidents(pod, life)
        life.seen_at, life.deaths = max(now, life.seen_at), max(pod.deaths, life.deaths)
        life.ready, life.failed = pod.ready, bool(pod.failed)
        if not exposure and not errors:
            return None
        return PodLook(
            arm=pod.arm,
            age_seconds=pod.age(now),
            exposure_seconds=exposure,
            errors=errors,
            crashes=sum(errors.values()),
            node=pod.node,
            zone=pod.zone,
        )

    def _meet(self, pod: PodInfo, now: float) -> _Life:
        """A pod seen for the first time: one younger than this source has all its life counted."""
        young = self._first_at is not None and self._first_at <= pod.started_at <= now
        life = _Life(pod.started_at, 0, ready=False, failed=False) if young else _met(pod, now)
        self._lives[_key(pod)] = life
        return life


def _met(pod: PodInfo, now: float) -> _Life:
    return _Life(now, pod.deaths, ready=pod.ready, failed=bool(pod.failed))


def _incidents(pod: PodInfo, life: _Life) -> dict[str, int]:
    """Incidents since ``life`` was last seen, by what happened; brings ``life.forgiven`` up to date."""
    if pod.failed:
        return {} if life.failed else {pod.failed: 1}
    died = max(0, pod.deaths - life.deaths)
    lost = life.ready and not pod.ready
    if died and life.forgiven:
        died, life.forgiven = died - 1, False
    if lost and not died:
        life.forgiven = True
    elif pod.ready:
        life.forgiven = False
    if died:
        return {"OOMKilled" if pod.oom_killed else "exited": died}
    return {"unready": 1} if lost else {}


def _key(pod: PodInfo) -> str:
    return f"{pod.name} {pod.uid}"
