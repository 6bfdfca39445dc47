"""Voters of their own, as production has them: they form a Kafka, and it goes on when the one that leads is killed."""

from __future__ import annotations

import asyncio
import re

import pytest
import pytest_asyncio

from kube.cluster import Cluster
from tests.catalogue import brokers, kafka_client
from tests.catalogue.brokers import until
from tests.catalogue.kafka_client import SEND, STOP, administer, shell

pytestmark = [pytest.mark.extras("kafka"), pytest.mark.timeout(900), pytest.mark.asyncio(loop_scope="module")]
KAFKA = {
    "members": 1,
    "controllers": {"members": 3, "storage": "256Mi", "resources": {"cpu": "50m", "memory": "512Mi"}},
    "storage": "1Gi",
    "resources": {"cpu": "50m", "memory": "640Mi"},
}


def declared():
    """The production example with one broker: its voters are what is tried."""
    components, services = brokers.declared(kafka=KAFKA)
    del components["prometheus"]
    services["billing"] = services["orders"]
    return brokers.platform(components, services)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cluster(cluster_kubeconfig):
    async with await Cluster.open(kubeconfig=cluster_kubeconfig) as opened:
        try:
            await brokers.up(opened, declared(), tools=kafka_client.IMAGE, seconds=600)
            yield opened
        finally:
            await brokers.down(opened)


async def leader(cluster):
    """Node id of the voter that leads, as another one says it."""
    told = await administer(cluster, "MetadataQuorumCommand", "describe", "--status")
    return int(re.search(r"LeaderId:\s+(\d+)", told)[1])


async def test_voters_of_their_own_go_on_without_the_one_that_leads(cluster):
    await administer(cluster, "TopicCommand", "--create", "--topic", "orders", "--partitions", "6")
    sending = asyncio.create_task(shell(cluster, "orders", SEND))
    await until(lambda: kafka_client.sent(cluster, 300))

    first = await leader(cluster)
    dying = asyncio.create_task(brokers.kill(cluster, f"kafka-controller-{first - 1000}", "java", 600))
    await until(lambda: follows(cluster, first), 300)
    await administer(cluster, "TopicCommand", "--create", "--topic", "later")
    await dying

    await shell(cluster, "orders", STOP)
    await sending
    sent = await kafka_client.acknowledged(cluster)
    assert sent - set(await kafka_client.rest(cluster, ())) == set()


async def follows(cluster, first):
    return await leader(cluster) != first
