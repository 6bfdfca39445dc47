"""A Kafka whose voters are nodes of their own, and an account that goes with its service."""

from __future__ import annotations

import asyncio
import json

import pytest
import pytest_asyncio

from components.deploy.apply import Applier
from components.deploy.waiting import Patience
from kube.cluster import Cluster
from tests.catalogue import brokers, kafka_client
from tests.catalogue.brokers import INVENTORY, SPACE, until
from tests.catalogue.kafka_client import LIST, SEND, STOP, administer, shell
from tests.components.on_prometheus import series

pytestmark = [
    pytest.mark.long,
    pytest.mark.extras("kafka"),
    pytest.mark.timeout(900),
    pytest.mark.asyncio(loop_scope="module"),
]
PATIENCE_S = 400
VOTERS = [f"kafka-controller-{each}" for each in range(3)]
LEADERS = "kafka_controller_active"


def declared(*services):
    """One broker, three voters, and these services."""
    components, _ = brokers.declared()
    components["prometheus"]["scrapeInterval"] = "2s"
    components["kafka"] = {
        "members": 1,
        "controllers": {"members": 3, "storage": "512Mi"},
        "storage": "1Gi",
        "tls": {},
        "resources": {"cpu": "50m", "memory": "640Mi"},
        "extraConfig": {"offsets.topic.num.partitions": 1},
    }
    made = {name: {"image": "registry.example.com/shop/orders:1.4.2", "uses": ["kafka"]} for name in services}
    return brokers.platform(components, made)


@pytest.fixture(scope="module")
def kafka():
    return next(each for each in declared("orders", "billing").components if each.name == "kafka")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cluster(cluster_kubeconfig):
    async with await Cluster.open(kubeconfig=cluster_kubeconfig) as opened:
        try:
            await brokers.up(opened, declared("orders", "billing"), tools=kafka_client.IMAGE, seconds=PATIENCE_S)
            await administer(opened, "TopicCommand", "--create", "--topic", "orders", "--partitions", "2")
            yield opened
        finally:
            await brokers.down(opened)


async def leader(cluster):
    """The voter that leads, as the metrics say."""
    found = await series(cluster, SPACE, f"{LEADERS} == 1")
    (pod,) = [each["metric"]["pod"] for each in found]
    return pod


async def test_nothing_acknowledged_dies_with_the_leading_voter(cluster):
    sending = asyncio.create_task(shell(cluster, "orders", SEND))
    await until(lambda: kafka_client.sent(cluster, 200))
    begun = await kafka_client.begin(cluster, 100)
    first = await until(lambda: leader(cluster))
    assert first in VOTERS

    await brokers.kill(cluster, first, "java", PATIENCE_S)
    await brokers.roll(cluster, "kafka-controller", PATIENCE_S)
    # What only a leader can do.
    await administer(cluster, "TopicCommand", "--create", "--topic", "later", "--partitions", "1")

    await shell(cluster, "orders", STOP)
    summary = json.loads(await sending)
    sent = await kafka_client.acknowledged(cluster)
    assert len(sent) == summary["acked"] > 200
    came = begun + await kafka_client.rest(cluster, begun, len(sent))
    assert sent - set(came) == set()


async def test_its_panels_have_data_and_no_alert_waits(cluster, kafka):
    assert await brokers.loud(cluster, kafka) == []


async def test_an_account_goes_with_its_service_and_the_others_stay(cluster):
    assert "orders" in await shell(cluster, "billing", LIST)
    ours, _ = brokers.parts(declared("orders"))
    await Applier(cluster, INVENTORY, patience=Patience(PATIENCE_S)).apply(ours)

    async def refused():
        return "Authentication failed" in await shell(cluster, "billing", LIST)

    assert await until(refused, PATIENCE_S)
    assert "orders" in await shell(cluster, "orders", LIST)
    told = await administer(cluster, "AclCommand", "--list")
    assert "User:orders" in told
    assert "User:billing" not in told
