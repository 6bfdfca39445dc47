"""Lines of the pods' logs in which a pattern is found: for services that say in words what no metric counts.

The API server is asked for what was written since the last line that was seen. It knows times to the second only, so
lines are told apart by the kubelet's own time stamps, and none is counted twice.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rollout.looks import Arm, PodLook, SignalLook, SourceStatus
from rollout.sources.gather import Gather, Target
from rollout.sources.outage import Outage
from rollout.status import timestamp

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from rollout.sources.fetch import Fetch
    from rollout.sources.gather import Harvest, Page
    from rollout.sources.roster import PodInfo, Roster
    from rollout.spec import Signal

EVERY_SECONDS = 2.0
"""Logs are read no more often than this: each reading opens a file on the node."""

MOST_BYTES = 1 << 20
"""Of one reading; what is beyond is counted by the next one."""

_STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


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
        self._outage.note(next((problem for problem in problems if problem), ""))
        return looks


class _Reader:
    """One container of every pod.

    Attributes:
        since: up to when each pod was read: seconds since the epoch, and the time stamp of its last line.
    """

    def __init__(self, fetch: Fetch, container: str, signals: Sequence[Signal]) -> None:
        self._gather = Gather(fetch, patience=0.5, seconds=2.0)
        self._container = container
        self._patterns = {signal.name: re.compile(signal.pattern or "") for signal in signals}
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
        lines = {name: self._new(name, harvest.pages[it]) for name, it in targets.items() if it in harvest.pages}
        status, problem = _status(roster, targets, harvest)
        known = lines if status is SourceStatus.OK else {}
        looks = [
            SignalLook(name, now, status, self._looks(pods, known, pattern, now), reason=problem)
            for name, pattern in self._patterns.items()
        ]
        return looks, problem

    def _target(self, namespace: str, pod: PodInfo) -> Target:
        _, last = self.since[pod.name]
        container = f"&container={self._container}" if self._container else ""
        query = f"?timestamps=true&limitBytes={MOST_BYTES}&sinceTime={last[:19]}Z{container}"
        return Target(namespace, pod.name, pod.ip, 0, query)

    def _new(self, pod: str, page: Page) -> tuple[float, list[str]]:
        """How many seconds a reading covers, and the lines in it that were not seen before."""
        before, last = self.since[pod]
        stamped = [line.partition(" ") for line in page.text.splitlines()]
        fresh = [(stamp, text) for stamp, _, text in stamped if _STAMP.fullmatch(stamp) and _is_later(stamp, last)]
        self.since[pod] = (page.at, fresh[-1][0] if fresh else last)
        return page.at - before, [text for _, text in fresh]

    def _looks(
        self,
        pods: Mapping[str, PodInfo],
        lines: Mapping[str, tuple[float, list[str]]],
        pattern: re.Pattern[str],
        now: float,
    ) -> dict[str, PodLook]:
        found = {}
        for name, (seconds, texts) in lines.items():
            if seconds > 0:
                hits = sum(pattern.search(text) is not None for text in texts)
                found[name] = PodLook(pods[name].arm, pods[name].age(now), seconds, errors={"lines": hits})
        return found


def _is_later(stamp: str, last: str) -> bool:
    """Whether a kubelet's time stamp is after another: digits after the second may be fewer than nine."""
    return _comparable(stamp) > _comparable(last)


def _comparable(stamp: str) -> tuple[str, str]:
    whole, _, fraction = stamp.rstrip("Z").partition(".")
    return whole, fraction.ljust(9, "0")


def _status(roster: Roster, targets: Mapping[str, Target], harvest: Harvest) -> tuple[SourceStatus, str]:
    """Down when no ready pod of an arm could be read."""
    ready = [pod for pod in roster.pods if pod.ready and pod.name in targets]
    if not ready:
        return SourceStatus.NO_DATA, ""
    for arm in Arm:
        failed = [harvest.failed.get(targets[pod.name], "") for pod in ready if pod.arm is arm]
        if failed and all(failed):
            return SourceStatus.SOURCE_DOWN, failed[0]
    return SourceStatus.OK, ""
