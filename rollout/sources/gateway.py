"""The gateway's own statistics: what every backend answered, and what Envoy had to answer in its place.

Measured on Envoy 1.40 with requests of each sort (`?usedonly`; counters are live, only histograms wait for a flush):

======================== ========== ================================================ =========================
what the backend did     client     cluster counters that move                       counted here as
======================== ========== ================================================ =========================
answers 500              500        rq_completed, rq_5xx, rq_500                     error 500
refuses the connection   503        rq_completed, rq_5xx, rq_503, cx_connect_fail    error 503
has no endpoint          503        rq_completed, rq_5xx, rq_503, cx_none_healthy    error 503
resets before a header   503        rq_completed, rq_5xx, rq_503, cx_destroy_*       error 503
misses the time-out      504        rq_completed, rq_5xx, rq_504                     error 504
breaks off its body      200, torn  rq_completed, rq_2xx, rq_200, cx_protocol_error  error cut
======================== ========== ================================================ =========================

So ``upstream_rq_completed`` counts every request once, also those that never reached a pod (``upstream_rq_total`` does
not: it stays at 0 without endpoints), and the codes say which failed. ``warming_state`` is there for every cluster that
Envoy knows, which tells a backend without requests from one without a route. ``server.uptime`` falls on a restart.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from rollout.looks import Arm, PodLook, SignalLook, SourceStatus
from rollout.sources.gather import Gather, Target
from rollout.sources.increments import Increments, Reading
from rollout.sources.outage import Outage
from rollout.sources.roster import ready_since, started_at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from kube.kinds import Manifest
    from rollout.sources.fetch import Fetch
    from rollout.sources.gather import Harvest
    from rollout.sources.increments import Increment
    from rollout.sources.roster import Roster
    from rollout.spec import GatewayStats, Signal

_KNOWN, _ALL, _TORN, _BAD_ANSWER, _UPTIME = "known", "requests", "torn", "502", "uptime"
_COUNTERS = {
    "warming_state": _KNOWN,
    "upstream_rq_completed": _ALL,
    "upstream_cx_protocol_error": _TORN,
}
_LINE = re.compile(r"^cluster\.([^.]+)_\d+\.(\w+): (\d+)$", re.MULTILINE)
_UPTIME_LINE = re.compile(r"^server\.uptime: (\d+)$", re.MULTILINE)


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
        self._knows: dict[str, frozenset[str]] = {}
        self._outage = Outage(self.name)

    async def sample(self, roster: Roster, now: float) -> Sequence[SignalLook]:
        """One look per signal."""
        clusters = {f"{roster.namespace}_{each}": each for each in (roster.stable, roster.canary) if each}
        proxies = list(self._select(f"{self._stats.path}?usedonly&filter={quote(self._filter(clusters), safe='')}"))
        harvest = await self._gather.pages([proxy.target for proxy in proxies], now)
        read = self._read(proxies, harvest, clusters)
        status, reason = self._status(roster, proxies, harvest)
        self._outage.note(reason)
        pods = self._pods(roster, self._take(proxies, read, status), now)
        self._increments.forget(now)
        return [SignalLook(signal, now, status, pods) for signal in self._signals]

    def _filter(self, clusters: Iterable[str]) -> str:
        port = r"\d+" if self._port is None else self._port
        counters = "|".join((*_COUNTERS, r"upstream_rq_5\d\d"))
        return rf"^(cluster\.({'|'.join(clusters)})_{port}\.({counters})|server\.uptime)$"

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
        """What each proxy says of each revision; remembers which revisions it knows."""
        read = {}
        for proxy in proxies:
            if page := harvest.pages.get(proxy.target):
                counts = counts_of(page.text, clusters)
                self._knows[proxy.name] = frozenset(each for each, found in counts.items() if _KNOWN in found)
                for revision, found in counts.items():
                    read[proxy.name, revision] = Reading(page.at, found)
        names = {proxy.name for proxy in proxies}
        self._knows = {proxy: known for proxy, known in self._knows.items() if proxy in names}
        return read

    def _status(self, roster: Roster, proxies: Sequence[_Proxy], harvest: Harvest) -> tuple[SourceStatus, str]:
        ready = [proxy for proxy in proxies if proxy.ready]
        if not ready:
            selector = ",".join(f"{key}={value}" for key, value in sorted(self._stats.selector.items()))
            return SourceStatus.SOURCE_DOWN, f"no ready pod in {self._stats.namespace} has the labels {selector}"
        if all(proxy.target in harvest.failed for proxy in ready):
            return SourceStatus.SOURCE_DOWN, harvest.failed[ready[0].target]
        wanted = roster.canary or roster.stable
        if not any(wanted in known for known in self._knows.values()):
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

    def _pods(self, roster: Roster, taken: Mapping[str, Sequence[Increment[str]]], now: float) -> dict[str, PodLook]:
        looks = {}
        for revision, increments in taken.items():
            arm = Arm.CANARY if revision == roster.canary else Arm.STABLE
            age = max((pod.age(now) for pod in roster.pods if pod.revision == revision), default=0.0)
            looks[revision] = _pseudo_pod(arm, age, increments)
        return looks


def counts_of(page: str, clusters: Mapping[str, str]) -> dict[str, dict[str, int]]:
    """Counters of each revision on a page of ``/stats``: requests, torn answers, and failures by code.

    ``clusters`` gives the revision by its cluster's name without the port.
    """
    uptime = _UPTIME_LINE.search(page)
    common = {_UPTIME: int(uptime[1])} if uptime else {}
    counts = {revision: dict(common) for revision in clusters.values()}
    for cluster, counter, value in _LINE.findall(page):
        key = _COUNTERS.get(counter) or counter.removeprefix("upstream_rq_")
        if cluster in clusters:
            found = counts[clusters[cluster]]
            found[key] = found.get(key, 0) + int(value)
    return counts


def _pseudo_pod(arm: Arm, age: float, increments: Sequence[Increment[str]]) -> PodLook:
    total: dict[str, int] = {}
    for increment in increments:
        for key, count in increment.counts.items():
            total[key] = total.get(key, 0) + count
    errors = {key: count for key, count in total.items() if key.isdecimal()}
    if (cut := total.get(_TORN, 0) - errors.get(_BAD_ANSWER, 0)) > 0:
        errors["cut"] = cut
    seconds = max(increment.seconds for increment in increments)
    return PodLook(arm, age, seconds, requests=total.get(_ALL, 0), errors=errors)
