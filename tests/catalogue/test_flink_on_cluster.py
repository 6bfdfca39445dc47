"""Flink itself with a Kafka beside it: what comes in goes out once, whoever is killed and whatever is changed."""

from __future__ import annotations

import json
from collections import Counter
from types import SimpleNamespace

import pytest
import pytest_asyncio
import yaml

from components.deploy.apply import Applier
from components.deploy.inventory import Inventory
from components.deploy.teardown import plan_teardown, tear_down
from components.deploy.waiting import Patience
from components.stack.platform import Platform
from kube.cluster import Cluster
from kube.kinds import DEPLOYMENT, NAMESPACE, POD
from tests.catalogue.killing import kill_program
from tests.components.conftest import ROOT
from tests.components.inside import run
from tests.components.on_prometheus import alerts, eventually, has_data, wanted

pytestmark = [
    pytest.mark.extras("kafka", "flink"),
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.timeout(900),
]
SPACE = "flink-test"
INVENTORY, PATIENCE = Inventory(SPACE, SPACE), Patience(400)
SECONDS = 240
TABLE = "CREATE TABLE {0} (v STRING) WITH ('connector' = 'kafka', 'topic' = '{0}', ${{kafka}}, 'format' = 'raw', {1})"
READ = "'scan.startup.mode' = 'earliest-offset', 'properties.group.id' = 'copy'"
WRITE = (
    "'sink.delivery-guarantee' = 'exactly-once', 'sink.transactional-id-prefix' = 'copy', "
    "'properties.transaction.timeout.ms' = '60000'"
)
CLIENT = """\
cat >/tmp/client.properties <<END
security.protocol=$KAFKA_SECURITY_PROTOCOL
sasl.mechanism=$KAFKA_SASL_MECHANISM
sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required \\
  username="$KAFKA_USERNAME" password="$KAFKA_PASSWORD";
ssl.truststore.type=PEM
ssl.truststore.location=$KAFKA_CA_FILE
isolation.level=read_committed
END
tool() {
  class=$1
  shift
  java -Xmx96m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -cp '/opt/kafka/libs/*' org.apache.kafka.tools.$class \
    --bootstrap-server $KAFKA_BOOTSTRAP_SERVERS "$@"
}
"""


def declared(begin="v1-"):
    """A Kafka of one, the Flink of the example with one TaskManager, and one job that writes ``begin`` before all."""
    images = yaml.safe_load((ROOT / "stacks" / "overlays" / "sandbox.yaml").read_text())["images"]
    sql = "; ".join(
        [
            TABLE.format("orders", READ),
            TABLE.format("copies", WRITE),
            f"INSERT INTO copies SELECT CONCAT('{begin}', v) FROM orders",  # noqa: S608 - our own words
        ]
    )
    flink = {
        "uses": ["kafka"],
        "taskManagers": 1,
        "storage": "256Mi",
        "checkpointInterval": "1s",
        "jobs": {"copy": {"sql": sql}},
    }
    engine = {"image": "sandbox.grayling.dev/grayling:dev", "installDefinitions": False}
    client = {
        "image": "docker.io/apache/kafka:4.3.1",
        "command": ["sleep", "infinity"],
        "port": None,
        "uses": ["kafka"],
        "resources": {"cpu": "50m", "memory": "384Mi"},
    }
    sections = {
        "environment": {"tier": "local", "namespace": SPACE, "owners": ["platform"], "images": images},
        "components": {
            "controller": engine,
            "kafka": {"storage": "256Mi", "tls": {}, "resources": {"cpu": "50m", "memory": "640Mi"}},
            "flink": flink,
            "prometheus": {"storage": None, "scrapeInterval": "2s", "discovery": "sidecar"},
        },
        "services": {"client": client},
    }
    return Platform.read(sections, stack=SPACE, source="test")


