from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from rollout.api.own_signals import as_given
from rollout.api.spec import Spec
from rollout.drivers.httproute.driver import GatewayDriver
from rollout.engine.mirror import Mirror
from rollout.engine.toolbox import Toolbox
from rollout.sources.ask import DirectAsk, ProxyAsk
from rollout.sources.fetch import DirectFetch, ProxyFetch
from rollout.sources.gateway import GatewaySource
from rollout.sources.kubernetes import KubernetesSource
from rollout.sources.pods import PodsSource
from rollout.sources.prometheus import PrometheusSource
from tests.fakes.apiserver import ApiServer, running
from tests.rollout.engine.plant import gray_release

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from kube.cluster import Cluster

GATEWAY = {"namespace": "gateway", "selector": {"app": "envoy"}}
SOURCES = {"gateway": GATEWAY, "prometheus": "http://prometheus.monitoring:9090"}


def signal(name: str, kind: str, source: str) -> dict[str, Any]:
    return {"name": name, "kind": kind, "source": source, "weight": 0.25}


ERRORS = signal("errors", "errors", "gateway")
LATENCY = signal("latency", "latency", "pods")
CRASHES = signal("crashes", "crashes", "kubernetes")
SLOW = signal("slow", "latency", "prometheus")


def spec(*signals: dict[str, Any], sources: dict[str, Any] = SOURCES) -> Spec:
    return Spec.model_validate(gray_release(analysis={"signals": list(signals)}, sources=sources)["spec"])


@pytest.fixture
async def server() -> AsyncIterator[ApiServer]:
    async with running() as made:
        yield made


@pytest.fixture
async def cluster(server: ApiServer) -> AsyncIterator[Cluster]:
    async with server.cluster() as made:
        yield made


async def test_one_source_for_each_place_signals_are_read_from(cluster):
    async with Toolbox.open(cluster, "one") as tools:
        made = tools.sources(spec(ERRORS, LATENCY, CRASHES, SLOW), Mirror(cluster, ["shop"]))
    assert [type(each) for each in made] == [GatewaySource, PodsSource, KubernetesSource, PrometheusSource]


async def test_requests_are_counted_at_the_gateway_even_where_no_signal_reads_it(cluster):
    async with Toolbox.open(cluster, "one") as tools:
        made = tools.sources(spec(LATENCY), Mirror(cluster, ["shop"]))
    assert [type(each) for each in made] == [PodsSource, GatewaySource]


async def test_releases_that_name_the_same_prometheus_share_one_hub(cluster):
    async with Toolbox.open(cluster, "one") as tools:
        mirror = Mirror(cluster, ["shop"])
        elsewhere = {**SOURCES, "prometheus": "http://other.monitoring:9090"}
        for wanted in (SOURCES, SOURCES, elsewhere):
            tools.sources(spec(SLOW, sources=wanted), mirror)
        assert sorted(tools.hubs) == ["http://other.monitoring:9090", "http://prometheus.monitoring:9090"]


@pytest.mark.parametrize(
    ("inside", "fetch", "ask"), [(True, DirectFetch, DirectAsk), (False, ProxyFetch, ProxyAsk)], ids=["in", "out"]
)
async def test_from_outside_everything_goes_through_the_api_server(cluster, inside, fetch, ask):
    cluster.connection = replace(cluster.connection, in_cluster=inside)
    async with Toolbox.open(cluster, "one") as tools:
        assert isinstance(tools.fetch, fetch)
        tools.sources(spec(SLOW), Mirror(cluster, ["shop"]))
        assert isinstance(next(iter(tools.hubs.values()))._ask, ask)


async def test_parts_drive_the_release_they_are_asked_for(cluster):
    async with Toolbox.open(cluster, "one") as tools:
        mirror = Mirror(cluster, ["shop"])
        parts = tools.parts(mirror)
        manifest = gray_release()
        manifest["metadata"]["uid"] = "u-1"
        driver = parts.driver(manifest, lambda: spec(ERRORS))
        assert isinstance(driver, GatewayDriver)
        assert parts.identity == "one"
        assert [each.name for each in parts.sources(spec(CRASHES, sources={}), as_given)] == ["kubernetes"]
