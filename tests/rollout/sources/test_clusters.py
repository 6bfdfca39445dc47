"""Which clusters of a gateway's Envoys are a revision's: by the name that each control plane gives them."""

from __future__ import annotations

import re
from urllib.parse import unquote

import pytest

from rollout.api.sources import ControlPlane
from rollout.sources.clusters import CONTOUR, ENVOY_GATEWAY, NAMINGS
from rollout.sources.envoy import query_for, shown_on

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
