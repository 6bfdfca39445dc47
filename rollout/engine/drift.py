"""Errors that become more while no release is under way: each service is held against its own days before.

Nothing new is computed: the judge of releases is asked. Today is its canary, and the same minutes of each of the last
seven days are stable's pods. So it learns how much healthy days differ, how failures clump and how often there are
bursts, and its promise holds for a day: a healthy one is told with a chance of at most :data:`FALSE_ALARMS`. A new day
begins anew. While a release is under way its own judge looks, and here nobody does.
"""

from __future__ import annotations

import asyncio
import math
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import structlog
from pydantic import ValidationError

from kube.errors import KubeError
from rollout.api.persisted import read_status
from rollout.api.spec import Spec
from rollout.api.status import JournalEntry
from rollout.engine import metrics
from rollout.judge import Judge, JudgePolicy, SignalPolicy, Verdict
from rollout.notify.channels import NOTE, News
from rollout.signals.kinds import SignalKind
from rollout.signals.looks import Arm, PodLook, SignalLook, SourceStatus
from rollout.sources.days import SLOT_SECONDS, Answered, answered
from rollout.sources.fetch import FetchError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from kube.cache import Key
    from kube.kinds import Manifest
    from rollout.api.spec import Signal
    from rollout.notify.channels import Channel
    from rollout.sources.ask import Ask

log: Any = structlog.get_logger()
DAY = 86_400 // SLOT_SECONDS
DAYS = 7
LEAST_DAYS = 2
"""One day does not tell how much days differ."""

FALSE_ALARMS = 0.002
"""Chance that a day in which nothing is wrong is told: at most one in 71 weeks of a service."""

EVERY_SECONDS = 60.0
GROWN_UP = 1e7
"""Seconds that a day's pods are old: nothing here is a start."""

DRIFTED, WELL, UNKNOWN = 1.0, 0.0, -1.0
"""Values of the metric. Unknown: too few days before it, no traffic, or Prometheus does not tell; drift stays told."""


@dataclass(slots=True)
class Trial:
    """One day of one service.

    Attributes:
        name: of the signal.
        day: since the epoch.
        known: requests and errors by slot, of this day and those before.
        seen: the last slot that was judged, or that is not to be.
        told: whether people know.
        words: of the judge, when it was last asked.
        verdict: a value of the metric.
    """

    name: str
    day: int
    seen: int
    known: dict[int, Answered] = field(default_factory=dict)
    told: bool = False
    words: str = ""
    verdict: float = UNKNOWN
    _judge: Judge | None = None

    async def judge(self, last: int) -> None:
        """Judge the slots up to ``last``; others have their turn after each."""
        for slot in range(self.seen + 1, last + 1):
            self.seen = slot
            days = self._days(slot)
            if len(days) < LEAST_DAYS or slot not in self.known:
                self.verdict = DRIFTED if self.verdict == DRIFTED else UNKNOWN
                continue
            if self._judge is None:
                self._judge = await self._learned()
            pods = {**days, "today": _pod(Arm.CANARY, self.known[slot])}
            found = self._judge.look(slot * float(SLOT_SECONDS), [_look(self.name, slot, pods)])
            self.verdict = DRIFTED if found.verdict is Verdict.BAD else WELL
            self.words = found.reason
            await asyncio.sleep(0)

    def _days(self, slot: int) -> dict[str, PodLook]:
        found = {f"{day} days ago": slot - day * DAY for day in range(1, DAYS + 1)}
        return {name: _pod(Arm.STABLE, self.known[then]) for name, then in found.items() if then in self.known}

    async def _learned(self) -> Judge:
        """A judge that knows how the days before went, in the 24 hours before these began."""
        signal = SignalPolicy(self.name, SignalKind.ERRORS, floor=0.0)
        policy = JudgePolicy((signal,), false_rollback_rate=FALSE_ALARMS, horizon_seconds=86_400.0)
        made = Judge(policy)
        for slot in range((self.day - 1) * DAY + 1, self.day * DAY + 1):
            if days := self._days(slot):
                made.learn([_look(self.name, slot, days)])
                await asyncio.sleep(0)
        return made


