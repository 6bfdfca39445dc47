"""Adapters: XML becomes JSON, HL7 is acknowledged, files are read; what is wrong is a dead letter, none is lost."""

from __future__ import annotations

import asyncio
import json
import subprocess

import pytest
import yaml

from components.deploy.apply import Applier
from components.deploy.inventory import Inventory
from components.deploy.teardown import plan_teardown, tear_down
from components.deploy.waiting import Patience
from components.stack.platform import Platform
from kube.cluster import Cluster
from kube.kinds import NAMESPACE, POD
from tests.components.conftest import ROOT
from tests.components.inside import run
from tests.components.kind_examples import path_of

pytestmark = [pytest.mark.extras("camel"), pytest.mark.timeout(600)]
SPACE = "adapters-test"
INVENTORY = Inventory(SPACE, SPACE)
PATIENCE = Patience(240)
CLIENT = (ROOT / "tests" / "components" / "adapter_client.py").read_text()
QUEUE = "spring-rabbitmq:default?queues={0}&routingKey={0}&arg.queue.durable=true&exchangePattern=InOnly"
MAIN = "org.apache.camel.main.Main"


def declared():
    """The production example, small, with files to read and a client that uses it."""
    adapter = yaml.safe_load(path_of("camel", "production").read_text())["components"]["camel"]
    small = {"replicas": 1, "resources": {"memory": "384Mi", "cpu": "100m"}, "strategy": {"bake": "5s"}}
    folder = {"volumes": {"files": {"scratch": {"size": "64Mi"}}}, "mounts": {"/var/files": "files"}}
    read = {
        "from": {
            "uri": "file:/var/files/in?readLock=changed&move=/var/files/done",
            "steps": [{"to": QUEUE.format("files")}],
        }
    }
    adapter["routes"]["files"] = [{"route": {"id": "files", **read}}]
    del adapter["traffic"]
    images = yaml.safe_load((ROOT / "stacks" / "overlays" / "sandbox.yaml").read_text())["images"]
    sections = {
        "environment": {"tier": "local", "namespace": SPACE, "owners": ["platform"], "images": images},
        "components": {
            "controller": {"image": "sandbox.grayling.dev/grayling:dev"},
            "rabbitmq": {"storage": "256Mi"},
            "prometheus": {"scrapeInterval": "1s", "storage": None, "discovery": "sidecar"},
            "camel": {**adapter, **small, **folder},
        },
        "services": {
            "client": {
                "image": "sandbox.grayling.dev/shop:v1",
                "command": ["sleep", "3600"],
                "port": None,
                "adminPort": None,
                "probes": {"liveness": {"command": ["true"]}, "readiness": {"command": ["true"]}},
                "uses": ["rabbitmq", "camel"],
            }
        },
    }
    return Platform.read(sections, stack=SPACE, source="test")


@pytest.fixture
async def cluster(cluster_kubeconfig):
    async with await Cluster.open(kubeconfig=cluster_kubeconfig) as opened:
        yield opened


@pytest.fixture(scope="module")
def stack(cluster_kubeconfig):
    """The stack, up, for all tests of this module."""

    async def brought():
        async with await Cluster.open(kubeconfig=cluster_kubeconfig) as cluster:
            await Applier(cluster, INVENTORY, patience=PATIENCE).apply(declared().manifests())
            await ready(cluster, "camel")
            await ready(cluster, "client")

    async def gone():
        async with await Cluster.open(kubeconfig=cluster_kubeconfig) as cluster:
            plan = await plan_teardown(cluster, INVENTORY)
            await tear_down(cluster, INVENTORY, plan, PATIENCE, lambda _line: None, without_engine=True)
            assert await cluster.find(NAMESPACE, SPACE) is None

    asyncio.run(brought())
    yield
    asyncio.run(gone())


async def ready(cluster, name):
    """The name of the one pod of a service that is ready."""
    pods = []
    for _ in range(360):
        pods = (await cluster.list(POD, SPACE, labels=f"grayling.dev/release={name}")).items
        for pod in pods:
            said = {each["type"]: each["status"] for each in pod.get("status", {}).get("conditions", [])}
            if said.get("Ready") == "True" and "deletionTimestamp" not in pod["metadata"]:
                return pod["metadata"]["name"]
        await asyncio.sleep(0.5)
    raise AssertionError([pod["status"] for pod in pods])


async def client(cluster, *argv):
    """What the client says, as JSON."""
    told = await run(cluster, SPACE, await ready(cluster, "client"), "client", "python3", "-c", CLIENT, *argv)
    return json.loads(told.splitlines()[-1])


async def test_what_is_right_is_carried_on_and_what_is_not_is_a_dead_letter_with_its_reason(cluster, stack):
    answers = await client(cluster, "orders")
    kept = dict.fromkeys(("missing", "wrong type", "malformed", "too large"), 422)
    assert answers == {"right": 200, **kept, "far too large": 413}
    pod = await ready(cluster, "camel")
    write = "mkdir -p /var/files/in && echo one > /var/files/in/a.txt && echo two > /var/files/in/b.txt"
    await run(cluster, SPACE, pod, "camel", "sh", "-c", write)
    assert await client(cluster, "hl7", "3") == {"acknowledged": ["AA", "AA", "AA"]}
    found = await client(cluster, "read", "orders=1", "hl7=3", "files=2", "adapter.dead=4")
    assert [json.loads(each["body"]) for each in found["orders"]] == [{"id": "7", "total": "12.5"}]
    assert [each["body"].split("|")[9] for each in found["hl7"]] == ["0", "1", "2"]
    assert sorted(each["body"].strip() for each in found["files"]) == ["one", "two"]
    dead = {each["body"]: each["headers"] for each in found["adapter.dead"]}
    assert dead["<order><id>7</id></order>"]["dead-letter-reason"].startswith("JsonValidationException: ")
    assert "total" in dead["<order><id>7</id></order>"]["dead-letter-reason"]
    assert dead["<order><id>7</id>"]["dead-letter-reason"].startswith("JsonParseException: ")
    (large,) = [headers for body, headers in dead.items() if len(body) > 400_000]
    assert "bytes, and 262144 are taken" in large["dead-letter-reason"]
    assert {headers["dead-letter-route"] for headers in dead.values()} == {"orders"}
    metrics = await cluster.pod_text(SPACE, pod, 9000, "/metrics")
    (counted,) = [line for line in metrics.splitlines() if line.startswith("dead_letters_total")]
    assert float(counted.split()[-1]) == 4


async def test_nothing_is_lost_when_it_is_killed_in_the_middle(cluster, stack, box):
    sending = asyncio.create_task(client(cluster, "flood", "300"))
    for _ in range(3):
        await asyncio.sleep(4)
        pod = await ready(cluster, "camel")
        argv = box.enter_argv(("pkill", "-9", "-f", MAIN))
        done = await asyncio.to_thread(subprocess.run, argv, check=False, capture_output=True)
        assert done.returncode == 0, done
        await ready(cluster, "camel")
        assert pod
    acknowledged = (await sending)["acknowledged"]
    found = await client(cluster, "read", "orders=*")
    arrived = {json.loads(each["body"])["id"] for each in found["orders"]}
    assert len(acknowledged) == 300
    assert set(acknowledged) <= arrived
