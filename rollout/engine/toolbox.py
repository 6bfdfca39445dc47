"""The real parts of a worker: connections to pods and Prometheus that all releases share."""

from __future__ import annotations

import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import aiohttp

from rollout.api.own_signals import as_given
from rollout.api.spec import (
    GatewayStats,
    Signal,
    SourceName,
    Spec,
)
from rollout.decide.capabilities import capabilities_of
from rollout.drivers.httproute.driver import GatewayDriver
from rollout.engine.load import MAX_IN_FLIGHT, Load
from rollout.engine.observe import counted
from rollout.engine.parts import Parts
from rollout.sources.ask import Ask, DirectAsk, ProxyAsk
from rollout.sources.clusters import NAMINGS
from rollout.sources.fetch import DirectFetch, Fetch, LogFetch, ProxyFetch
from rollout.sources.gateway import GatewaySource
from rollout.sources.history import history_of
from rollout.sources.kubernetes import KubernetesSource
from rollout.sources.logs import LogsSource
from rollout.sources.pods import PodsSource
from rollout.sources.prometheus import PrometheusSource
from rollout.sources.prometheus_hub import PrometheusHub
from rollout.sources.proxies import ProxyHub

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from kube.cluster import Cluster
    from kube.kinds import Manifest
    from rollout.api.own_signals import ReadAs
    from rollout.drivers import TrafficDriver
    from rollout.engine.mirror import Mirror
    from rollout.signals.looks import SignalLook
    from rollout.sources import Source

MOST_TO_ONE_HOST, KEPT_SECONDS = 16, 60.0
PROXY_SECONDS = 3.0
"""A proxy's answer to the question of all releases is waited for so long: an engine that is full is not taken for one
that is silent."""


@dataclass(slots=True)
class Toolbox:
    """Builds drivers and sources; Prometheus servers and proxies are asked once for all releases."""

    cluster: Cluster
    identity: str
    session: aiohttp.ClientSession
    fetch: Fetch
    load: Load = field(default_factory=Load)
    hubs: dict[str, PrometheusHub] = field(default_factory=dict)
    proxies: dict[tuple[object, ...], ProxyHub] = field(default_factory=dict)

    @classmethod
    @asynccontextmanager
    async def open(cls, cluster: Cluster, identity: str, max_in_flight: int = MAX_IN_FLIGHT) -> AsyncIterator[Toolbox]:
        """Pods are read at their own addresses from inside the cluster, through the API server from outside."""
        async with aiohttp.ClientSession(connector=_connector()) as session:
            fetch: Fetch = DirectFetch(session) if cluster.connection.in_cluster else ProxyFetch(cluster)
            yield cls(cluster, identity, session, fetch, Load(max_in_flight))

    def parts(self, mirror: Mirror) -> Parts:
        """What the workers over ``mirror`` are built from."""

        def driver(manifest: Manifest, spec_of: Callable[[], Spec]) -> TrafficDriver:
            meta = manifest["metadata"]
            namespace, name, uid = meta["namespace"], meta["name"], meta["uid"]
            routes = mirror.routes(namespace)
            return GatewayDriver(self.cluster, routes, name=name, namespace=namespace, uid=uid, spec_of=spec_of)

        def sources(spec: Spec, own: ReadAs) -> Sequence[Source]:
            return self.sources(spec, mirror, own)

        return Parts(self.cluster, mirror, self.identity, driver, sources, self.history, load=self.load)

    def history(self, namespace: str, spec: Spec, stable: str) -> Awaitable[Sequence[SignalLook]] | None:
        """What stable's pods did in the last hour; None where the release knows no Prometheus."""
        if not spec.sources.prometheus:
            return None
        return history_of(self.ask(spec.sources.prometheus), namespace, stable, spec.analysis.signals, time.time())

    def sources(self, spec: Spec, mirror: Mirror, own: ReadAs = as_given) -> list[Source]:
        """One source for each place that the signals of ``spec`` are read from; ``own`` says how at each revision."""
        by_source: dict[SourceName, list[Signal]] = {}
        for signal in counted(spec):
            by_source.setdefault(signal.source, []).append(signal)
        return [self._source(name, signals, spec, mirror, own) for name, signals in by_source.items()]

    def _source(self, name: SourceName, signals: list[Signal], spec: Spec, mirror: Mirror, own: ReadAs) -> Source:
        stats = spec.sources.gateway
        if name is SourceName.GATEWAY and stats is not None and capabilities_of(spec).counts_requests:
            return GatewaySource(self.fetch, stats, signals, proxies=mirror.proxies(stats), hub=self._proxies(stats))
        if name is SourceName.PODS:
            return PodsSource(self.fetch, signals, own=own)
        if name is SourceName.PROMETHEUS:
            return PrometheusSource(self._hub(spec.sources.prometheus or ""), signals, own=own)
        if name is SourceName.LOGS:
            return LogsSource(LogFetch(self.cluster), signals)
        return KubernetesSource(signals)

    def _proxies(self, stats: GatewayStats) -> ProxyHub:
        """The one that reads these pods for everybody."""
        where = (stats.namespace, tuple(sorted(stats.selector.items())), stats.port, stats.path, stats.control_plane)
        naming = NAMINGS[stats.control_plane]
        return self.proxies.setdefault(where, ProxyHub(self.fetch, seconds=PROXY_SECONDS, naming=naming))

    def _hub(self, url: str) -> PrometheusHub:
        if url not in self.hubs:
            self.hubs[url] = PrometheusHub(self.ask(url))
        return self.hubs[url]

    def ask(self, url: str) -> Ask:
        """How the Prometheus at a URL is asked."""
        inside = self.cluster.connection.in_cluster
        return DirectAsk(self.session, url) if inside else ProxyAsk(self.cluster, url)


def _connector() -> aiohttp.TCPConnector:
    """Connections stay open between passes, also of steps that are read every few seconds; a pod that hangs has few."""
    return aiohttp.TCPConnector(limit=0, limit_per_host=MOST_TO_ONE_HOST, keepalive_timeout=KEPT_SECONDS)
