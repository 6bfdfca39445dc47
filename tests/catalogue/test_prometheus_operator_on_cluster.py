"""An API server takes what is served beside a Prometheus of somebody else, with its operator's own definitions."""

from __future__ import annotations

import pytest

from kube.cluster import Cluster
from kube.kinds import NAMESPACE
from tests.catalogue.test_examples_on_cluster import refusals
from tests.components.conftest import read
from tests.components.model.values import IMAGE
from tests.components.monitoring.test_grafana import DATABASE, OIDC
from tests.components.monitoring.test_prometheus_operator import EXISTING, OPERATED, SCRAPE, SERVICES
from tests.components.on_prometheus import eventually

pytestmark = pytest.mark.extras("prometheus-operator")

BESIDE = {"grafana", "node-exporter", "blackbox-exporter"}
COMPONENTS = {
    "prometheus": {"existing": EXISTING, "scrape": SCRAPE, "namespaces": ["default"]},
    "redis": {"tls": {}},
    "rabbitmq": {},
    "gateway": {},
    "grafana": {"hostname": "dashboards.example.com", "oidc": OIDC, "database": DATABASE},
    "node-exporter": {},
    "controller": {"image": IMAGE},
    "blackbox-exporter": {"probes": {"shop": {"target": "https://shop.example.com"}}},
}


@pytest.fixture
async def cluster(cluster_kubeconfig):
    async with await Cluster.open(kubeconfig=cluster_kubeconfig) as opened:
        yield opened


@pytest.mark.parametrize("tier", ["local", "dev", "staging", "prod"])
async def test_an_api_server_takes_what_an_operator_is_told(cluster, tier):
    environment = {"tier": tier, "namespace": f"operated-{tier}", "owners": ["platform"]}
    found = read(environment=environment, components=COMPONENTS, services=SERVICES).manifests()
    space = next(each for each in found if each["kind"] == "Namespace")
    told = [each for each in found if each["kind"] in OPERATED]
    assert {each["kind"] for each in told} == OPERATED
    beside = [each for each in found if each["metadata"]["labels"].get("app.kubernetes.io/instance") in BESIDE]
    assert {"Deployment", "DaemonSet", "HTTPRoute", "NetworkPolicy"} <= {each["kind"] for each in beside}
    await cluster.apply(space, manager="test")
    try:
        # A definition is served a moment after it was taken.
        left = await eventually(lambda: refusals(cluster, [*told, *beside]), 60)
        assert left == [], left
        broken = {**told[0], "spec": {**told[0]["spec"], "podMetricsEndpoints": "none"}}
        assert len(await refusals(cluster, [broken])) == 1
    finally:
        await cluster.delete(NAMESPACE, space["metadata"]["name"])
