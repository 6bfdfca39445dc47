"""Stores with TLS and an account for each service, tried from a pod of such a service."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from components.deploy.apply import Applier
from components.deploy.inventory import Inventory
from components.deploy.teardown import plan_teardown, tear_down
from components.deploy.waiting import Patience
from components.stack.platform import Platform
from kube.cluster import Cluster
from kube.kinds import NAMESPACE, POD

SPACE = "stores-test"
INVENTORY = Inventory(SPACE, SPACE)
CLIENT = (Path(__file__).parents[1] / "encrypted_client.py").read_text()
IMAGES = {
    "docker.io/valkey/valkey": "sandbox.grayling.dev/redis:7.0",
    "ghcr.io/oliver006/redis_exporter": "sandbox.grayling.dev/redis-exporter:1.45",
    "docker.io/library/rabbitmq": "sandbox.grayling.dev/rabbitmq:3.10",
}
SECTIONS = {
    "environment": {"tier": "local", "namespace": SPACE, "owners": ["platform"], "images": IMAGES},
    "components": {
        "controller": {"image": "sandbox.grayling.dev/grayling:dev", "installDefinitions": False},
        "redis": {"storage": None, "tls": {}, "extraConfig": {"maxclients": 100, "slowlog-max-len": 7}},
        "rabbitmq": {"storage": "256Mi", "tls": {}, "extraConfig": {"channel_max": 100}},
    },
    "services": {
        "shop": {
            "image": "sandbox.grayling.dev/python:3.11",
            "command": ["python3", "-c", CLIENT],
            "uses": ["redis", "rabbitmq"],
        }
    },
}


@pytest.fixture
async def cluster(cluster_kubeconfig):
    async with await Cluster.open(kubeconfig=cluster_kubeconfig) as opened:
        yield opened
        plan = await plan_teardown(opened, INVENTORY)
        await tear_down(opened, INVENTORY, plan, Patience(240), lambda _line: None)
        assert await opened.find(NAMESPACE, SPACE) is None


async def test_accounts_and_encryption(cluster):
    everything = Platform.read(SECTIONS, stack=SPACE, source="test").manifests()
    release = next(item for item in everything if item["kind"] == "GrayRelease")
    stores = [item for item in everything if item["metadata"]["name"] != "controller" and item is not release]
    await Applier(cluster, INVENTORY, patience=Patience(240)).apply(
        [item for item in stores if "Role" not in item["kind"]]
    )

    template = release["spec"]["workload"]["template"]
    spec = {**template["spec"], "restartPolicy": "Never"}
    for container in spec["containers"]:
        for probe in ("livenessProbe", "readinessProbe", "startupProbe"):
            container.pop(probe)
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {**template["metadata"], "name": "client", "namespace": SPACE},
    }
    await cluster.create({**pod, "spec": spec}, manager="test")

    found = await _answer(cluster)
    assert found.pop("schemes") == ["rediss", "amqps"]
    dropped = {"ConnectionError", "ConnectionResetError"}
    assert {found.pop("plain"), found.pop("broker, plain"), found.pop("broker, wrong password")} <= dropped
    assert found == {
        "users": ["shop", "shop"],
        "data": ["+OK", "+OK", "$1"],
        "settings": ["+OK", "-NOPERM"],
        "everything": ["+OK", "-NOPERM"],
        "wrong password": ["-WRONGPASS"],
        "unknown authority": "SSLCertVerificationError",
        "broker": [10, 30],
        "broker, unknown authority": "SSLCertVerificationError",
    }


async def _answer(cluster):
    for _ in range(120):
        try:
            text = await cluster.logs(SPACE, "client")
        except Exception:  # noqa: BLE001 - not started yet
            text = ""
        for line in text.splitlines():
            if line.startswith("FOUND "):
                return json.loads(line.removeprefix("FOUND "))
        await asyncio.sleep(1)
    raise AssertionError((await cluster.get(POD, "client", SPACE))["status"], text)
