"""Declared topologies of systems that keep streams: made, kept, refused, pruned, killed half way, locked out."""

from __future__ import annotations

import base64
import json
from textwrap import dedent

import pytest
import pytest_asyncio
import yaml

from components.deploy.difference import differences
from components.deploy.outcome import NotReadyError
from components.deploy.teardown import plan_teardown, tear_down
from components.deploy.waiting import Patience
from kube.cluster import Cluster
from kube.kinds import NAMESPACE, POD, SECRET
from tests.catalogue.topologies import METRICS, Declared, until
from tests.components.conftest import ROOT
from tests.components.inside import run
from topology.api.crd import topology_definition

pytestmark = [
    pytest.mark.long,
    pytest.mark.extras("kafka", "nats"),
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.timeout(900),
]

IMAGES = yaml.safe_load((ROOT / "stacks" / "overlays" / "sandbox.yaml").read_text())["images"]
MEMBERS = {
    "kafka": {
        "storage": "512Mi",
        "tls": {},
        "resources": {"cpu": "50m", "memory": "640Mi"},
        "extraConfig": {"offsets.topic.num.partitions": 1},
    },
    "nats": {"storage": "256Mi", "tls": {}, "accounts": {"machines": {"services": ["sensors"]}}},
}
SERVICES = {name: {"image": "docker.io/library/python:3.13.7-slim", "uses": ["nats"]} for name in ("shop", "sensors")}
STACK = Declared("topology-streams", IMAGES, MEMBERS, SERVICES)
READS = {"topic": "orders", "operations": ["read"]}
KAFKA = {
    "topics": {"orders": {"partitions": 2, "configs": {"retention.ms": 3_600_000}}, "audit": {}},
    "users": {"reports": {"rights": [READS, {"group": "reports-*", "operations": ["read"]}]}},
    "quotas": {"reports": {"consumerByteRate": "1Mi"}},
}
ORDERS = {"subjects": ["orders.>"], "maxAge": "1h", "consumers": {"billing": {"filters": ["orders.new"]}}}
NATS = {
    "streams": {"orders": ORDERS},
    "buckets": {"prices": {"history": 5}},
    "accounts": {"machines": {"streams": {"readings": {"subjects": ["plant.>"]}}}},
}
# Kafka's own tools, as the cluster's administrator, in the pod that makes accounts.
TOOL = """\
said=$1 tool=$2
shift 2
printf "$said" | java -Xmx64m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 \
  -Dlog4j2.configurationFile=/etc/kafka/grayling/log4j2.xml \
  -cp '/opt/kafka/libs/*' org.apache.kafka.tools.$tool --bootstrap-server kafka.topology-streams.svc:9093 \
  --command-config /etc/kafka/grayling/admin.properties "$@"
"""
# With the reconciler's own account, in its pod.
BY_HAND = """\
import asyncio, json, sys
from pathlib import Path
from topology.systems.system import Credentials, TopologyError
from topology.systems.{name} import {System} as System
if len(sys.argv) > 1:
    folder = Path("/tmp/{name}")
    folder.mkdir(exist_ok=True)
    (folder / "username").write_text(sys.argv[1])
    (folder / "password").write_text(sys.argv[2])
    (folder / "ca.crt").write_text(Path("/run/topology/{name}/ca.crt").read_text())
else:
    folder = Path("/run/topology/{name}")
system = System("{address}", Credentials(folder))
async def main():
{what}
asyncio.run(main())
"""
TOLD = """\
try:
    found = await system.observe()
    print(json.dumps({label: dict(each.settings) for label, each in found.items()}))
except TopologyError as error:
    print(json.dumps(f"{type(error).__name__}: {error}"))
"""


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def cluster(cluster_kubeconfig):
    async with await Cluster.open(kubeconfig=cluster_kubeconfig) as opened:
        await opened.apply(topology_definition(), manager="test")
        try:
            await STACK.apply(opened, 400, kafka=KAFKA, nats=NATS)
            yield opened
        finally:
            plan = await plan_teardown(opened, STACK.inventory)
            await tear_down(opened, STACK.inventory, plan, Patience(180), lambda _line: None)
            assert await opened.find(NAMESPACE, STACK.space) is None


