"""Contour itself and its Envoys, as far as they refuse and hide what Envoy Gateway does: old TLS, and queries."""

from __future__ import annotations

import json
import ssl
from types import SimpleNamespace

import aiohttp
import pytest
import yaml

from components.deploy.apply import Applier
from components.deploy.inventory import Inventory
from components.deploy.teardown import plan_teardown, tear_down
from components.deploy.waiting import Patience
from components.stack.platform import Platform
from kube.cluster import Cluster
from kube.kinds import NAMESPACE, NODE, POD, SERVICE
from tests.catalogue.tokens import certificate
from tests.components.conftest import ROOT
from tests.components.on_prometheus import eventually

pytestmark = pytest.mark.timeout(400)
SPACE, HOST = "contour-test", "shop.local"
INVENTORY, PATIENCE = Inventory(SPACE, SPACE), Patience(180)
SECONDS = 180


def declared():
    """A gateway with a certificate behind a node port."""
    overlay = yaml.safe_load((ROOT / "stacks" / "overlays" / "sandbox.yaml").read_text())
    environment = {
        "tier": "local",
        "namespace": SPACE,
        "owners": ["platform"],
        "images": overlay["images"],
        "gateway": {"class": SPACE},
    }
    fields = ["method", "path", "response_code", "downstream_tls_version"]
    gateway = {"tlsSecret": "front", "exposure": {"type": "NodePort"}, "loggedFields": fields, "drainSeconds": 1}
    everything = {"environment": environment, "components": {"gateway": gateway}}
    return Platform.read({**everything, "secrets": {"front": certificate(HOST)}}, stack=SPACE, source="test")


def route():
    """Every request is sent elsewhere: it needs no pod behind it."""
    sent = {"type": "RequestRedirect", "requestRedirect": {"hostname": "elsewhere.local", "statusCode": 302}}
    spec = {"parentRefs": [{"name": "gateway"}], "hostnames": [HOST], "rules": [{"filters": [sent]}]}
    meta = {"name": "elsewhere", "namespace": SPACE}
    return {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": meta, "spec": spec}


@pytest.fixture
async def edge(cluster_kubeconfig):
    async with await Cluster.open(kubeconfig=cluster_kubeconfig) as cluster:
        await Applier(cluster, INVENTORY, patience=PATIENCE).apply(declared().manifests())
        await cluster.apply(route(), manager="test")
        (node, *_) = (await cluster.list(NODE)).items
        address = next(each["address"] for each in node["status"]["addresses"] if each["type"] == "InternalIP")
        ports = (await cluster.get(SERVICE, "gateway-envoy", SPACE))["spec"]["ports"]
        port = next(each["nodePort"] for each in ports if each["port"] == 443)
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as client:
            yield SimpleNamespace(cluster=cluster, url=f"https://{address}:{port}", client=client)
        plan = await plan_teardown(cluster, INVENTORY)
        await tear_down(cluster, INVENTORY, plan, PATIENCE, lambda _line: None, without_engine=True)
        assert await cluster.find(NAMESPACE, SPACE) is None


async def asked(edge, version, path="/"):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.minimum_version = context.maximum_version = version
    told = {"Host": HOST, "Authorization": "Bearer hidden-token", "Cookie": "session=hidden-cookie"}
    address = edge.url + path
    async with edge.client.get(
        address, headers=told, ssl=context, server_hostname=HOST, allow_redirects=False
    ) as answer:
        return answer.status


async def log_of_proxies(cluster):
    pods = (await cluster.list(POD, SPACE, labels="app.kubernetes.io/component=envoy")).items
    return "".join([await cluster.logs(SPACE, pod["metadata"]["name"], container="envoy", tail=2000) for pod in pods])


async def test_older_tls_is_refused_and_the_log_has_no_query(edge):
    async def unready():
        try:
            said = await asked(edge, ssl.TLSVersion.TLSv1_3)
        except (aiohttp.ClientError, TimeoutError) as error:
            return [str(error)]
        return [] if said == 302 else [said]

    assert await eventually(unready, SECONDS) == []
    with pytest.raises(aiohttp.ClientConnectorError):
        await asked(edge, ssl.TLSVersion.TLSv1_2)

    assert await asked(edge, ssl.TLSVersion.TLSv1_3, "/orders/seventeen?card=hidden-number") == 302

    async def unwritten():
        return [] if "seventeen" in await log_of_proxies(edge.cluster) else ["no line"]

    assert await eventually(unwritten, SECONDS) == []
    log = await log_of_proxies(edge.cluster)
    (line,) = (json.loads(each) for each in log.splitlines() if "seventeen" in each)
    assert line == {
        "method": "GET",
        "path": "/orders/seventeen",
        "response_code": 302,
        "downstream_tls_version": "TLSv1.3",
    }
    assert "hidden" not in log
