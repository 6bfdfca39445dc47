"""The gateway's own statistics: what every backend answered, and what Envoy had to answer in its place.

What its counters mean is written in :mod:`rollout.sources.envoy`. Here the pods of the data plane are found, read, and
summed, so that a release sees one pseudo-pod per revision.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rollout.looks import PodLook, SignalLook, SourceStatus
from rollout.sources.envoy import BAD_ANSWER, REQUESTS, TORN, backends_on, query_for
from rollout.sources.gather import Gather, Target
from rollout.sources.increments import Increments, Reading
from rollout.sources.outage import Outage
from rollout.sources.roster import ready_since, started_at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from kube.kinds import Manifest
    from rollout.looks import Arm
    from rollout.sources.fetch import Fetch
    from rollout.sources.gather import Harvest
    from rollout.sources.increments import Increment
    from rollout.sources.roster import Roster
    from rollout.spec import GatewayStats, Signal

ENDPOINTS = "endpoints"
"""Gauge: the fewest endpoints any proxy of the data plane has for a revision."""


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
        signals: the signals read here; all of them see the same requests.
        proxies: pods from the cache, of which those that ``stats`` selects are read.
        service_port: port number of the revisions' Services; any port that is routed where it is not given. Contour
            names clusters `<namespace>_<service>_<port>`.
    """

    name = "gateway"

    def __init__(
        self,
        fetch: Fetch,
        stats: GatewayStats,
        signals: Iterable[Signal],
        *,
        proxies: Callable[[], Iterable[Manifest]],
        service_port: int | None = None,
        seconds: float = 1.0,
        patience: float = 0.15,
    ) -> None:
        self._stats, self._proxies, self._port = stats, proxies, service_port
        self._signals = [signal.name for signal in signals]
        self._gather = Gather(fetch, seconds=seconds, patience=patience)
        self._increments: Increments[str] = Increments()
        self._endpoints: dict[str, dict[str, int]] = {}
        self._outage = Outage(self.name)

    async def sample(self, roster: Roster, now: float) -> Sequence[SignalLook]:
        """One look per signal."""
        clusters = {f"{roster.namespace}_{each}": each for each in (roster.stable, roster.canary) if each}
        proxies = list(self._select(f"{self._stats.path}?{query_for(clusters, self._port)}"))
        harvest = await self._gather.pages([proxy.target for proxy in proxies], now)
        read = self._read(proxies, harvest, clusters)
        status, reason = self._status(roster, proxies, harvest)
        self._outage.note(reason)
        pods = self._pods(roster, proxies, self._take(proxies, read, status), now)
        self._increments.forget(now)
        return [SignalLook(signal, now, status, pods, reason=reason) for signal in self._signals]

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
        self, proxies: Sequence[_Proxy], harvest: Harvest, clusters: Mapping[str, str]
    ) -> dict[tuple[str, str], Reading[str]]:
        """What each proxy counted of each revision; remembers how many endpoints it has for it."""
        read: dict[tuple[str, str], Reading[str]] = {}
        for proxy in proxies:
            if page := harvest.pages.get(proxy.target):
                found = backends_on(page.text, clusters)
                self._endpoints[proxy.name] = {
                    revision: each.endpoints for revision, each in found.items() if each.endpoints is not None
                }
                read |= {(proxy.name, revision): Reading(page.at, each.counts) for revision, each in found.items()}
        names = {proxy.name for proxy in proxies}
        self._endpoints = {proxy: known for proxy, known in self._endpoints.items() if proxy in names}
        return read

    def _status(self, roster: Roster, proxies: Sequence[_Proxy], harvest: Harvest) -> tuple[SourceStatus, str]:
        answering = [proxy for proxy in proxies if proxy.target in harvest.pages]
        ready = [proxy for proxy in proxies if proxy.ready] or answering  # one that drains still carries requests
        if not ready:
            selector = ",".join(f"{key}={value}" for key, value in sorted(self._stats.selector.items()))
            return SourceStatus.SOURCE_DOWN, f"no ready pod in {self._stats.namespace} has the labels {selector}"
        if all(proxy.target in harvest.failed for proxy in ready):
            return SourceStatus.SOURCE_DOWN, harvest.failed[ready[0].target]
        wanted = roster.canary or roster.stable
        if not any(wanted in known for known in self._endpoints.values()):
            return SourceStatus.NO_DATA, ""
        return SourceStatus.OK, ""

    def _take(
        self, proxies: Sequence[_Proxy], read: Mapping[tuple[str, str], Reading[str]], status: SourceStatus
    ) -> dict[str, list[Increment[str]]]:
        born = {proxy.name: proxy.born for proxy in proxies}
        taken: dict[str, list[Increment[str]]] = {}
        for (proxy, revision), reading in read.items():
            subject = f"{proxy} {revision}"
            if status is not SourceStatus.OK:
                self._increments.introduce(subject, reading, born=born[proxy])
            elif seen := self._increments.take(subject, reading, born=born[proxy]):
                taken.setdefault(revision, []).append(seen)
        return taken

    def _pods(
        self, roster: Roster, proxies: Sequence[_Proxy], taken: Mapping[str, Sequence[Increment[str]]], now: float
    ) -> dict[str, PodLook]:
        looks = {}
        for revision in {each for known in self._endpoints.values() for each in known}:
            arm = roster.arm_of(revision)
            if arm is not None:
                age = max((pod.age(now) for pod in roster.pods if pod.revision == revision), default=0.0)
                known = [self._endpoints.get(proxy.name, {}).get(revision, 0) for proxy in proxies if proxy.ready]
                gauges = {ENDPOINTS: float(min(known, default=0))}
                looks[revision] = _pseudo_pod(arm, age, taken.get(revision, ()), gauges)
        return looks


def _pseudo_pod(arm: Arm, age: float, increments: Sequence[Increment[str]], gauges: Mapping[str, float]) -> PodLook:
    total: dict[str, int] = {}
    for increment in increments:
        for key, count in increment.counts.items():
            total[key] = total.get(key, 0) + count
    errors = {key: count for key, count in total.items() if key.isdecimal()}
    if (cut := total.get(TORN, 0) - errors.get(BAD_ANSWER, 0)) > 0:
        errors["cut"] = cut
    seconds = max((increment.seconds for increment in increments), default=0.0)
    return PodLook(arm, age, seconds, requests=total.get(REQUESTS, 0), errors=errors, gauges=gauges)
