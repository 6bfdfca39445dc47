"""Which clusters of a gateway's Envoys are a revision's: by the name that each control plane gives them."""

from __future__ import annotations

import re
from urllib.parse import unquote

import pytest

from rollout.api.sources import ControlPlane
from rollout.api.spec import GatewayStats
from rollout.signals.looks import SourceStatus
from rollout.sources.clusters import CONTOUR, ENVOY_GATEWAY, NAMINGS
from rollout.sources.envoy import query_for, shown_on
from rollout.sources.fetch import MemoryFetch
from rollout.sources.gateway import GatewaySource
from rollout.sources.share import ShareMeter
from tests.rollout.sources.builders import CANARY, STABLE, T, pod, roster, signal

BOTH = roster(stable=STABLE, canary=CANARY)
NAMES = {
    "contour": (CONTOUR, "shop_checkout-0123abcd_8080", "shop_checkout-0123abcd"),
    "envoy gateway": (ENVOY_GATEWAY, "service/shop/checkout-0123abcd/8080/http", "service/shop/checkout-0123abcd"),
    "without a protocol": (ENVOY_GATEWAY, "service/shop/checkout-0123abcd/8080", "service/shop/checkout-0123abcd"),
}


def test_each_control_plane_has_a_naming():
    assert NAMINGS.keys() == set(ControlPlane)


@pytest.mark.parametrize(("naming", "cluster", "service"), NAMES.values(), ids=NAMES)
def test_a_cluster_is_asked_for_and_found_by_its_service(naming, cluster, service):
    assert naming.service("shop", "checkout-0123abcd") == service
    wanted = unquote(query_for([service], naming=naming).partition("filter=")[2])
    assert re.search(wanted, f"cluster.{cluster}.upstream_rq_503")
    assert not re.search(wanted, f"cluster.{cluster.replace('0123abcd', '0123abcdef')}.upstream_rq_503")
    page = f"cluster.{cluster}.upstream_rq_completed: 7\ncluster.{cluster}.membership_healthy: 2\n"
    found = shown_on(page, {service}, naming=naming).of({service: "it"}).backends["it"]
    assert (found.counts, found.endpoints) == ({"requests": 7}, 2)


def test_clusters_of_a_rule_and_of_the_proxy_itself_are_nobodys():
    page = "".join(
        f"cluster.{name}.upstream_rq_completed: 7\n"
        for name in ("httproute/shop/checkout/rule/0", "xds_cluster", "service", "service/shop", "service//x/1")
    )
    known = {"service/shop/checkout"}
    assert shown_on(page, known, naming=ENVOY_GATEWAY).services == {}


def test_ports_of_a_service_are_added_up():
    service = "service/shop/checkout"
    page = "".join(f"cluster.{service}/{port}.upstream_rq_completed: 7\n" for port in ("8080/http", "9090/grpc"))
    found = shown_on(page, {service}, naming=ENVOY_GATEWAY).of({service: "it"})
    assert found.backends["it"].counts == {"requests": 14}


def proxied(fetch, *arms):
    """A source behind Envoy Gateway, whose one proxy has clusters of these revisions."""
    lines = ["server.uptime: 500"]
    for revision in arms:
        cluster = f"cluster.service/shop/{revision}/8080/http"
        lines += [f"{cluster}.membership_healthy: 1", f"{cluster}.upstream_rq_total: 10"]
        lines += [f"{cluster}.upstream_rq_completed: 10"]
    fetch.pages["envoy-a", 8002] = "\n".join(lines)
    stats = GatewayStats(namespace="gateway", selector={"app": "envoy"}, control_plane=ControlPlane.ENVOY_GATEWAY)
    pods = [pod("envoy-a", labels={"app": "envoy"}, namespace="gateway")]
    return GatewaySource(fetch, stats, [signal(source="gateway")], proxies=lambda: pods)


async def test_a_canary_that_the_proxies_have_not_heard_of_has_no_endpoints():
    fetch = MemoryFetch()
    meter = ShareMeter()
    (look,) = await proxied(fetch, STABLE).sample(BOTH, T)
    meter.take(look)
    assert (look.status, meter.endpoints) == (SourceStatus.NO_DATA, 0)
    (look,) = await proxied(fetch, STABLE, CANARY).sample(BOTH, T)
    meter.take(look)
    assert (look.status, meter.endpoints) == (SourceStatus.OK, 1)


async def test_a_gateway_that_knows_neither_has_no_data():
    (look,) = await proxied(MemoryFetch(), "other-0123abcd").sample(BOTH, T)
    assert look.status is SourceStatus.NO_DATA
