"""Declared topologies of systems that keep streams: made, kept, refused, pruned, killed half way, locked out."""

from __future__ import annotations

import pytest
import pytest_asyncio

from components.deploy.difference import differences
from components.deploy.outcome import NotReadyError
from components.deploy.teardown import plan_teardown, tear_down
from components.deploy.waiting import Patience
from kube.cluster import Cluster
from kube.kinds import NAMESPACE, POD
from tests.catalogue.topologies import METRICS, Declared, until
from tests.components.inside import run
from topology.api.crd import topology_definition

pytestmark = [pytest.mark.extras("kafka"), pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(900)]

IMAGES = {
    "docker.io/apache/kafka": "sandbox.grayling.dev/kafka:4.3.1",
    "quay.io/strimzi/kafka": "sandbox.grayling.dev/kafka:4.3.1",
    "docker.io/danielqsj/kafka-exporter": "sandbox.grayling.dev/kafka-exporter:v1",
}
MEMBERS = {
    "kafka": {
        "storage": "512Mi",
        "tls": {},
        "resources": {"cpu": "50m", "memory": "640Mi"},
        "extraConfig": {"offsets.topic.num.partitions": 1},
    }
}
STACK = Declared("topology-streams", IMAGES, MEMBERS)
READS = {"topic": "orders", "operations": ["read"]}
KAFKA = {
    "topics": {"orders": {"partitions": 2, "configs": {"retention.ms": 3_600_000}}, "audit": {}},
    "users": {"reports": {"rights": [READS, {"group": "reports-*", "operations": ["read"]}]}},
    "quotas": {"reports": {"consumerByteRate": "1Mi"}},
}
# Kafka's own tools, as the cluster's administrator, in the pod that makes accounts.
TOOL = """\
class=$1
shift
java -Xmx64m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Dlog4j2.configurationFile=/etc/kafka/grayling/log4j2.xml \
  -cp '/opt/kafka/libs/*' "$class" --bootstrap-server kafka.topology-streams.svc:9093 "$@"
"""
PRODUCE = """\
printf '1\\n2\\n3\\n' | java -Xmx64m -XX:+UseSerialGC -Dlog4j2.configurationFile=/etc/kafka/grayling/log4j2.xml \
  -cp '/opt/kafka/libs/*' org.apache.kafka.tools.ConsoleProducer --bootstrap-server kafka.topology-streams.svc:9093 \
  --command-config /etc/kafka/grayling/admin.properties --topic orders
"""
ADMIN = ("--command-config", "/etc/kafka/grayling/admin.properties")
CONFIGS = "kafka.admin.ConfigCommand"
TOPICS = "org.apache.kafka.tools.TopicCommand"


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def cluster(cluster_kubeconfig):
    async with await Cluster.open(kubeconfig=cluster_kubeconfig) as opened:
        await opened.apply(topology_definition(), manager="test")
        try:
            await STACK.apply(opened, 400, kafka=KAFKA)
            yield opened
        finally:
            plan = await plan_teardown(opened, STACK.inventory)
            await tear_down(opened, STACK.inventory, plan, Patience(180), lambda _line: None)
            assert await opened.find(NAMESPACE, STACK.space) is None


async def tools(cluster):
    listed = await cluster.list(POD, STACK.space, labels="app.kubernetes.io/component=exporter")
    return listed.items[0]["metadata"]["name"]


async def kafka(cluster, tool, *arguments):
    shell = ("bash", "-c", TOOL, "tool", tool, *ADMIN, *arguments)
    return await run(cluster, STACK.space, await tools(cluster), "accounts", *shell)


async def offsets(cluster, topic):
    told = await kafka(cluster, "org.apache.kafka.tools.GetOffsetShell", "--topic", topic)
    return sum(int(line.rpartition(":")[2]) for line in told.splitlines() if line.startswith(topic))


async def test_a_kafka_holds_what_is_declared_and_a_second_look_writes_nothing(cluster):
    status = await STACK.status(cluster, "kafka")
    assert {each["state"] for each in status["items"]} == {"Ready"}
    assert status["made"] == sorted(each["label"] for each in status["items"])
    told = await kafka(cluster, TOPICS, "--describe", "--topic", "orders")
    assert "PartitionCount: 2" in told
    assert "retention.ms=3600000" in told
    rights = await kafka(cluster, "org.apache.kafka.tools.AclCommand", "--list", "--principal", "User:reports")
    assert "name=orders, patternType=LITERAL" in rights
    assert "name=reports-, patternType=PREFIXED" in rights
    limits = await kafka(cluster, CONFIGS, "--entity-type", "users", "--entity-name", "reports", "--describe")
    assert "consumer_byte_rate=1048576.0" in limits
    assert "SCRAM-SHA-512=iterations=8192" in limits

    async def again():
        return (await STACK.status(cluster, "kafka"))["observedAt"] != status["observedAt"]

    await until("a second look", again)
    assert 'grayling_topology_writes_total{topology="kafka"} 6.0' in await STACK.python(cluster, METRICS)
    assert not (await STACK.status(cluster, "kafka"))["drifted"]


