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
from collections import Counter
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
from rollout.sources.days import SLOT_SECONDS, Answered, Days, answered
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

KEPT = (DAYS + 2) * DAY
"""Slots that a trial reads: its own day, the day that its judge learns, and the days before that one."""

SILENT = 3
"""So often in one look a Prometheus may fail to answer; of what else it has nothing is known then, until the next."""

RESTS = 4.0
"""After each step of the judge others have so many times as long. When an engine or a day begins there are minutes of
steps, and a thread that computes all the time lets no release begin (`rollout.engine.load`)."""

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
        seen: the last slot that was judged, or that is not to be.
        known: requests and errors by slot, of this day and those before.
        told: whether people know.
        words: of the judge, when it was last asked.
        verdict: a value of the metric.
        turn: of all questions, the last one that was about it; 0 where there was none.
    """

    name: str
    day: int
    seen: int
    known: Days = field(default_factory=lambda: Days(KEPT))
    told: bool = False
    words: str = ""
    verdict: float = UNKNOWN
    turn: int = 0
    _judge: Judge | None = None

    async def judge(self, last: int, rests: float = 0.0) -> None:
        """Judge the slots up to ``last``; others have their turn after each, and ``rests`` times as long as it took."""
        for slot in range(self.seen + 1, last + 1):
            self.seen = slot
            days, today = self._days(slot), self.known.get(slot)
            if len(days) < LEAST_DAYS or today is None:
                self.verdict = DRIFTED if self.verdict == DRIFTED else UNKNOWN
                continue
            if self._judge is None:
                self._judge = await self._learned(rests)
            began = time.thread_time()
            pods = {**days, "today": _pod(Arm.CANARY, today)}
            found = self._judge.look(slot * float(SLOT_SECONDS), [_look(self.name, slot, pods)])
            self.verdict = DRIFTED if found.verdict is Verdict.BAD else WELL
            self.words = found.reason
            await asyncio.sleep(rests * (time.thread_time() - began))

    def _days(self, slot: int) -> dict[str, PodLook]:
        found = ((day, self.known.get(slot - day * DAY)) for day in range(1, DAYS + 1))
        return {f"{day} days ago": _pod(Arm.STABLE, then) for day, then in found if then is not None}

    async def _learned(self, rests: float) -> Judge:
        """A judge that knows how the days before went, in the 24 hours before these began."""
        signal = SignalPolicy(self.name, SignalKind.ERRORS, floor=0.0)
        policy = JudgePolicy((signal,), false_rollback_rate=FALSE_ALARMS, horizon_seconds=86_400.0)
        made = Judge(policy)
        for slot in range((self.day - 1) * DAY + 1, self.day * DAY + 1):
            began = time.thread_time()
            if days := self._days(slot):
                made.learn([_look(self.name, slot, days)])
                await asyncio.sleep(rests * (time.thread_time() - began))
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
        rests: how much longer others have than the judge.
    """

    def __init__(
        self,
        resting: Callable[[], Iterable[AtRest]],
        ask: Callable[[str], Ask],
        channels: Sequence[Channel],
        clock: Callable[[], float] = time.time,
        rests: float = RESTS,
    ) -> None:
        self._resting, self._ask, self._channels, self._clock = resting, ask, channels, clock
        self._rests = rests
        self._trials: dict[tuple[Key, str], Trial] = {}
        self._turn = 0

    async def run(self) -> None:
        """Look every minute until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(EVERY_SECONDS)

    async def look(self) -> None:
        """Judge all that there is by now; what cannot be asked is unknown, and asked again.

        Who has waited longest for a word is asked first, so that a Prometheus that answers some is not silent for all.
        """
        watched = {(each.key, signal.name): (each, signal) for each in self._resting() for signal in each.signals}
        for key, name in self._trials.keys() - watched.keys():
            del self._trials[key, name]
            metrics.DRIFT.remove_by_labels({"namespace": key[0], "name": key[1], "signal": name})
        failed: Counter[str] = Counter()
        turns = {each: trial.turn for each, trial in self._trials.items()}
        for each in sorted(watched, key=lambda each: turns.get(each, 0)):
            await self._watch(*watched[each], failed)

    async def _watch(self, service: AtRest, signal: Signal, failed: Counter[str]) -> None:
        last = int(self._clock() // SLOT_SECONDS) - 1  # the newest scrape of the one that just ended may be missing
        trial, url = self._trial(service, signal, last), service.spec.sources.prometheus or ""
        if failed[url] >= SILENT:
            _show(service, signal, UNKNOWN)
            return
        self._turn = trial.turn = self._turn + 1
        try:
            await _filled(trial, self._ask(url), service.key, signal, last)
            await trial.judge(last, self._rests)
        except FetchError as error:
            failed[url] += 1
            log.warning("drift is not known", release="/".join(service.key), reason=str(error))
            _show(service, signal, UNKNOWN)
            return
        _show(service, signal, trial.verdict)
        if trial.verdict == DRIFTED and not trial.told:
            trial.told = True
            await self._tell(service, f"no release is under way, and {signal.name} drift: {trial.words}")

    def _trial(self, service: AtRest, signal: Signal, last: int) -> Trial:
        """That of the day; what is known stays when a new day begins."""
        before = self._trials.get((service.key, signal.name))
        if before and before.day == last // DAY:
            return before
        begun = max(last // DAY * DAY, math.ceil(service.since / SLOT_SECONDS))
        known = before.known if before else Days(KEPT)
        made = self._trials[service.key, signal.name] = Trial(signal.name, last // DAY, begun, known)
        return made

    async def _tell(self, service: AtRest, text: str) -> None:
        news = News(*service.key, service.uid, JournalEntry(at=self._clock(), what=NOTE, text=text))
        for channel in self._channels:
            try:
                await channel.tell(news)
            except KubeError as error:
                log.warning("not told", channel=channel.name, release="/".join(service.key), error=str(error))


def _show(service: AtRest, signal: Signal, verdict: float) -> None:
    """A series is there once its value is known: one that was just made would say that all is well."""
    metrics.DRIFT.labels(*service.key, signal.name).set(verdict)


async def _filled(trial: Trial, ask: Ask, key: Key, signal: Signal, last: int) -> None:
    """Ask for what is not known yet, a day at a time: eight at once would keep everybody else from their turn.

    Raises:
        FetchError: there is no answer.
    """
    known, oldest = trial.known.newest, (trial.day - DAYS - 1) * DAY
    first = max(oldest, oldest if known is None else known) + 1
    for begin in range(first, last + 1, DAY):
        trial.known.add(await answered(ask, *key, signal, begin, min(last, begin + DAY - 1)))
        await asyncio.sleep(0)
