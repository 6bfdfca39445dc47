"""Flink between two topics of a Kafka, by SQL of the stack file: what comes in goes out once, whatever dies."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal

import pytest
import pytest_asyncio

from components.deploy.apply import Applier
from components.deploy.waiting import Patience
from kube.cluster import Cluster
from kube.kinds import POD, Kind
from tests.catalogue import brokers, kafka_client
from tests.catalogue.brokers import INVENTORY, SPACE, until
from tests.catalogue.kafka_client import administer, shell
from tests.components.on_prometheus import series

pytestmark = [
    pytest.mark.long,
    pytest.mark.extras("kafka", "flink"),
    pytest.mark.timeout(900),
    pytest.mark.asyncio(loop_scope="module"),
]
PATIENCE_S = 400
DEPLOYMENT = Kind("apps/v1", "Deployment", "deployments")
LARGE, LARGER = 1000, 1500
SQL = """\
CREATE TABLE orders (id STRING, total DECIMAL(12, 2))
  WITH ('connector' = 'kafka', 'topic' = 'orders', ${kafka}, 'properties.group.id' = 'large-orders',
        'scan.startup.mode' = 'group-offsets', 'properties.auto.offset.reset' = 'earliest', 'format' = 'json');
CREATE TABLE large_orders (id STRING, total DECIMAL(12, 2))
  WITH ('connector' = 'kafka', 'topic' = 'large-orders', ${kafka}, 'format' = 'json',
        'sink.delivery-guarantee' = 'exactly-once', 'sink.transactional-id-prefix' = 'large-orders');
INSERT INTO large_orders SELECT id, total FROM orders WHERE total > %d;
"""
COUNT = """
CREATE TABLE orders (id STRING, total DECIMAL(12, 2))
  WITH ('connector' = 'kafka', 'topic' = 'orders', ${kafka}, 'properties.group.id' = 'counting',
        'scan.startup.mode' = 'earliest-offset', 'format' = 'json');
CREATE TABLE counted (what STRING, many BIGINT, PRIMARY KEY (what) NOT ENFORCED)
  WITH ('connector' = 'upsert-kafka', 'topic' = 'counted', ${kafka}, 'key.format' = 'raw', 'value.format' = 'json');
INSERT INTO counted SELECT 'orders', COUNT(*) FROM orders GROUP BY 'orders';
"""
# So many orders from a number on, 100 a second; the program ends when the brokers have all.
SEND = """
for ((each = %d; each < %d; each++)); do
  printf '{"id": "%%d", "total": %%d.50}\\n' $each $((each %% 2000))
  read -rt 0.01 <> <(:) || true
done | tool ConsoleProducer --topic orders --producer-property acks=all
echo sent
"""
READ = """
tool consumer.ConsoleConsumer --topic %s --group read-%s --from-beginning --timeout-ms 15000 \\
  --command-property isolation.level=read_committed 2>/tmp/told || true