async def test_what_others_change_in_a_kafka_is_told_and_put_right(cluster):
    """A shorter retention, another password, a right too many, a limit that is gone, a topic that is gone."""
    topic = ("--entity-type", "topics", "--entity-name", "orders", "--alter")
    user = ("--entity-type", "users", "--entity-name", "reports", "--alter")
    for tool, *arguments in (
        (CONFIGS, *topic, "--add-config", "retention.ms=60000"),
        (CONFIGS, *user, "--add-config", "SCRAM-SHA-512=[iterations=8192,password=theirs]"),
        (CONFIGS, *user, "--delete-config", "consumer_byte_rate"),
        (TOPICS, "--delete", "--topic", "audit"),
        (
            "org.apache.kafka.tools.AclCommand",
            "--add",
            "--allow-principal",
            "User:reports",
            "--operation",
            "Write",
            "--topic",
            "orders",
        ),
    ):
        await kafka(cluster, tool, *arguments)
    put_right = set()

    async def right():
        status = await STACK.status(cluster, "kafka")
        put_right.update(status["drifted"])
        wanted = {"topic orders", "user reports", "quota reports", "topic audit", "acl reports topic orders"}
        return status["conditions"][0]["status"] == "True" and put_right >= wanted

    await until("all put right", right)
    assert "retention.ms=3600000" in await kafka(cluster, TOPICS, "--describe", "--topic", "orders")
    rights = await kafka(cluster, "org.apache.kafka.tools.AclCommand", "--list", "--principal", "User:reports")
    assert "operation=WRITE" not in rights
    changes, _ = await differences(cluster, STACK.inventory, STACK.manifests(kafka=KAFKA))
    assert changes == []


async def test_what_would_lose_messages_of_a_kafka_is_refused_and_more_partitions_are_not(cluster):
    await run(cluster, STACK.space, await tools(cluster), "accounts", "bash", "-c", PRODUCE)
    assert await offsets(cluster, "orders") == 3
    for topic, told in (
        ({"partitions": 1, "configs": {"retention.ms": 3_600_000}}, "topic orders: partitions 2 → 1: only a new topic"),
        ({"partitions": 2, "configs": {"retention.ms": 60_000}}, "retention.ms 3600000 → 60000 loses data"),
    ):
        with pytest.raises(NotReadyError, match=told) as refused:
            await STACK.apply(cluster, kafka={**KAFKA, "topics": {**KAFKA["topics"], "orders": topic}})
        assert "add 'topic orders' to topology.allow" in str(refused.value)
    more = {**KAFKA, "topics": {**KAFKA["topics"], "orders": {"partitions": 3, "configs": {"retention.ms": -1}}}}
    await STACK.apply(cluster, kafka=more)
    assert await offsets(cluster, "orders") == 3
    assert "PartitionCount: 3" in await kafka(cluster, TOPICS, "--describe", "--topic", "orders")


async def test_only_what_was_made_here_goes_from_a_kafka_and_a_topic_only_by_its_name(cluster):
    await kafka(cluster, TOPICS, "--create", "--topic", "by-hand", "--partitions", "1")
    less = {"topics": {"audit": {}}}
    await STACK.apply(cluster, kafka=less)
    left = {each["label"] for each in (await STACK.status(cluster, "kafka"))["items"] if each["state"] == "Left"}
    assert left == {
        "topic orders", "user reports", "quota reports", "acl reports topic orders", "acl reports group reports-*",
    }  # fmt: skip
    with pytest.raises(NotReadyError, match="topic orders: to delete it loses what it holds"):
        await STACK.apply(cluster, kafka={**less, "prune": True})
    assert await offsets(cluster, "orders") == 3
    await STACK.apply(cluster, kafka={**less, "prune": True, "allow": ["topic orders"]})
    listed = (await kafka(cluster, TOPICS, "--list")).split()
    assert {"audit", "by-hand"} <= set(listed)
    assert "orders" not in listed


async def test_killed_half_way_the_next_goes_on_with_a_kafka(cluster):
    limits = {"consumer_byte_rate": 1024.0, "producer_byte_rate": None}
    whole = {**limits, "request_percentage": None, "controller_mutation_rate": None}
    names = [f"many-{number}" for number in range(200)]
    many = [{"label": f"quota {name}", "kind": "quota", "name": name, "settings": whole} for name in names]
    await STACK.declare(cluster, "kafka", many, kafka={"topics": {"audit": {}}})

    async def begun():
        return [each for each in (await STACK.status(cluster, "kafka"))["made"] if "many-" in each]

    assert len(await until("begun", begun)) < len(many)
    gone = await STACK.kill_reconciler(cluster)
    status = await STACK.settled(cluster, "kafka")
    assert (await STACK.reconciler(cluster))["metadata"]["uid"] != gone
    assert {f"quota {name}" for name in names} <= {each["label"] for each in status["items"]}
    told = await kafka(cluster, CONFIGS, "--entity-type", "users", "--describe")
    assert told.count("consumer_byte_rate=1024.0") == len(many)


async def test_locked_out_of_a_kafka_it_says_so_and_comes_back(cluster):
    scram = ("--entity-type", "users", "--entity-name", "topology", "--alter")
    await kafka(cluster, CONFIGS, *scram, "--add-config", "SCRAM-SHA-512=[iterations=8192,password=other]")
    status = await STACK.because(cluster, "kafka", "Unauthorized")
    assert "does not take the account topology" in status["conditions"][0]["message"]
    await kafka(cluster, CONFIGS, *scram, "--add-config-file", "/run/administrator/scram.properties")
    await STACK.settled(cluster, "kafka")
