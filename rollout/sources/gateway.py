"""The gateway's own statistics: what every backend answered, what Envoy had to answer in its place, and who gave up.

What its counters mean is written in :mod:`rollout.sources.envoy`. Here the pods of the data plane are found, read, and
summed, so that a release sees one pseudo-pod per revision, over all its ports that are routed: clusters are named by
the Service they lead to (:mod:`rollout.sources.clusters`), and each revision has one of its own. Proxies that do not
answer, and selected pods that are no proxies, are left out and named: of ten the other nine still tell.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rollout.api.spec import USUAL_ERRORS
from rollout.signals.looks import PodLook, SignalLook, SourceStatus
from rollout.sources.classes import Errors
from rollout.sources.clusters import NAMINGS
from rollout.sources.envoy import ABANDONED, BAD_ANSWER, BEGUN, REQUESTS, TORN
from rollout.sources.flow import Flow
from rollout.sources.gather import Target
from rollout.sources.increments import ImpossibleError, Increments
from rollout.sources.outage import Outage
from rollout.sources.pod_roster import ready_since, started_at
from rollout.sources.proxies import ProxyHub, Wanted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from kube.kinds import Manifest
    from rollout.api.spec import GatewayStats, Signal
    from rollout.signals.looks import Arm
    from rollout.sources.envoy import Statistics
    from rollout.sources.fetch import Fetch
    from rollout.sources.increments import Increment, Reading
    from rollout.sources.pod_roster import Roster
    from rollout.sources.proxies import Answers

ENDPOINTS = "endpoints"
"""Gauge: the fewest endpoints any proxy of the data plane has for a revision."""

CUT = "cut"
"""The class of answers that broke off."""

_MOST_NAMED = 3


@dataclass(frozen=True, slots=True)
class _Proxy:
    """A pod of the gateway's data plane."""

    name: str
    target: Target
    born: float
    ready: bool


