"""Kafka's own brokers: three that vote, with TLS and accounts, tried by Kafka's own clients from pods of services."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from pathlib import Path

import pytest
import pytest_asyncio

from components.deploy.apply import Applier
from components.deploy.inventory import Inventory
from components.deploy.teardown import plan_teardown, tear_down
from components.deploy.waiting import Patience
from components.stack.platform import Platform
from kube.cluster import Cluster
from kube.kinds import NAMESPACE, POD, Kind
from tests.components.inside import run
from tests.components.on_prometheus import all_is_well, eventually, series

pytestmark = [pytest.mark.extras("kafka"), pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(900)]

SPACE = "kafka-test"
INVENTORY = Inventory(SPACE, SPACE)
PATIENCE = Patience(600)
STATEFUL_SET = Kind("apps/v1", "StatefulSet", "statefulsets")
BROKERS = [f"kafka-broker-{each}" for each in range(3)]
ENOUGH, RATE = 2000, 100
LAG = 1000
IMAGES = {
    "docker.io/apache/kafka": "sandbox.grayling.dev/kafka:4.3.1",
    "quay.io/strimzi/kafka": "sandbox.grayling.dev/kafka:4.3.1",
    "docker.io/danielqsj/kafka-exporter": "sandbox.grayling.dev/kafka-exporter:v1",
    "quay.io/prometheus/prometheus": "sandbox.grayling.dev/prometheus:2.42",
    "docker.io/library/python": "sandbox.grayling.dev/python:3.11",
}
# As a client of a service would be set up, of nothing but what the service is given.
CLIENT = """\
cat >/tmp/client.properties <<END
security.protocol=$KAFKA_SECURITY_PROTOCOL
sasl.mechanism=$KAFKA_SASL_MECHANISM
sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required \\
  username="$KAFKA_USERNAME" password="$KAFKA_PASSWORD";
ssl.truststore.type=PEM
ssl.truststore.location=$KAFKA_CA_FILE
default.api.timeout.ms=20000
request.timeout.ms=10000
END
tool() {
  class=$1
  shift
  java -Xmx96m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -cp '/opt/kafka/libs/*' org.apache.kafka.tools.$class \
    --bootstrap-server $KAFKA_BOOTSTRAP_SERVERS "$@"
}
"""
WITH = "--command-config /tmp/client.properties"
SENDING = f"""
tool VerifiableProducer {WITH} --topic orders --value-prefix 7 --throughput {RATE} >/tmp/sent 2>&1 || true
tail -n 1 /tmp/sent
"""
STOP = """
for each in /proc/[0-9]*; do
  case $(tr '\\0' ' ' <$each/cmdline) in java*Verifiable*) kill ${each#/proc/} ;; esac
done
"""


def sections(services):
    return {
        "environment": {
            "tier": "local",
            "namespace": SPACE,
            "owners": ["platform"],
            "images": IMAGES,
            "profile": {"members": 3},
        },
        "components": {
            "controller": {"image": "sandbox.grayling.dev/grayling:dev", "installDefinitions": False},
            "kafka": {
                "storage": "1Gi",
                "tls": {},
                "resources": {"cpu": "50m", "memory": "640Mi"},
                "lagAlert": LAG,
                # Voters are patient: a busy machine is no reason for another leader.
                "extraConfig": {
                    "controller.quorum.election.timeout.ms": 5000,
                    "controller.quorum.fetch.timeout.ms": 10000,
                    "offsets.topic.num.partitions": 6,
                    "replica.lag.time.max.ms": 10000,
                },
            },
            "prometheus": {"storage": "256Mi", "scrapeInterval": "2s", "discovery": "sidecar"},
        },
        "services": {
            name: {
                "image": "docker.io/apache/kafka:4.3.1",
                "command": ["sleep", "infinity"],
                "port": None,
                "uses": ["kafka"],
                "resources": {"cpu": "50m", "memory": "384Mi"},
            }
            for name in services
        },
    }


def declared(services=("shop", "billing")):
    """The stack, its objects without the engine, and the releases of its services."""
    platform = Platform.read(sections(services), stack=SPACE, source="test")
    everything = platform.manifests()
    releases = [item for item in everything if item["kind"] == "GrayRelease"]
    kept = [item for item in everything if item["metadata"]["name"] != "controller" and item not in releases]
    return platform, kept, releases


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def stack(cluster_kubeconfig):
    """All of it, with a pod of each service and a topic of three copies."""
    async with await Cluster.open(kubeconfig=cluster_kubeconfig) as cluster:
        try:
            platform, kept, releases = declared()
            await Applier(cluster, INVENTORY, patience=PATIENCE).apply(kept)
            for release in releases:
                await cluster.create(client(release), manager="test")
            for release in releases:
                assert await eventually(lambda name=release["metadata"]["name"]: not_running(cluster, name), 180) == []
            await administer(cluster, "TopicCommand", "--create", "--topic", "orders", "--partitions", "6")
            yield cluster, platform
        finally:
            plan = await plan_teardown(cluster, INVENTORY)
            await tear_down(cluster, INVENTORY, plan, PATIENCE, lambda _line: None, without_engine=True)
            assert await cluster.find(NAMESPACE, SPACE) is None


def client(release):
    """A pod as the release's, under the name of the service."""
    template = release["spec"]["workload"]["template"]
    spec = {**template["spec"], "restartPolicy": "Never", "terminationGracePeriodSeconds": 1}
    for container in spec["containers"]:
        for key in ("livenessProbe", "readinessProbe", "startupProbe", "lifecycle"):
            container.pop(key, None)
    meta = {**template["metadata"], "name": f"client-{release['metadata']['name']}", "namespace": SPACE}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}


