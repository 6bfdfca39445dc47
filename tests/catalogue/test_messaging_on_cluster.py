"""Brokers in the shape of production: who is let in, what is lost when members die, what their alerts see."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from kube.cluster import Cluster
from tests.catalogue import brokers
from tests.catalogue.brokers import SPACE, kill, python, roll, shell, until

pytestmark = [pytest.mark.extras("nats"), pytest.mark.timeout(900)]
NATS = (Path(__file__).parent / "nats_client.py").read_text()
STOP, LISTENS = "/tmp/stop", "/tmp/listens"  # noqa: S108 - in pods
STREAM = {"name": "LOAD", "subjects": ["load"], "num_replicas": 3, "storage": "file", "duplicate_window": 600 * 10**9}


@pytest.fixture(scope="module")
def nats():
    return brokers.declared("nats", "64Mi")


@pytest.fixture(scope="module")
async def cluster(cluster_kubeconfig, nats):
    async with await Cluster.open(kubeconfig=cluster_kubeconfig) as opened:
        await brokers.up(opened, nats)
        yield opened
        await brokers.down(opened)


def asked(cluster, service, *call):
    return python(cluster, service, NATS, *call)


async def test_nats_lets_in_who_it_knows_and_keeps_accounts_apart(cluster):
    doors = await asked(cluster, "orders", "doors")
    assert doors == {
        "right": "in",
        "wrong password": "-ERR 'Authorization Violation'",
        "unknown authority": "SSLCertVerificationError",
        "plain": "-ERR 'Secure Connection - TLS Required'",
    }
    apart = asyncio.create_task(asked(cluster, "sensors", "listen", "news"))
    await until(lambda: exists(cluster, "sensors", LISTENS))
    beside = asyncio.create_task(asked(cluster, "billing", "hear", "news"))

    async def told():
        await asked(cluster, "orders", "tell", "news", "of orders")
        return beside.done()

    await until(told)
    await shell(cluster, "sensors", "touch", STOP)
    assert (await beside, await apart) == ("of orders", "own")


async def exists(cluster, service, path):
    return "yes" in await shell(cluster, service, "sh", "-c", f"[ -e {path} ] && echo yes || true")


async def test_nats_loses_no_acknowledged_message_when_members_die_and_are_replaced(cluster):
    made = await asked(cluster, "orders", "ask", "$JS.API.STREAM.CREATE.LOAD", json.dumps(STREAM))
    assert "error" not in made
    loading = asyncio.create_task(asked(cluster, "orders", "load", "load"))
    await until(lambda: holds(cluster, 100))
    await kill(cluster, "nats-1", "nats-server")
    await until(lambda: holds(cluster, 200))
    await roll(cluster, "nats")
    await shell(cluster, "orders", "touch", STOP)
    sent = (await loading)["acknowledged"]
    assert await messages(cluster) == sent
    assert await asked(cluster, "billing", "everything", "LOAD", sent) == {"messages": sent, "in order": True}
    assert (await asked(cluster, "sensors", "ask", "$JS.API.STREAM.NAMES"))["total"] == 0


async def messages(cluster):
    return (await asked(cluster, "billing", "ask", "$JS.API.STREAM.INFO.LOAD"))["state"]["messages"]


async def holds(cluster, count):
    return await messages(cluster) >= count


async def test_nats_is_backed_up_and_restored_as_its_runbook_says(cluster):
    before = await messages(cluster)
    for line in ("backup LOAD /tmp/backup", "rm LOAD -f", "restore /tmp/backup"):
        await shell(cluster, "orders", "sh", "-c", f'nats --server "$NATS_URL" --tlsca "$NATS_CA_FILE" stream {line}')
    assert await asked(cluster, "billing", "everything", "LOAD", before) == {"messages": before, "in order": True}


async def test_nats_tells_of_its_faults(cluster, nats):
    member = next(each for each in nats.components if each.name == "nats")
    assert await brokers.loud(cluster, member) == []

    await refused(cluster)
    filled = {"name": "FULL", "subjects": ["full"], "num_replicas": 3}
    await asked(cluster, "orders", "ask", "$JS.API.STREAM.CREATE.FULL", json.dumps(filled))
    assert "error" not in await asked(cluster, "orders", "fill", "full", 46)
    assert await brokers.unseen(cluster, "NatsApiErrors", "NatsStoreFull") == []
    await asked(cluster, "orders", "ask", "$JS.API.STREAM.DELETE.FULL")

    await cluster.merge_patch(brokers.STATEFUL_SET, "nats", SPACE, {"spec": {"replicas": 1}}, manager="test")
    assert await brokers.unseen(cluster, "NatsDown", "NatsNoQuorum") == []
    await cluster.merge_patch(brokers.STATEFUL_SET, "nats", SPACE, {"spec": {"replicas": 3}}, manager="test")
    assert await brokers.heard(cluster, "NatsDown", "NatsNoQuorum", "NatsStoreFull") == []


async def refused(cluster):
    """A stream that is not there is asked for."""
    answer = await asked(cluster, "orders", "asks", "$JS.API.STREAM.INFO.NOPE", 60)
    assert answer["error"]["code"] == 404