async def kafka(cluster, tool, *arguments, said=""):
    """A tool of Kafka, which hears this."""
    listed = await cluster.list(POD, STACK.space, labels="app.kubernetes.io/component=exporter")
    pod = listed.items[0]["metadata"]["name"]
    return await run(cluster, STACK.space, pod, "accounts", "bash", "-c", TOOL, "tool", said, tool, *arguments)


async def by_hand(cluster, name, what, *account):
    """What a person does with a system, in Python."""
    systems = {"kafka": ("KafkaSystem", "kafkas", 9093), "nats": ("NatsSystem", "tls", 4222)}
    system, scheme, port = systems[name]
    script = BY_HAND.replace("{name}", name).replace("{System}", system)
    script = script.replace("{address}", f"{scheme}://{name}.{STACK.space}.svc:{port}")
    indented = "".join(f"    {line}\n" for line in dedent(what).splitlines())
    return await STACK.python(cluster, script.replace("{what}\n", indented), *account)


async def there(cluster, name, *account):
    """What a system holds, by label; a text where it does not say that."""
    return json.loads(await by_hand(cluster, name, TOLD, *account))


async def put_right(cluster, name, *labels):
    seen = set()

    async def right():
        status = await STACK.status(cluster, name)
        seen.update(status["drifted"])
        return status["conditions"][0]["status"] == "True" and seen >= set(labels)

    await until("all put right", right)


async def left_of(cluster, name):
    return {each["label"] for each in (await STACK.status(cluster, name))["items"] if each["state"] == "Left"}


async def offsets(cluster):
    told = await kafka(cluster, "GetOffsetShell", "--topic", "orders")
    return sum(int(line.rpartition(":")[2]) for line in told.splitlines() if line.startswith("orders"))


async def test_all_is_made_and_a_second_look_writes_nothing(cluster):
    before = {name: await STACK.status(cluster, name) for name in ("kafka", "nats")}
    for status in before.values():
        assert {each["state"] for each in status["items"]} == {"Ready"}
        assert status["made"] == sorted(each["label"] for each in status["items"])
    told = await kafka(cluster, "TopicCommand", "--describe", "--topic", "orders")
    assert "PartitionCount: 2" in told
    assert "retention.ms=3600000" in told
    rights = await kafka(cluster, "AclCommand", "--list", "--principal", "User:reports")
    assert "name=orders, patternType=LITERAL" in rights
    assert "name=reports-, patternType=PREFIXED" in rights

    async def again():
        now = {name: await STACK.status(cluster, name) for name in before}
        return all(now[name]["observedAt"] != before[name]["observedAt"] for name in before)

    await until("a second look", again)
    metrics = await STACK.python(cluster, METRICS)
    for name, status in before.items():
        assert f'grayling_topology_writes_total{{topology="{name}"}} {float(len(status["items"]))}' in metrics
    changes, _ = await differences(cluster, STACK.inventory, STACK.manifests(kafka=KAFKA, nats=NATS))
    assert changes == []


async def test_what_others_change_in_a_kafka_is_told_and_put_right(cluster):
    """A shorter retention, another password, a right too many, a limit that is gone, a topic that is gone."""
    await by_hand(
        cluster,
        "kafka",
        """
        from topology.api.spec import Item
        from topology.systems import kafka_asked as asked
        orders = Item(label="x", kind="topic", name="orders")
        may = {"user": "reports", "resource": "topic", "name": "orders", "pattern": "literal"}
        async with system._connected() as wire:
            await asked._configure(wire, orders, {"retention.ms": "60000"}, {})
            await asked.user(wire, "reports", b"salt", "theirs", 8192)
            await asked.quota(wire, "reports", {})
            await asked.rights(wire, {**may, "operations": ["write"]}, None)
            await asked.no_topic(wire, "audit")
        """,
    )
    labels = ("topic orders", "user reports", "quota reports", "topic audit", "acl reports topic orders")
    await put_right(cluster, "kafka", *labels)
    found = await there(cluster, "kafka")
    assert found["topic orders"]["retention.ms"] == "3600000"
    assert found["acl reports topic orders"]["operations"] == ["read"]
    assert found["quota reports"]["consumer_byte_rate"] == 2**20