class GatewaySource:
    """Reads every pod of the data plane and sums them; each backend revision is one pseudo-pod named like it.

    Args:
        fetch: how pods are reached.
        stats: which pods, and where they show their statistics.
        signals: the signals read here; all of them see the same requests, each with its own idea of an error.
        proxies: pods from the cache, of which those that ``stats`` selects are read.
        hub: reads the proxies for all releases; one of its own where none is given.
    """

    name = "gateway"

    def __init__(
        self,
        fetch: Fetch,
        stats: GatewayStats,
        signals: Iterable[Signal],
        *,
        proxies: Callable[[], Iterable[Manifest]],
        hub: ProxyHub | None = None,
    ) -> None:
        self._stats, self._proxies = stats, proxies
        self._signals = {signal.name: Errors(signal.errors or USUAL_ERRORS) for signal in signals}
        self._firsts = "".join(sorted({"5"}.union(*(errors.firsts for errors in self._signals.values()))))
        self._naming = NAMINGS[stats.control_plane]
        self._hub = hub or ProxyHub(fetch, naming=self._naming)
        self._newest: dict[Target, float] = {}  # when each proxy was read, so that no page is taken twice
        self._increments: Increments[str] = Increments()
        self._flows: dict[str, Flow] = {}
        self._endpoints: dict[str, dict[str, int]] = {}
        self._outage = Outage(self.name)

    async def sample(self, roster: Roster, now: float) -> Sequence[SignalLook]:
        """One look per signal."""
        arms = (each for each in (roster.stable, roster.canary) if each)
        clusters = {self._naming.service(roster.namespace, each): each for each in arms}
        proxies = list(self._select(self._stats.path))
        wanted = Wanted(frozenset(clusters), self._firsts)
        harvest = await self._hub.read(self, wanted, [proxy.target for proxy in proxies], now)
        read, silent = self._read(proxies, harvest, clusters)
        status, reason = self._status(roster, proxies, harvest)
        taken = self._take(proxies, read, status, silent)
        reason = reason or _left_out(proxies, silent)
        looks = [
            SignalLook(name, now, status, self._pods(roster, proxies, taken, errors, now), reason=reason)
            for name, errors in self._signals.items()
        ]
        self._increments.forget(now)
        self._outage.note(reason, looks)
        return looks

    def _select(self, path: str) -> Iterable[_Proxy]:
        stats = self._stats
        for pod in self._proxies():
            meta, status = pod["metadata"], pod.get("status") or {}
            if meta.get("namespace") != stats.namespace or status.get("phase") != "Running" or not status.get("podIP"):
                continue
            if stats.selector.items() <= (meta.get("labels") or {}).items():
                target = Target(stats.namespace, meta["name"], status["podIP"], stats.port, path)
                ready = ready_since(pod) is not None and not meta.get("deletionTimestamp")
                yield _Proxy(meta["name"], target, started_at(pod), ready)

    def _read(
        self, proxies: Sequence[_Proxy], harvest: Answers, clusters: Mapping[str, str]
    ) -> tuple[dict[tuple[str, str], Reading[str]], dict[str, str]]:
        """What each proxy counted of each revision, and why the others say nothing; remembers endpoints."""
        read: dict[tuple[str, str], Reading[str]] = {}
        silent: dict[str, str] = {}
        names = {proxy.name for proxy in proxies}
        self._flows = {proxy: flow for proxy, flow in self._flows.items() if proxy in names}
        self._endpoints = {proxy: known for proxy, known in self._endpoints.items() if proxy in names}
        self._newest = {proxy: at for proxy, at in self._newest.items() if proxy in {each.target for each in proxies}}
        for proxy in proxies:
            if (page := harvest.pages.get(proxy.target)) is not None:
                if page.at <= self._newest.get(proxy.target, float("-inf")):
                    continue
                self._newest[proxy.target] = page.at
                found = page.shown.of(clusters) if page.shown.speaks else None
                silent[proxy.name] = "" if found else f"{proxy.target} shows no statistics of Envoy"
                self._hear(proxy.name, found)
                if found is not None:
                    readings = self._flows.setdefault(proxy.name, Flow()).see(found, page.at)
                    read |= {(proxy.name, revision): reading for revision, reading in readings.items()}
            elif proxy.target in harvest.failed:
                why = harvest.failed[proxy.target]
                silent[proxy.name] = why if proxy.name in why else f"{proxy.target}: {why}"
                self._hear(proxy.name, None)
        return read, {proxy: why for proxy, why in silent.items() if why}

    def _hear(self, proxy: str, found: Statistics | None) -> None:
        """Remember how many endpoints a proxy has; nothing of one that says nothing."""
        self._endpoints.pop(proxy, None)
        if found is not None:
            known = {revision: each.endpoints for revision, each in found.backends.items()}
            self._endpoints[proxy] = {revision: count for revision, count in known.items() if count is not None}

    def _status(self, roster: Roster, proxies: Sequence[_Proxy], harvest: Answers) -> tuple[SourceStatus, str]:
        answering = [proxy for proxy in proxies if proxy.target in harvest.pages]
        ready = [proxy for proxy in proxies if proxy.ready] or answering  # one that drains still carries requests
        if not ready:
            selector = ",".join(f"{key}={value}" for key, value in sorted(self._stats.selector.items()))
            return SourceStatus.SOURCE_DOWN, f"no ready pod in {self._stats.namespace} has the labels {selector}"
        if all(proxy.target in harvest.failed for proxy in ready):
            return SourceStatus.SOURCE_DOWN, harvest.failed[ready[0].target]
        newest = roster.canary or roster.stable
        if not any(newest in known for known in self._endpoints.values()):
            return SourceStatus.NO_DATA, ""
        return SourceStatus.OK, ""

    def _take(
        self,
        proxies: Sequence[_Proxy],
        read: Mapping[tuple[str, str], Reading[str]],
        status: SourceStatus,
        silent: dict[str, str],
    ) -> dict[str, list[Increment[str]]]:
        """What every proxy adds, by revision; what none can have counted is left out and told in ``silent``."""
        born = {proxy.name: proxy.born for proxy in proxies}
        taken: dict[str, list[Increment[str]]] = {}
        for (proxy, revision), reading in read.items():
            subject = f"{proxy} {revision}"
            if status is not SourceStatus.OK:
                self._increments.introduce(subject, reading, born=born[proxy])
                continue
            try:
                seen = self._increments.take(subject, reading, born=born[proxy])
            except ImpossibleError as error:
                silent[proxy] = f"{proxy}: {error}; it is not counted"
                continue
            if seen is not None:
                taken.setdefault(revision, []).append(seen)
        return taken

    def _pods(
        self,
        roster: Roster,
        proxies: Sequence[_Proxy],
        taken: Mapping[str, Sequence[Increment[str]]],
        errors: Errors,
        now: float,
    ) -> dict[str, PodLook]:
        looks = {}
        for revision in {each for known in self._endpoints.values() for each in known}:
            arm = roster.arm_of(revision)
            if arm is not None:
                age = max((pod.age(now) for pod in roster.pods if pod.revision == revision), default=0.0)
                heard = [
                    self._endpoints[proxy.name] for proxy in proxies if proxy.ready and proxy.name in self._endpoints
                ]
                fewest = min((known.get(revision, 0) for known in heard), default=0)
                waiting = sum(flow.open.get(revision, 0) for flow in self._flows.values())
                made = _pseudo_pod(arm, age, taken.get(revision, ()), errors)
                looks[revision] = replace(made, gauges={ENDPOINTS: float(fewest)}, waiting=waiting)
        return looks


def _left_out(proxies: Sequence[_Proxy], silent: Mapping[str, str]) -> str:
    """Which of the selected pods say nothing, and why; empty where all do."""
    why = [silent[proxy.name] for proxy in proxies if proxy.ready and proxy.name in silent]
    if not why:
        return ""
    more = f"; and {len(why) - _MOST_NAMED} more" if len(why) > _MOST_NAMED else ""
    return f"{len(why)} of {len(proxies)} selected pods left out: {'; '.join(why[:_MOST_NAMED])}{more}"


def _pseudo_pod(arm: Arm, age: float, increments: Sequence[Increment[str]], wanted: Errors) -> PodLook:
    total: dict[str, int] = {}
    for increment in increments:
        for key, count in increment.counts.items():
            total[key] = total.get(key, 0) + count
    statuses = {key: count for key, count in total.items() if key.isdecimal()}
    errors = wanted.of(statuses)
    if (cut := total.get(TORN, 0) - statuses.get(BAD_ANSWER, 0)) > 0:
        errors[CUT] = cut
    if abandoned := total.get(ABANDONED, 0):
        errors[ABANDONED] = abandoned
    seconds = max((increment.seconds for increment in increments), default=0.0)
    requests, begun = total.get(REQUESTS, 0) + abandoned, total.get(BEGUN, 0)
    return PodLook(arm, age, seconds, requests=requests, errors=errors, begun=begun)