async def not_running(cluster, service):
    phase = (await cluster.get(POD, f"client-{service}", SPACE))["status"].get("phase")
    return [] if phase == "Running" else [phase]


async def shell(cluster, service, script):
    """What a script says in the pod of a service."""
    return await run(cluster, SPACE, f"client-{service}", service, "bash", "-c", CLIENT + script)


async def administer(cluster, tool, *arguments):
    """What one of Kafka's own tools says to its administrator."""
    pods = (await cluster.list(POD, SPACE, labels="app.kubernetes.io/component=exporter")).items
    name = next(each["metadata"]["name"] for each in pods if "deletionTimestamp" not in each["metadata"])
    config = "/etc/kafka/grayling/admin.properties"
    java = ("java", "-Xmx64m", "-XX:+UseSerialGC", "-cp", "/opt/kafka/libs/*", f"org.apache.kafka.tools.{tool}")
    server = ("--bootstrap-server", f"kafka.{SPACE}.svc:9093", "--command-config", config)
    return await run(cluster, SPACE, name, "accounts", *java, *server, *arguments)


async def test_it_serves_only_those_it_knows(stack):
    cluster, _ = stack
    sent = await shell(cluster, "shop", f"tool VerifiableProducer {WITH} --topic orders --max-messages 10")
    assert '"acked":10' in sent

    listing = f"tool TopicCommand {WITH} --list 2>&1 || true"
    assert "orders" in await shell(cluster, "billing", listing)
    wrong = f"sed -i 's/password=\"/password=\"x/' /tmp/client.properties; {listing}"
    assert "SaslAuthenticationException: Authentication failed" in await shell(cluster, "billing", wrong)
    plain = f"sed -i s/SASL_SSL/SASL_PLAINTEXT/ /tmp/client.properties; {listing}"
    assert "TimeoutException" in await shell(cluster, "billing", plain)
    unknown = f"sed -i /truststore/d /tmp/client.properties; {listing}"
    assert "SSLHandshakeException" in await shell(cluster, "billing", unknown)
    making = f"tool TopicCommand {WITH} --create --topic mine 2>&1 || true"
    assert "AuthorizationException" in await shell(cluster, "billing", making)


