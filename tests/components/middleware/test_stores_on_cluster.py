"""Stores with TLS and an account for each service, tried from pods of such; then volumes grow, and a service goes."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path

import pytest

from components.deploy.apply import Applier
from components.deploy.difference import differences
from components.deploy.inventory import Inventory
from components.deploy.refusal import RefusedError
from components.deploy.teardown import plan_teardown, tear_down
from components.deploy.waiting import Patience
from components.stack.platform import Platform
from kube.cluster import Cluster
from kube.kinds import NAMESPACE, POD, Kind
from tests.components.conftest import ROOT
from tests.components.inside import run

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
        "redis": {"storage": "64Mi", "tls": {}, "extraConfig": {"maxclients": 100, "slowlog-max-len": 7}},
        "rabbitmq": {"storage": "256Mi", "tls": {}, "extraConfig": {"channel_max": 100}},
    },
    "services": {
        name: {
            "image": "sandbox.grayling.dev/python:3.11",
            "command": ["python3", "-c", CLIENT],
            "uses": ["redis", "rabbitmq"],
        }
        for name in ("shop", "billing")
    },
}
SMALL, LARGE = {"redis": "64Mi", "rabbitmq": "256Mi"}, {"redis": "128Mi", "rabbitmq": "512Mi"}
CLAIM = Kind("v1", "PersistentVolumeClaim", "persistentvolumeclaims")
STATEFUL_SET = Kind("apps/v1", "StatefulSet", "statefulsets")
DROPPED = {"ConnectionError", "ConnectionResetError"}


@pytest.fixture
async def cluster(cluster_kubeconfig):
    async with await Cluster.open(kubeconfig=cluster_kubeconfig) as opened:
        yield opened
        plan = await plan_teardown(opened, INVENTORY)
        await tear_down(opened, INVENTORY, plan, Patience(240), lambda _line: None)
        assert await opened.find(NAMESPACE, SPACE) is None


def declared(storage, services=("shop", "billing")):
    """Stores of this size without the engine, and the releases of the services that use them."""
    components = {
        name: {**member, **({"storage": storage[name]} if name in storage else {})}
        for name, member in SECTIONS["components"].items()
    }
    sections = {
        **SECTIONS,
        "components": components,
        "services": {name: SECTIONS["services"][name] for name in services},
    }
    everything = Platform.read(sections, stack=SPACE, source="test").manifests()
    releases = [item for item in everything if item["kind"] == "GrayRelease"]
    stores = [
        item
        for item in everything
        if item["metadata"]["name"] != "controller" and item not in releases and "Role" not in item["kind"]
    ]
    return stores, releases


def applier(cluster):
    return Applier(cluster, INVENTORY, patience=Patience(240))


async def test_accounts_and_encryption_then_volumes_grow_and_an_account_goes(cluster):
    stores, releases = declared(SMALL)
    await applier(cluster).apply(stores)
    for release in releases:
        await cluster.create(_client(release), manager="test")

    found = await _answer(cluster)
    assert found.pop("schemes") == ["rediss", "amqps"]
    assert {found.pop("plain"), found.pop("broker, plain"), found.pop("broker, wrong password")} <= DROPPED
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
    await _grows_with_its_data(cluster)
    await _account_goes_with_its_service(cluster)


async def _grows_with_its_data(cluster):
    """As docs/reference/components.md says, word by word."""
    assert await _from(cluster, "billing", REDIS, ("SET", "kept", "yes")) == ["+OK", "+OK"]
    # By hand: an account that no stack knows, and a virtual host.
    await _rabbitmqctl(cluster, "add_user", "alice", "secret")
    await _rabbitmqctl(cluster, "add_vhost", "kept")
    stores, _ = declared(LARGE)
    with pytest.raises(RefusedError, match=r"64Mi → 128Mi.*docs/reference/components.md, Volumes") as refused:
        await applier(cluster).apply(stores)
    assert "256Mi → 512Mi" in str(refused.value)

    way = (ROOT / "docs" / "reference" / "components.md").read_text().partition("To grow a volume")[2]
    told = re.findall(
        r"^\$ (kubectl .*?) *(?:#.*)?$", way.partition("```\n")[0].partition("```console")[2], re.MULTILINE
    )
    assert [line.split()[3] for line in told] == ["get", "patch", "delete"], told
    (patch,) = re.findall(r"-p '(.*)'", told[1])
    for name, size in LARGE.items():
        body = json.loads(patch.replace("4Gi", size))
        await cluster.merge_patch(CLAIM, f"data-{name}-0", SPACE, body, manager="kubectl")
        assert "--cascade=orphan" in told[2]
        await cluster.delete(STATEFUL_SET, name, SPACE, propagation="Orphan")
    for name in LARGE:  # kubectl waits for that by itself
        await _until_gone(cluster, STATEFUL_SET, name)
    report = await applier(cluster).apply(stores)
    assert set(report.labels("created")) == {f"StatefulSet {SPACE}/{name}" for name in LARGE}

    for name, size in LARGE.items():
        claim = await cluster.get(CLAIM, f"data-{name}-0", SPACE)
        assert claim["status"]["capacity"]["storage"] == size
    assert await _from(cluster, "billing", REDIS, ("GET", "kept")) == ["+OK", "$3"]
    assert "kept" in (await _rabbitmqctl(cluster, "list_vhosts", "--no-table-headers")).split()
    assert (await differences(cluster, INVENTORY, stores))[0] == []
    assert (await applier(cluster).apply(stores)).labels("created", "changed", "deleted") == []


async def _account_goes_with_its_service(cluster):
    """The service's own, and no other."""
    before = await _users(cluster)
    assert before.keys() >= {"shop", "billing", "alice"}
    assert len(before) == 4, before
    assert await _from(cluster, "shop", AMQP) == [10, 30]
    stores, _ = declared(LARGE, services=("billing",))
    await applier(cluster).apply(stores)
    for _ in range(60):
        after = await _users(cluster)
        if "shop" not in after:
            break
        await asyncio.sleep(1)
    assert after == {name: tags for name, tags in before.items() if name != "shop"}
    assert await _from(cluster, "shop", AMQP) in DROPPED
    assert await _from(cluster, "billing", AMQP) == [10, 30]


