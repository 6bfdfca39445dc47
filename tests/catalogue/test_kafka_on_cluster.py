"""Kafka's own brokers: three that vote, with TLS and accounts, tried by Kafka's own clients from pods of services."""

from __future__ import annotations

import asyncio
import json
import re

import pytest
import pytest_asyncio

from kube.cluster import Cluster
from tests.catalogue import brokers, kafka_client
from tests.catalogue.brokers import SPACE, until
from tests.catalogue.kafka_client import LIST, SEND, STOP, administer, shell
from tests.components.runbook import Terminal, blocks, opening

pytestmark = [
    pytest.mark.long,
    pytest.mark.extras("kafka"),
    pytest.mark.timeout(900),
    pytest.mark.asyncio(loop_scope="module"),
]
ENOUGH = 2000
PATIENCE_S = 600
# Voters are patient: a busy machine is no reason for another leader.
PATIENT = {
    "controller.quorum.election.timeout.ms": 5000,
    "controller.quorum.fetch.timeout.ms": 10000,
    "offsets.topic.num.partitions": 6,
    "replica.lag.time.max.ms": 10000,
}
KAFKA = {
    "controllers": "combined",
    "storage": "1Gi",
    "resources": {"cpu": "50m", "memory": "640Mi"},
    "lagAlert": 1000,
    "extraConfig": PATIENT,
}


def declared():
    """The production example with brokers that vote, and two services."""
    components, services = brokers.declared(kafka=KAFKA)
    components["prometheus"]["scrapeInterval"] = "2s"
    services["billing"] = services["orders"]
    return brokers.platform(components, services)


@pytest.fixture(scope="module")
def kafka():
    return next(each for each in declared().components if each.name == "kafka")


@pytest.fixture
def night(kubectl, cluster_kubeconfig, tmp_path):
    """Of somebody who has to restore it."""
    names = (("NS", SPACE), ("NAME", "kafka"), ("TOPIC", "night"))
    return Terminal(kubectl, cluster_kubeconfig, SPACE, tmp_path, names, before=opening("kafka"))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cluster(cluster_kubeconfig):
    async with await Cluster.open(kubeconfig=cluster_kubeconfig) as opened:
        try:
            await brokers.up(opened, declared(), tools=kafka_client.IMAGE, seconds=PATIENCE_S)
            await administer(opened, "TopicCommand", "--create", "--topic", "orders", "--partitions", "6")
            yield opened
        finally:
            await brokers.down(opened)


async def test_it_serves_only_those_it_knows(cluster):
    sent = await shell(cluster, "orders", "tool VerifiableProducer --topic orders --max-messages 10")
    assert '"acked":10' in sent

    assert "orders" in await shell(cluster, "billing", LIST)
    wrong = f"sed -i 's/password=\"/password=\"x/' /tmp/client.properties; {LIST}"
    assert "SaslAuthenticationException: Authentication failed" in await shell(cluster, "billing", wrong)
    plain = f"sed -i s/SASL_SSL/SASL_PLAINTEXT/ /tmp/client.properties; {LIST}"
    assert "TimeoutException" in await shell(cluster, "billing", plain)
    unknown = f"sed -i /truststore/d /tmp/client.properties; {LIST}"
    assert "SSLHandshakeException" in await shell(cluster, "billing", unknown)
    making = "tool TopicCommand --create --topic mine 2>&1 || true"
    assert "AuthorizationException" in await shell(cluster, "billing", making)


async def test_nothing_acknowledged_is_lost(cluster):
    """A broker is killed, then all are replaced, while messages come; a consumer that stopped sees all of them."""
    sending = asyncio.create_task(shell(cluster, "orders", SEND))
    await until(lambda: kafka_client.sent(cluster, 500))
    begun = await kafka_client.begin(cluster, 100)

    seen = asyncio.Event()
    dying = asyncio.create_task(brokers.killed_until(cluster, "kafka-broker-1", "java", seen, PATIENCE_S))
    try:
        assert await brokers.unseen(cluster, "KafkaBrokerDown", "KafkaUnderReplicated") == []
    finally:
        seen.set()
    await dying
    await brokers.roll(cluster, "kafka-broker", PATIENCE_S)

    await shell(cluster, "orders", STOP)
    summary = json.loads(await sending)
    sent = await kafka_client.acknowledged(cluster)
    assert len(sent) == summary["acked"] > ENOUGH
    assert await brokers.unseen(cluster, "KafkaConsumerLag") == []
    came = begun + await kafka_client.rest(cluster, begun, len(sent))
    assert sent - set(came) == set()
    assert len(came) == len(set(came))


def ends(told):
    """Of what a tool says of the topic "night": how many messages each of its partitions has had."""
    return [int(each) for each in re.findall(r"^night:[0-9]:([0-9]+)$", told, re.MULTILINE)]


async def test_a_topic_is_a_file_and_produced_again_as_its_runbook_says(cluster, night):
    taken, put_back, *_ = blocks("kafka")
    lines = [f"{key}\t{key} {number}" for number in range(40) for key in ("null", "one", "two")]
    text = night.folder / "night.txt"
    for _ in range(2):
        await administer(cluster, "TopicCommand", "--create", "--topic", "night", "--partitions", "3")
        text.write_text("".join(f"{line}\n" for line in lines))
        assert sum(ends(await night.paste(put_back))) == len(lines)
        text.unlink()
        await night.paste(taken)
        lines = text.read_text().splitlines()
        assert len(lines) == 120
        await administer(cluster, "TopicCommand", "--delete", "--topic", "night")
    for key in ("one", "two"):
        assert [line for line in lines if line.startswith(key)] == [f"{key}\t{key} {number}" for number in range(40)]


async def test_volumes_are_copied_and_put_back_as_its_runbook_says(cluster, night):
    _, produce, taken, put_back = blocks("kafka")
    (night.folder / "night.txt").write_text("".join(f"{number}\t{number}\n" for number in range(90)))
    await administer(cluster, "TopicCommand", "--create", "--topic", "night", "--partitions", "3")
    then = ends(await night.paste(produce))
    await night.paste(taken)
    assert sum(ends(await night.paste(produce))) == 2 * sum(then) == 180
    await night.paste(put_back)
    assert ends(await administer(cluster, "GetOffsetShell", "--topic", "night")) == then
    await administer(cluster, "TopicCommand", "--delete", "--topic", "night")


async def test_its_panels_have_data_and_no_alert_stays_when_all_is_read(cluster, kafka):
    assert await brokers.loud(cluster, kafka) == []
