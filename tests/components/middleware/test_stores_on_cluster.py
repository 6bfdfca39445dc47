"""Stores with TLS and an account for each service, tried from pods of such; volumes grow, a service goes, copies."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path

import pytest
import pytest_asyncio

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
from tests.components.runbook import Terminal, blocks

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(600)]
SPACE = "stores-test"
INVENTORY = Inventory(SPACE, SPACE)
CLIENT = (Path(__file__).parents[1] / "encrypted_client.py").read_text()
QUEUE = (Path(__file__).parent / "queue_client.py").read_text()
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
            "image": "sandbox.grayling.dev/shop:v1",
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


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cluster(cluster_kubeconfig):
    """With the stores in it, and a pod of each service."""
    async with await Cluster.open(kubeconfig=cluster_kubeconfig) as opened:
        try:
            stores, releases = declared(SMALL)
            await applier(opened).apply(stores)
            for release in releases:
                await opened.create(_client(release), manager="test")
            yield opened
        finally:
            plan = await plan_teardown(opened, INVENTORY)
            await tear_down(opened, INVENTORY, plan, Patience(240), lambda _line: None)
            assert await opened.find(NAMESPACE, SPACE) is None


@pytest.fixture
def night(kubectl, cluster_kubeconfig, tmp_path):
    """Of somebody who has to restore one of them."""
    return Terminal(kubectl, cluster_kubeconfig, SPACE, tmp_path, names=(("0 1 2", "0"), ("rabbitmq 3", "rabbitmq 1")))


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


async def test_redis_is_backed_up_and_restored_as_its_runbook_says(cluster, night):
    backup, restore = blocks("redis")
    assert await _from(cluster, "billing", REDIS, ("SET", "night", "yes")) == ["+OK", "+OK"]
    await night.paste(backup)
    await _from(cluster, "billing", REDIS, ("SET", "night", "other"), ("SET", "later", "yes"))
    await night.paste(restore)
    for _ in range(2):
        assert await _from(cluster, "billing", REDIS, ("GET", "night"), ("GET", "later")) == ["+OK", "$3", "$-1"]
        await night.paste("away redis; back redis 1")
    await _from(cluster, "billing", REDIS, ("DEL", "night"))


async def test_rabbitmq_is_backed_up_and_restored_as_its_runbook_says(cluster, night):
    definitions, add, taken, put_back = blocks("rabbitmq")
    await _queue(cluster, "fill", "night", 20)
    await night.paste(definitions)
    await night.paste(taken)
    await _rabbitmqctl(cluster, "delete_queue", "night")
    await night.paste(add)
    assert await _queue(cluster, "take", "night") == []
    await night.paste(put_back)
    assert await _queue(cluster, "take", "night") == [*range(20)]
    await _rabbitmqctl(cluster, "delete_queue", "night")


async def _queue(cluster, *call):
    """What a program of the service "billing" does with a queue."""
    told = await run(cluster, SPACE, "client-billing", "billing", "python3", "-c", QUEUE, json.dumps(call))
    return json.loads(told.splitlines()[-1])


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
