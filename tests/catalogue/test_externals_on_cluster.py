"""Four systems that others run, as pods: the prober sees each in its own protocol, and one that goes away is told."""

from __future__ import annotations

import pytest

from components.deploy.apply import Applier
from components.deploy.inventory import Inventory
from components.deploy.teardown import plan_teardown, tear_down
from components.deploy.waiting import Patience
from components.stack.platform import Platform
from kube.cluster import Cluster
from kube.kinds import DEPLOYMENT
from tests.components.conftest import ROOT
from tests.components.on_prometheus import alerts, all_is_well, eventually, series

SPACE = "externals-test"
INVENTORY = Inventory(SPACE, SPACE)
PATIENCE = Patience(180)
STAND_INS = {"http": ("http", 8080), "tcp": ("tcp", 9000), "mllp": ("mllp", 2575), "opc.tcp": ("opcua", 4840)}
ENGINE = "sandbox.grayling.dev/grayling:dev"


def platform():
    """A stack that uses all four."""
    externals = {
        name: {
            "kind": "external",
            "url": f"{scheme}://{name}-there.{SPACE}.svc.cluster.local:{port}",
            "owner": f"{name}-team",
            "health": {"interval": "1s", "timeout": "1s"},
            "image": ENGINE,
        }
        for scheme, (name, port) in STAND_INS.items()
    }
    components = {"prometheus": {"storage": None, "scrapeInterval": "1s", "discovery": "sidecar"}, **externals}
    images = {
        "quay.io/prometheus/prometheus": "sandbox.grayling.dev/prometheus:2.42",
        "docker.io/library/python": "sandbox.grayling.dev/python:3.11",
    }
    environment = {"tier": "local", "namespace": SPACE, "owners": ["platform"], "images": images}
    return Platform.read({"environment": environment, "components": components}, stack=SPACE, source="test")


def stand_in(name, port):
    """Deployment and Service of one; its pods let everybody in."""
    labels = {"stand-in": name}
    container = {
        "name": name,
        "image": "sandbox.grayling.dev/python:3.11",
        "args": ["/code/stand_ins.py", f"{name}:{port}"],
        "volumeMounts": [{"name": "code", "mountPath": "/code"}],
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    safe = {"runAsNonRoot": True, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}}
    spec = {
        "terminationGracePeriodSeconds": 0,
        "securityContext": safe,
        "containers": [container],
        "volumes": [{"name": "code", "configMap": {"name": "stand-ins"}}],
    }
    meta = {"name": f"{name}-there", "namespace": SPACE}
    template = {"metadata": {"labels": labels}, "spec": spec}
    yield {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": meta,
        "spec": {"replicas": 1, "selector": {"matchLabels": labels}, "template": template},
    }
    ports = [{"port": port, "targetPort": port}]
    yield {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": {"selector": labels, "ports": ports}}
    policy = {"podSelector": {"matchLabels": labels}, "policyTypes": ["Ingress"], "ingress": [{}]}
    yield {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": meta, "spec": policy}


@pytest.fixture
async def cluster(cluster_kubeconfig):
    async with await Cluster.open(kubeconfig=cluster_kubeconfig) as opened:
        yield opened
        plan = await plan_teardown(opened, INVENTORY)
        await tear_down(opened, INVENTORY, plan, PATIENCE, lambda _line: None, without_engine=True)


async def bring_stand_ins(cluster):
    """All four."""
    text = (ROOT / "tests" / "components" / "externals" / "stand_ins.py").read_text()
    meta = {"name": "stand-ins", "namespace": SPACE}
    code = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"stand_ins.py": text}}
    for manifest in (code, *(each for name, port in STAND_INS.values() for each in stand_in(name, port))):
        await cluster.apply(manifest, manager="test")


async def not_seen(cluster, value):
    """Systems of which the metric does not say so."""
    found = {each["metric"]["instance_name"]: each["value"][1] for each in await series(cluster, SPACE, "external_up")}
    return [name for name, wanted in value.items() if found.get(name) != wanted]


async def test_each_protocol_is_spoken_and_one_that_goes_away_is_told(cluster):
    declared = platform()
    await Applier(cluster, INVENTORY, patience=PATIENCE).apply(declared.manifests())
    await bring_stand_ins(cluster)
    well = dict.fromkeys((name for name, _ in STAND_INS.values()), "1")
    assert await eventually(lambda: not_seen(cluster, well), 180) == []
    await all_is_well(cluster, declared)

    await cluster.merge_patch(DEPLOYMENT, "mllp-there", SPACE, {"spec": {"replicas": 0}}, manager="test")
    assert await eventually(lambda: not_seen(cluster, {**well, "mllp": "0"}), 180) == []

    async def untold():
        """Until exactly one system is told, with whom to call."""
        told = (await alerts(cluster, SPACE)).get("ExternalDown")
        if told is None:
            return ["ExternalDown"]
        assert told["labels"]["instance_name"] == "mllp"
        return [] if "call mllp-team" in told["annotations"]["summary"] else [told]

    assert await eventually(untold, 180) == []
    await cluster.merge_patch(DEPLOYMENT, "mllp-there", SPACE, {"spec": {"replicas": 1}}, manager="test")
    assert await eventually(lambda: not_seen(cluster, well), 180) == []
