"""Lines of the pods' logs in which a pattern is found: for services that say in words what no metric counts.

The API server is asked for what was written since the last line that was seen. It knows times to the second only, so
lines are told apart by the kubelet's own time stamps, and none is counted twice.

A reading has a limit in bytes. Where it is reached, as much more is asked for as is ever read at once; what is still
beyond is read by the next pass, from the last line on, and until then the look covers the time up to that line and no
more. A pod that writes more within one second than is read at once cannot be followed through that second, because
nobody can ask for the second half of it: that is told as a source that is down, and reading goes on behind it.
"""

from __future__ import annotations

import asyncio
import re
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from rollout.api.patterns import compiled
from rollout.api.status import timestamp
from rollout.signals.looks import (
    Arm,
    PodLook,
    SignalLook,
    SourceStatus,
)
from rollout.sources.gather import Gather, Target
from rollout.sources.outage import Outage

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from rollout.api.patterns import Pattern
    from rollout.api.spec import Signal
    from rollout.sources.fetch import Fetch
    from rollout.sources.gather import Page
    from rollout.sources.pod_roster import PodInfo, Roster

EVERY_SECONDS = 2.0
"""Logs are read no more often than this: each reading opens a file on the node."""

MOST_BYTES = 1 << 20
"""Of one reading, as a rule."""

LARGEST_BYTES = 4 << 20
"""Of one reading, where that is not enough."""

MOST_BEHIND_SECONDS = 60.0
"""A reading that lags by more gives up what lies between, and says so."""

LINES_AT_ONCE = 1_000
"""Lines that are searched between two turns of the event loop."""

_STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z")


class LogsSource:
    """Counts lines, a reading for each container that signals are about."""

    name = "logs"

    def __init__(self, fetch: Fetch, signals: Iterable[Signal], *, every: float = EVERY_SECONDS) -> None:
        by_container: dict[str, list[Signal]] = {}
        for signal in signals:
            by_container.setdefault(signal.container or "", []).append(signal)
        self._readers = [_Reader(fetch, container, found) for container, found in by_container.items()]
        self._outage = Outage(self.name)
        self._every, self._read_at = every, float("-inf")

    async def sample(self, roster: Roster, now: float) -> Sequence[SignalLook]:
        """One look per signal, or none when logs were read just now."""
        if now - self._read_at < self._every:
            return []
        self._read_at = now
        looks: list[SignalLook] = []
        problems = []
        for reader in self._readers:
            found, problem = await reader.read(roster, now)
            looks += found
            problems.append(problem)
        self._outage.note(next((problem for problem in problems if problem), ""), looks)
        return looks


class _Read(NamedTuple):
    """What one pod wrote.

    Attributes:
        seconds: that it covers.
        hits: lines by signal in which its pattern is found.
        problem: why some of it is not there; empty where all is.
    """

    seconds: float
    hits: Mapping[str, int]
    problem: str = ""


class _Reader:
    """One container of every pod.

    Attributes:
        since: up to when each pod was read: seconds since the epoch, and the time stamp of its last line.
    """

    def __init__(self, fetch: Fetch, container: str, signals: Sequence[Signal]) -> None:
        self._gather = Gather(_Whole(fetch), patience=0.5, seconds=2.0)
        self._container = container
        self._patterns = {signal.name: compiled(signal.pattern or "") for signal in signals}
        self.since: dict[str, tuple[float, str]] = {}
        self._first_at: float | None = None

    async def read(self, roster: Roster, now: float) -> tuple[list[SignalLook], str]:
        """The looks, and why there is nothing to see (empty where there is)."""
        pods = {pod.name: pod for pod in roster.pods if pod.running}
        self._first_at = now if self._first_at is None else self._first_at
        for name, pod in pods.items():  # of pods that began since the first reading, all lines count
            since = pod.started_at if pod.started_at >= self._first_at else now
            self.since.setdefault(name, (since, timestamp(since)))
        self.since = {name: since for name, since in self.since.items() if name in pods}
        targets = {name: self._target(roster.namespace, pod) for name, pod in pods.items()}
        harvest = await self._gather.pages(targets.values(), now)
        read = {name: await self._new(name, harvest.pages[it]) for name, it in targets.items() if it in harvest.pages}
        failed = {name: harvest.failed[it] for name, it in targets.items() if it in harvest.failed}
        failed |= {name: found.problem for name, found in read.items() if found.problem}
        status, problem = _status(roster, targets, failed)
        known = {name: found for name, found in read.items() if not found.problem and status is SourceStatus.OK}
        problem = problem or next(iter(failed.values()), "")
        looks = [
            SignalLook(name, now, status, _looks(pods, known, name, now), reason=problem) for name in self._patterns
        ]
        return looks, problem

    def _target(self, namespace: str, pod: PodInfo) -> Target:
        _, last = self.since[pod.name]
        container = f"&container={self._container}" if self._container else ""
        query = f"?timestamps=true&limitBytes={MOST_BYTES}&sinceTime={last[:19]}Z{container}"
        return Target(namespace, pod.name, pod.ip, 0, query)

    async def _new(self, pod: str, page: Page) -> _Read:
        """What is new in a reading."""
        before, last = self.since[pod]
        cut = _is_cut(page.text, LARGEST_BYTES)
        lines = page.text.split("\n")
        hits, newest = await _search(lines[:-1] if cut else lines, last, self._patterns)
        until = _seconds(newest) if cut else page.at
        if cut and newest[:19] == last[:19]:
            self.since[pod] = (until + 1, timestamp(until + 1))
            return _Read(
                0, {}, f"log of {pod}: more than {LARGEST_BYTES >> 20} MiB in the second {last[:19]}Z; not read"
            )
        if page.at - until > MOST_BEHIND_SECONDS:
            self.since[pod] = (page.at, timestamp(page.at))
            return _Read(
                0, {}, f"log of {pod}: reading is {page.at - until:.0f} s behind; what lies between is not read"
            )
        self.since[pod] = (max(until, before), newest)
        return _Read(max(until - before, 0.0), hits)