def _pod(arm: Arm, seen: Answered) -> PodLook:
    return PodLook(arm, GROWN_UP, float(SLOT_SECONDS), requests=seen.requests, errors={"errors": seen.errors})


def _look(signal: str, slot: int, pods: Mapping[str, PodLook]) -> SignalLook:
    return SignalLook(signal, slot * float(SLOT_SECONDS), SourceStatus.OK, pods)


class AtRest(NamedTuple):
    """A release that is not under way, so that its service should do as on the days before.

    Attributes:
        key: ``(namespace, name)``.
        uid: of the GrayRelease.
        spec: as it is declared.
        since: when it came to rest, in seconds since the epoch.
    """

    key: Key
    uid: str
    spec: Spec
    since: float

    @property
    def signals(self) -> list[Signal]:
        """Those of its signals that are watched: requests that fail, counted by the pods and kept by a Prometheus."""
        there = self.spec.analysis.signals if self.spec.sources.prometheus else []
        return [each for each in there if each.kind is SignalKind.ERRORS and not each.query]


def at_rest(manifest: Manifest) -> AtRest | None:
    """What is known of a GrayRelease; None while a release is under way, or where the spec cannot be read."""
    status, _ = read_status(manifest.get("status"))
    try:
        spec = Spec.model_validate(manifest.get("spec"))
    except ValidationError:
        return None
    meta = manifest["metadata"]
    found = AtRest((meta["namespace"], meta["name"]), meta["uid"], spec, status.phase_since or 0.0)
    return None if status.in_flight else found


class DriftWatch:
    """Watches the errors of services whose releases are at rest.

    Args:
        resting: those that this process answers for.
        ask: how a Prometheus is asked, by its URL.
        channels: where people are told.
        clock: seconds since the epoch.
    """

    def __init__(
        self,
        resting: Callable[[], Iterable[AtRest]],
        ask: Callable[[str], Ask],
        channels: Sequence[Channel],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._resting, self._ask, self._channels, self._clock = resting, ask, channels, clock
        self._trials: dict[tuple[Key, str], Trial] = {}

    async def run(self) -> None:
        """Look every minute until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(EVERY_SECONDS)

    async def look(self) -> None:
        """Judge all that there is by now; what cannot be asked is unknown, and asked again."""
        watched = {(each.key, signal.name): (each, signal) for each in self._resting() for signal in each.signals}
        for key, name in self._trials.keys() - watched.keys():
            del self._trials[key, name]
            metrics.DRIFT.remove_by_labels({"namespace": key[0], "name": key[1], "signal": name})
        for service, signal in watched.values():
            await self._watch(service, signal)

    async def _watch(self, service: AtRest, signal: Signal) -> None:
        last = int(self._clock() // SLOT_SECONDS) - 1  # the newest scrape of the one that just ended may be missing
        trial = self._trials.get((service.key, signal.name))
        if trial is None or trial.day != last // DAY:
            begun = max(last // DAY * DAY, math.ceil(service.since / SLOT_SECONDS))
            trial = self._trials[service.key, signal.name] = Trial(signal.name, last // DAY, begun)
        gauge = metrics.DRIFT.labels(*service.key, signal.name)
        try:
            first = max(trial.known, default=(trial.day - DAYS - 1) * DAY) + 1
            if first <= last:
                ask = self._ask(service.spec.sources.prometheus or "")
                trial.known |= await answered(ask, *service.key, signal, first, last)
            await trial.judge(last)
        except FetchError as error:
            log.warning("drift is not known", release="/".join(service.key), reason=str(error))
            gauge.set(UNKNOWN)
            return
        gauge.set(trial.verdict)
        if trial.verdict == DRIFTED and not trial.told:
            trial.told = True
            await self._tell(service, f"no release is under way, and {signal.name} drift: {trial.words}")

    async def _tell(self, service: AtRest, text: str) -> None:
        news = News(*service.key, service.uid, JournalEntry(at=self._clock(), what=NOTE, text=text))
        for channel in self._channels:
            try:
                await channel.tell(news)
            except KubeError as error:
                log.warning("not told", channel=channel.name, release="/".join(service.key), error=str(error))