async def test_what_would_lose_messages_of_a_kafka_is_refused_and_more_partitions_are_not(cluster):
    await kafka(cluster, "ConsoleProducer", "--topic", "orders", said="1\\n2\\n3\\n")
    for topic, told in (
        ({"partitions": 1, "configs": {"retention.ms": 3_600_000}}, "topic orders: partitions 2 → 1: only a new topic"),
        ({"partitions": 2, "configs": {"retention.ms": 60_000}}, "retention.ms 3600000 → 60000 loses data"),
    ):
        changed = {**KAFKA, "topics": {**KAFKA["topics"], "orders": topic}}
        with pytest.raises(NotReadyError, match=told) as refused:
            await STACK.apply(cluster, kafka=changed, nats=NATS)
        assert "add 'topic orders' to topology.allow" in str(refused.value)
    more = {**KAFKA, "topics": {**KAFKA["topics"], "orders": {"partitions": 3, "configs": {"retention.ms": -1}}}}
    await STACK.apply(cluster, kafka=more, nats=NATS)
    assert await offsets(cluster) == 3
    found = (await there(cluster, "kafka"))["topic orders"]
    assert (found["partitions"], found["retention.ms"]) == (3, "-1")


async def test_only_what_was_made_here_goes_from_a_kafka_and_a_topic_only_by_its_name(cluster):
    await kafka(cluster, "TopicCommand", "--create", "--topic", "by-hand", "--partitions", "1")
    less = {"topics": {"audit": {}}}
    await STACK.apply(cluster, kafka=less, nats=NATS)
    assert await left_of(cluster, "kafka") == {
        "topic orders", "user reports", "quota reports", "acl reports topic orders", "acl reports group reports-*",
    }  # fmt: skip
    with pytest.raises(NotReadyError, match="topic orders: to delete it loses what it holds"):
        await STACK.apply(cluster, kafka={**less, "prune": True}, nats=NATS)
    assert await offsets(cluster) == 3
    await STACK.apply(cluster, kafka={**less, "prune": True, "allow": ["topic orders"]}, nats=NATS)
    found = await there(cluster, "kafka")
    assert {"topic audit", "topic by-hand", "user admin"} <= found.keys()
    assert not [label for label in found if "orders" in label or "reports" in label]


async def test_killed_half_way_the_next_goes_on_with_a_kafka(cluster):
    limits = {"consumer_byte_rate": 1024.0, "producer_byte_rate": None}
    whole = {**limits, "request_percentage": None, "controller_mutation_rate": None}
    names = [f"many-{number}" for number in range(200)]
    many = [{"label": f"quota {name}", "kind": "quota", "name": name, "settings": whole} for name in names]
    await STACK.declare(cluster, "kafka", many, kafka={"topics": {"audit": {}}}, nats=NATS)

    async def begun():
        return [each for each in (await STACK.status(cluster, "kafka"))["made"] if "many-" in each]

    assert len(await until("begun", begun)) < len(many)
    gone = await STACK.kill_reconciler(cluster)
    await STACK.settled(cluster, "kafka")
    assert (await STACK.reconciler(cluster))["metadata"]["uid"] != gone
    assert {f"quota {name}" for name in names} <= (await there(cluster, "kafka")).keys()