class _Whole:
    """Reads a log, and reads it again with the largest limit where the usual one cut it."""

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch

    async def __call__(self, namespace: str, pod: str, ip: str, port: int, path: str, seconds: float) -> str:
        """The text, of `LARGEST_BYTES` at most."""
        text = await self._fetch(namespace, pod, ip, port, path, seconds)
        if _is_cut(text, MOST_BYTES):
            more = path.replace(f"limitBytes={MOST_BYTES}", f"limitBytes={LARGEST_BYTES}")
            text = await self._fetch(namespace, pod, ip, port, more, seconds)
        return text


async def _search(lines: Sequence[str], last: str, patterns: Mapping[str, Pattern]) -> tuple[dict[str, int], str]:
    """Lines after ``last`` by the signal whose pattern is found in them, and the newest time stamp."""
    hits = dict.fromkeys(patterns, 0)
    newest = last
    for number, line in enumerate(lines):
        if number and number % LINES_AT_ONCE == 0:
            await asyncio.sleep(0)
        stamp, _, text = line.partition(" ")
        if _is_later(stamp, last) and _STAMP.fullmatch(stamp):
            newest = stamp
            for name, pattern in patterns.items():
                hits[name] += pattern.found_in(text)
    return hits, newest


def _looks(pods: Mapping[str, PodInfo], read: Mapping[str, _Read], signal: str, now: float) -> dict[str, PodLook]:
    return {
        name: PodLook(
            arm=pods[name].arm,
            age_seconds=pods[name].age(now),
            exposure_seconds=found.seconds,
            errors={"lines": found.hits[signal]},
            node=pods[name].node,
            zone=pods[name].zone,
        )
        for name, found in read.items()
        if found.seconds > 0
    }


def _is_cut(text: str, limit: int) -> bool:
    """Whether a reading ended at its limit."""
    return len(text) >= limit // 4 and len(text.encode()) >= limit


def _seconds(stamp: str) -> float:
    """The moment of a time stamp, in seconds since the epoch."""
    return datetime.fromisoformat(f"{stamp[:19]}+00:00").timestamp()


def _is_later(stamp: str, last: str) -> bool:
    """Whether a kubelet's time stamp is after another: digits after the second may be fewer than nine."""
    return _comparable(stamp) > _comparable(last)


def _comparable(stamp: str) -> tuple[str, str]:
    whole, _, fraction = stamp.rstrip("Z").partition(".")
    return whole, fraction.ljust(9, "0")


def _status(roster: Roster, targets: Mapping[str, Target], failed: Mapping[str, str]) -> tuple[SourceStatus, str]:
    """Down when no ready pod of an arm could be read."""
    ready = [pod for pod in roster.pods if pod.ready and pod.name in targets]
    if not ready:
        return SourceStatus.NO_DATA, ""
    for arm in Arm:
        why = [failed.get(pod.name, "") for pod in ready if pod.arm is arm]
        if why and all(why):
            return SourceStatus.SOURCE_DOWN, why[0]
    return SourceStatus.OK, ""