def parts(platform):
    """Its objects without the engine, and the pod of its client."""
    everything = platform.manifests()
    (release,) = (each for each in everything if each["kind"] == "GrayRelease")
    ours = [each for each in everything if each is not release and each["metadata"]["name"] != "controller"]
    template = release["spec"]["workload"]["template"]
    for container in template["spec"]["containers"]:
        for key in ("livenessProbe", "readinessProbe", "startupProbe", "lifecycle"):
            container.pop(key, None)
    meta = {**template["metadata"], "name": "client", "namespace": SPACE}
    spec = {**template["spec"], "terminationGracePeriodSeconds": 0}
    return ours, {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def cluster(cluster_kubeconfig):
    async with await Cluster.open(kubeconfig=cluster_kubeconfig) as opened:
        try:
            ours, client = parts(declared())
            # Topics first: a job that finds none starts again and again.
            first = [each for each in ours if each["metadata"]["labels"].get("app.kubernetes.io/instance") != "flink"]
            await Applier(opened, INVENTORY, patience=PATIENCE).apply(first)
            await opened.create(client, manager="test")

            async def waits():
                phase = (await opened.get(POD, "client", SPACE))["status"].get("phase")
                return [] if phase == "Running" else [phase]

            assert await eventually(waits, SECONDS) == []
            for topic in ("orders", "copies"):
                await topic_made(opened, topic)
            await Applier(opened, INVENTORY, patience=PATIENCE).apply(ours)
            yield opened
        finally:
            plan = await plan_teardown(opened, INVENTORY)
            await tear_down(opened, INVENTORY, plan, PATIENCE, lambda _line: None, without_engine=True)
            assert await opened.find(NAMESPACE, SPACE) is None


async def topic_made(cluster, topic):
    (pod,) = await pods(cluster, "kafka", "exporter")
    config = "/etc/kafka/grayling/admin.properties"
    java = ("java", "-Xmx64m", "-XX:+UseSerialGC", "-cp", "/opt/kafka/libs/*", "org.apache.kafka.tools.TopicCommand")
    server = ("--bootstrap-server", f"kafka.{SPACE}.svc:9093", "--command-config", config)
    made = ("--create", "--topic", topic, "--partitions", "2")
    await run(cluster, SPACE, pod["metadata"]["name"], "accounts", *java, *server, *made)


async def pods(cluster, name, part):
    labels = f"app.kubernetes.io/instance={name},app.kubernetes.io/component={part}"
    found = (await cluster.list(POD, SPACE, labels=labels)).items
    return [each for each in found if "deletionTimestamp" not in each["metadata"]]


async def shell(cluster, script):
    return await run(cluster, SPACE, "client", "client", "bash", "-c", CLIENT + script)


async def send(cluster, first, count):
    """That many numbers, each once, all acknowledged."""
    script = (
        f"tool VerifiableProducer --command-config /tmp/client.properties --topic orders "
        f"--max-messages {count} --throughput 200 --value-prefix {first}"
    )
    assert f'"acked":{count}' in await shell(cluster, script)


async def received(cluster):
    """What has come out and counts."""
    script = "tool consumer.ConsoleConsumer --topic copies --from-beginning --timeout-ms 8000 "
    told = await shell(cluster, script + "--command-config /tmp/client.properties 2>/dev/null || true")
    return Counter(line for line in told.splitlines() if line.startswith("v"))


async def runs(cluster):
    """Ids of jobs that run."""
    (pod,) = await pods(cluster, "flink", "jobmanager")
    told = await cluster.pod_text(SPACE, pod["metadata"]["name"], 8081, "/jobs/overview")
    return [each["jid"] for each in json.loads(told)["jobs"] if each["state"] == "RUNNING"]


async def the_one(cluster, *, but=()):
    """The id of the one job that runs, which is none of these."""
    found = []

    async def look():
        found[:] = await runs(cluster)
        return [] if len(found) == 1 and found[0] not in but else found or ["none"]

    assert await eventually(look, SECONDS) == []
    return found[0]


async def complete(cluster, count):
    async def look():
        got = await received(cluster)
        return [] if got.total() >= count else [got.total()]

    assert await eventually(look, 30) == []
    return await received(cluster)


async def restarted(cluster, part, container):
    """A program of a pod is killed, and has come back."""
    (pod,) = await pods(cluster, "flink", part)

    def count(told):
        return next(each["restartCount"] for each in told["status"]["containerStatuses"] if each["name"] == container)

    before, program = count(pod), "python3" if container == "jobs" else "java"
    assert kill_program(pod, program) >= 1

    async def look():
        told = await cluster.get(POD, pod["metadata"]["name"], SPACE)
        well = all(each["ready"] for each in told["status"]["containerStatuses"])
        return [] if count(told) > before and well else ["not yet"]

    assert await eventually(look, SECONDS) == []


async def test_what_comes_in_goes_out_once_though_a_task_manager_is_killed(cluster):
    job = await the_one(cluster)
    await send(cluster, 1, 400)
    await restarted(cluster, "taskmanager", "taskmanager")
    await send(cluster, 2, 400)
    assert await the_one(cluster) == job
    got = await complete(cluster, 800)
    assert got == {f"v1-{begin}.{number}": 1 for begin in (1, 2) for number in range(400)}


async def test_who_keeps_the_jobs_may_die_and_the_job_manager_too(cluster):
    job = await the_one(cluster)
    await restarted(cluster, "jobs", "jobs")
    assert await the_one(cluster) == job
    await restarted(cluster, "jobmanager", "jobmanager")
    assert await the_one(cluster) == job
    await send(cluster, 3, 200)
    assert (await complete(cluster, 1000)).keys() >= {f"v1-3.{number}" for number in range(200)}


async def test_a_changed_job_goes_on_where_the_old_one_stopped(cluster):
    job = await the_one(cluster)
    ours, _ = parts(declared("v2-"))
    await Applier(cluster, INVENTORY, patience=PATIENCE).apply(ours)
    changed = await the_one(cluster, but=[job])
    assert (changed[:16], changed[16:24] == job[16:24]) == (job[:16], False)
    await send(cluster, 4, 200)
    got = await complete(cluster, 1200)
    every = {f"v1-{begin}.{number}": 1 for begin, count in ((1, 400), (2, 400), (3, 200)) for number in range(count)}
    assert got == every | {f"v2-4.{number}": 1 for number in range(200)}
    (pod,) = await pods(cluster, "flink", "jobs")
    said = await cluster.logs(SPACE, pod["metadata"]["name"], container="jobs", tail=200)
    assert "copy: stopped, savepoint" in said
    assert "copy: started from /data/flink/savepoints/copy/savepoint-" in said


async def test_metrics_panels_and_alerts_tell_of_a_fault(cluster):
    platform = declared("v2-")
    (flink,) = (each for each in platform.components if each.kind == "flink")
    own = {alert.name for alert in flink.alerts()}

    async def loud():
        told = [
            what
            for what, expr in wanted(SimpleNamespace(components=[flink]))
            if not await has_data(cluster, SPACE, expr, numbers=": panel " in what)
        ]
        return [*told, *(own & (await alerts(cluster, SPACE)).keys())]

    assert await eventually(loud, SECONDS) == []
    await cluster.merge_patch(DEPLOYMENT, "flink-taskmanager", SPACE, {"spec": {"replicas": 0}}, manager="test")

    async def unseen():
        return sorted({"FlinkJobNotRunning", "FlinkTaskManagersMissing"} - (await alerts(cluster, SPACE)).keys())

    assert await eventually(unseen, SECONDS) == []
