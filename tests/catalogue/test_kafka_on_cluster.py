"""Kafka's own brokers: three that vote, with TLS and accounts, tried by Kafka's own clients from pods of services."""

from __future__ import annotations

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
from tests.components.on_prometheus import eventually

pytestmark = [pytest.mark.extras("kafka"), pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(900)]

SPACE = "kafka-test"
INVENTORY = Inventory(SPACE, SPACE)
PATIENCE = Patience(600)
STATEFUL_SET = Kind("apps/v1", "StatefulSet", "statefulsets")
BROKERS = [f"kafka-broker-{each}" for each in range(3)]
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