async def _until_gone(cluster, kind, name):
    for _ in range(240):
        if await cluster.find(kind, name, SPACE) is None:
            return
        await asyncio.sleep(0.25)
    raise AssertionError(f"{kind.kind} {name} is still there")


REDIS = 'redis(store, os.environ["REDIS_CA_FILE"], *{arguments})'
AMQP = 'amqp(broker, os.environ["RABBITMQ_CA_FILE"])'


async def _from(cluster, service, call, *arguments):
    """What a store answers to a service's account."""
    addresses = 'store, broker = urlsplit(os.environ["REDIS_URL"]), urlsplit(os.environ["AMQP_URL"])'
    call = call.format(arguments=arguments)
    code = f"{CLIENT.partition('if __name__')[0]}\n{addresses}\nprint(json.dumps(said(lambda: {call})))"
    return json.loads(await run(cluster, SPACE, f"client-{service}", service, "python3", "-c", code))


async def _rabbitmqctl(cluster, *arguments):
    return await run(cluster, SPACE, "rabbitmq-0", "rabbitmq", "rabbitmqctl", "-q", *arguments)


async def _users(cluster):
    listed = await _rabbitmqctl(cluster, "list_users", "--no-table-headers")
    return dict(line.split("\t") for line in listed.splitlines())


def _client(release):
    """A pod as the release's, under the name of the service."""
    template = release["spec"]["workload"]["template"]
    spec = {**template["spec"], "restartPolicy": "Never", "terminationGracePeriodSeconds": 1}
    for container in spec["containers"]:
        for probe in ("livenessProbe", "readinessProbe", "startupProbe"):
            container.pop(probe)
        container.pop("lifecycle", None)
    name = f"client-{release['metadata']['name']}"
    meta = {**template["metadata"], "name": name, "namespace": SPACE}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}


async def _answer(cluster):
    for _ in range(120):
        try:
            text = await cluster.logs(SPACE, "client-shop")
        except Exception:  # noqa: BLE001 - not started yet
            text = ""
        for line in text.splitlines():
            if line.startswith("FOUND "):
                return json.loads(line.removeprefix("FOUND "))
        await asyncio.sleep(1)
    raise AssertionError((await cluster.get(POD, "client-shop", SPACE))["status"], text)