async def test_nothing_acknowledged_is_lost(stack):
    cluster, platform = stack
    sending = asyncio.create_task(shell(cluster, "shop", SENDING))
    start = "--group billing --topic orders --reset-offsets --to-earliest --execute"
    await administer(cluster, "consumer.group.ConsumerGroupCommand", *start.split())
    assert await eventually(lambda: sent_fewer(cluster, 500), 120) == []

    kill(BROKERS[1])
    assert await eventually(lambda: unseen(cluster, platform, "KafkaBrokerDown"), 60) == []
    assert await eventually(lambda: not_started_again(cluster, BROKERS[1]), 180) == []
    assert await eventually(lambda: not_whole(cluster), 300) == []
    restarted = {"spec": {"template": {"metadata": {"annotations": {"restarted": "once"}}}}}
    await cluster.merge_patch(STATEFUL_SET, "kafka-broker", SPACE, restarted, manager="test")
    assert await eventually(lambda: not_rolled(cluster), 600) == []
    assert await eventually(lambda: unseen(cluster, platform, "KafkaConsumerLag"), 60) == []

    await shell(cluster, "shop", STOP)
    summary = json.loads(await sending)
    sent = await acknowledged(cluster)
    assert len(sent) == summary["acked"] > ENOUGH
    await came_through(cluster, sent)
    assert await eventually(lambda: seen(cluster, platform, "KafkaConsumerLag"), 60) == []
    assert await eventually(lambda: not_whole(cluster), 60) == []
    await all_is_well(cluster, platform)


async def came_through(cluster, sent):
    """All of it, with the offsets of the group billing."""
    consume = f"tool consumer.ConsoleConsumer {WITH} --topic orders --group billing --timeout-ms 15000 2>/dev/null"
    found = (await shell(cluster, "billing", f"{consume} || true")).split()
    assert sent - set(found) == set()


def kill(broker):
    """The broker's own process, as nothing warns of."""
    wanted = f"HOST={broker}.kafka-nodes.{SPACE}.".encode()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            environment, program = (folder / "environ").read_bytes(), (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if b"kafka.Kafka" in program and any(each.startswith(wanted) for each in environment.split(b"\0")):
            found.append(int(folder.name))
    assert len(found) == 1, found
    os.kill(found[0], signal.SIGKILL)


async def acknowledged(cluster):
    """Values of the messages that brokers said to have."""
    lines = (await shell(cluster, "shop", "grep producer_send_success /tmp/sent")).splitlines()
    return {json.loads(line)["value"] for line in lines}


async def sent_fewer(cluster, than):
    count = int(await shell(cluster, "shop", "grep -c producer_send_success /tmp/sent || true"))
    return [] if count >= than else [count]


async def unseen(cluster, platform, name):
    """The alert, if its condition is not there."""
    rule = next(each for member in platform.components for each in member.alerts() if each.name == name)
    return [] if await series(cluster, SPACE, rule.expr) else [name]


async def seen(cluster, platform, name):
    """The alert, if its condition is there."""
    return [] if await unseen(cluster, platform, name) else [name]


async def not_whole(cluster):
    """Brokers that are not ready: gone, or behind."""
    pods = {each: await cluster.find(POD, each, SPACE) for each in BROKERS}
    return [name for name, pod in pods.items() if not ready(pod)]


async def not_started_again(cluster, name):
    """The broker, while its own process is the one from before."""
    (broker,) = (await cluster.get(POD, name, SPACE))["status"]["containerStatuses"]
    return [] if broker["restartCount"] else [name]


def ready(pod):
    found = (pod or {}).get("status", {}).get("conditions", [])
    return any(each["type"] == "Ready" and each["status"] == "True" for each in found)


async def not_rolled(cluster):
    found = await cluster.get(STATEFUL_SET, "kafka-broker", SPACE)
    status = found["status"]
    seen_by = status["observedGeneration"] >= found["metadata"]["generation"]
    done = seen_by and status.get("updatedReplicas") == status.get("readyReplicas") == len(BROKERS)
    return [] if done and status["currentRevision"] == status["updateRevision"] else [status]


async def test_an_account_goes_with_its_service(stack):
    cluster, _ = stack
    _, kept, _ = declared(services=("shop",))
    await Applier(cluster, INVENTORY, patience=PATIENCE).apply(kept)
    listing = f"tool TopicCommand {WITH} --list 2>&1 || true"
    assert "SaslAuthenticationException: Authentication failed" in await shell(cluster, "billing", listing)
    assert "orders" in await shell(cluster, "shop", listing)