async def test_locked_out_of_a_kafka_it_says_so_and_comes_back(cluster):
    given = (await STACK.python(cluster, "print(open('/run/topology/kafka/password').read())")).strip()
    other = """
    from topology.systems.kafka_asked import user
    async with system._connected() as wire:
        await user(wire, "topology", b"salt", "{password}", 8192)
    """
    await by_hand(cluster, "kafka", other.replace("{password}", "other"))
    status = await STACK.because(cluster, "kafka", "Unauthorized")
    assert "does not take the account topology" in status["conditions"][0]["message"]
    await by_hand(cluster, "kafka", other.replace("{password}", given), "topology", "other")
    await STACK.settled(cluster, "kafka")


async def test_what_others_change_in_a_nats_is_told_and_put_right(cluster):
    await by_hand(
        cluster,
        "nats",
        """
        async with system._connected("") as wire:
            config = (await wire.read("STREAM.LIST", "streams"))
            (orders,) = [each["config"] for each in config if each["config"]["name"] == "orders"]
            await wire.write("STREAM.UPDATE.orders", {**orders, "max_age": 60 * 10**9, "duplicate_window": 10**9})
            await wire.write("CONSUMER.DELETE.orders.billing", {})
            await wire.write("STREAM.DELETE.KV_prices", {})
        async with system._connected("machines") as wire:
            await wire.write("STREAM.DELETE.readings", {})
        """,
    )
    labels = ("stream orders", "consumer billing @orders", "bucket prices", "stream machines/readings")
    await put_right(cluster, "nats", *labels)
    found = await there(cluster, "nats")
    assert found["stream orders"]["max_age"] == 3600 * 10**9
    assert found["consumer billing @orders"]["filter_subjects"] == ["orders.new"]


async def test_what_would_lose_messages_of_a_nats_is_refused_and_only_ours_goes(cluster):
    """Three messages of a service are there after every refusal; a stream with a consumer of others stays."""
    kept = (await cluster.get(SECRET, "nats-shop-auth", STACK.space))["data"]
    publish = """
    async with system._connected("") as wire:
        for _ in range(3):
            wire.writer.write(f"PUB orders.new {wire.inbox} 1\\r\\nx\\r\\n".encode())
            assert b"seq" in await wire._answer()
        print((await wire.ask("STREAM.INFO.orders", {}))["state"]["messages"])
    """
    assert (await by_hand(cluster, "nats", publish, "shop", base64.b64decode(kept["password"]).decode())).strip() == "3"
    lower = {**NATS, "streams": {"orders": {**ORDERS, "maxAge": "1m"}}}
    with pytest.raises(NotReadyError, match="stream orders: max_age 3600000000000 → 60000000000 loses data"):
        await STACK.apply(cluster, kafka={"topics": {"audit": {}}}, nats=lower)
    theirs = """
    config = {"durable_name": "theirs", "name": "theirs", "ack_policy": "explicit"}
    async with system._connected("") as wire:
        await wire.write("CONSUMER.CREATE.orders.theirs", {"stream_name": "orders", "config": config})
    """
    await by_hand(cluster, "nats", theirs)
    allowed = ["stream orders", "consumer billing @orders", "bucket prices"]
    less = {"accounts": NATS["accounts"], "prune": True, "allow": allowed}
    with pytest.raises(NotReadyError, match="stream orders: it holds consumer theirs @orders, which was not made here"):
        await STACK.apply(cluster, kafka={"topics": {"audit": {}}}, nats=less)
    counted = """
    async with system._connected("") as wire:
        print([each["state"]["messages"] for each in await wire.read("STREAM.LIST", "streams")])
    """
    assert (await by_hand(cluster, "nats", counted)).strip() == "[3]"
    found = await there(cluster, "nats")
    assert found.keys() == {"stream orders", "consumer theirs @orders", "stream machines/readings"}


async def test_a_nats_that_does_not_take_the_account_is_told(cluster):
    told = await there(cluster, "nats", "topology", "wrong")
    assert told.startswith("UnauthorizedError: tls://nats.topology-streams.svc:4222 does not take the account topology")