"""


def declared(**jobs):
    """A Kafka of one, a production-shaped Flink with these jobs, a Prometheus, and two services."""
    components, _ = brokers.declared()
    components["prometheus"]["scrapeInterval"] = "2s"
    components["kafka"] = {
        "members": 1,
        "controllers": "combined",
        "storage": "1Gi",
        "tls": {},
        "resources": {"cpu": "50m", "memory": "640Mi"},
        "extraConfig": {"offsets.topic.num.partitions": 1, "transaction.state.log.num.partitions": 1},
    }
    components["flink"] = {
        "uses": ["kafka"],
        "taskManagers": 2,
        "storage": "1Gi",
        "checkpointInterval": "2s",
        "lagAlert": 50_000,
        "jobs": jobs,
    }
    services = {
        name: {"image": "registry.example.com/shop/orders:1.4.2", "uses": ["kafka"]} for name in ("orders", "billing")
    }
    return brokers.platform(components, services)


def job(least):
    return {"parallelism": 2, "sql": SQL % least}


async def applied(cluster, **jobs):
    """The stack with these jobs, and they run."""
    ours, _ = brokers.parts(declared(**jobs))
    await Applier(cluster, INVENTORY, patience=Patience(PATIENCE_S)).apply(ours)
    await until(lambda: running(cluster, {each.replace("_", "-") for each in jobs}), PATIENCE_S)


async def running(cluster, names):
    """Whether just these are declared, and run."""
    found = await series(cluster, SPACE, "flink_declared_job_running")
    return {each["metric"]["flink_job"] for each in found if each["value"][1] == "1"} == names


async def send(cluster, first, last):
    assert "sent" in await shell(cluster, "orders", SEND % (first, last))


async def shown(cluster, topic, reader):
    """What those see who read what is committed."""
    lines = (await shell(cluster, "billing", READ % (topic, reader))).splitlines()
    return [json.loads(line) for line in lines if line.startswith("{")]


def expected(first, last, least):
    return {str(each) for each in range(first, last) if Decimal(each % 2000) + Decimal("0.5") > least}


async def came(cluster, wanted, reader):
    """The ids that were shown, once all that are wanted are among them."""
    found = []
    for each in range(6):
        found = [order["id"] for order in await shown(cluster, "large-orders", f"{reader}-{each}")]
        if wanted <= set(found):
            break
    return found


async def pods(cluster, part):
    found = await cluster.list(
        POD, SPACE, labels=f"app.kubernetes.io/instance=flink,app.kubernetes.io/component={part}"
    )
    return [each for each in found.items if "deletionTimestamp" not in each["metadata"]]


async def rolled(cluster):
    """Every TaskManager is replaced."""
    before = {each["metadata"]["uid"] for each in await pods(cluster, "taskmanager")}
    stamp = {"spec": {"template": {"metadata": {"annotations": {"tests/restarted": str(sorted(before))}}}}}
    await cluster.merge_patch(DEPLOYMENT, "flink-taskmanager", SPACE, stamp, manager="kubectl")

    async def fresh():
        found = await pods(cluster, "taskmanager")
        new = [each for each in found if each["metadata"]["uid"] not in before]
        return len(new) == len(found) == 2 and all([await brokers.ready(cluster, pod_name(each)) for each in new])

    await until(fresh, PATIENCE_S)


def pod_name(pod):
    return pod["metadata"]["name"]


@pytest.fixture(scope="module")
def flink():
    return next(each for each in declared(large=job(LARGE)).components if each.name == "flink")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cluster(cluster_kubeconfig):
    async with await Cluster.open(kubeconfig=cluster_kubeconfig) as opened:
        try:
            await brokers.up(opened, declared(), tools=kafka_client.IMAGE, seconds=PATIENCE_S)
            for topic in ("orders", "large-orders", "counted"):
                await administer(opened, "TopicCommand", "--create", "--topic", topic, "--partitions", "2")
            await applied(opened, large=job(LARGE))
            yield opened
        finally:
            await brokers.down(opened)


async def test_each_record_comes_out_once_whatever_is_killed_or_replaced(cluster):
    sending = asyncio.create_task(send(cluster, 0, 6000))
    await asyncio.sleep(5)
    (victim, _) = [pod_name(each) for each in await pods(cluster, "taskmanager")]
    await brokers.kill(cluster, victim, "java", PATIENCE_S)
    await rolled(cluster)
    seen = asyncio.Event()
    dying = asyncio.create_task(brokers.killed_until(cluster, "flink-jobmanager-0", "java", seen, PATIENCE_S))
    try:
        assert await brokers.unseen(cluster, "FlinkDown") == []
    finally:
        seen.set()
    await dying
    await sending

    found = await came(cluster, expected(0, 6000, LARGE), "killed")

    assert set(found) == expected(0, 6000, LARGE)
    assert len(found) == len(set(found))


async def test_a_changed_job_goes_on_and_one_that_was_away_catches_up(cluster):
    await applied(cluster, large=job(LARGER))
    await send(cluster, 10_000, 12_000)
    changed = expected(10_000, 12_000, LARGER)
    await came(cluster, changed, "changed")
    await applied(cluster)
    await send(cluster, 20_000, 22_000)
    await applied(cluster, large=job(LARGER))

    back = expected(20_000, 22_000, LARGER)
    found = [each for each in await came(cluster, back, "back") if int(each) >= 10_000]

    assert set(found) == changed | back
    assert len(found) == len(set(found))


async def test_what_is_counted_outlives_a_change_that_flink_does_not_take(cluster):
    """State is kept: the count goes on, where a broken statement is refused and the job that runs is left alone."""
    await applied(cluster, large=job(LARGER), counting={"sql": COUNT})
    broken = {"sql": COUNT.replace("COUNT(*)", "COUNTED(*)")}
    ours, _ = brokers.parts(declared(large=job(LARGER), counting=broken))
    await Applier(cluster, INVENTORY, patience=Patience(PATIENCE_S)).apply(ours)
    assert await brokers.unseen(cluster, "FlinkJobNotRunning") == []

    await send(cluster, 30_000, 30_500)

    async def counted():
        told = [each["many"] for each in await shown(cluster, "counted", "counted") if each.get("what") == "orders"]
        return told and max(told)

    assert await until(counted, 120) == 6000 + 2000 + 2000 + 500
    await applied(cluster, large=job(LARGER))
    assert await brokers.heard(cluster, "FlinkJobNotRunning") == []


async def test_its_panels_have_data_and_no_alert_waits_when_all_is_well(cluster, flink):
    assert await brokers.loud(cluster, flink) == []
