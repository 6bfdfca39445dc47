"""Brokers in the shape of production: who is let in, what is lost when members die, what their alerts see."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
import pytest_asyncio

from kube.cluster import Cluster
from tests.catalogue import brokers
from tests.catalogue.brokers import SPACE, kill, python, roll, shell, until
from tests.components.runbook import Terminal, blocks

pytestmark = [pytest.mark.extras("nats", "mqtt"), pytest.mark.timeout(900), pytest.mark.asyncio(loop_scope="module")]
MQTT = (Path(__file__).parent / "mqtt_client.py").read_text()
NATS = (Path(__file__).parent / "nats_client.py").read_text()
STOP, LISTENS, ENOUGH, SENT = (f"/tmp/{name}" for name in ("stop", "listens", "enough", "sent"))  # noqa: S108 - in pods
STREAM = {"name": "LOAD", "subjects": ["load"], "num_replicas": 3, "storage": "file", "duplicate_window": 600 * 10**9}


OF_HEADQUARTERS = {
    "username": ("headquarters-auth", "username"),
    "password": ("headquarters-auth", "password"),
    "ca.crt": ("headquarters-tls", "ca.crt"),
}


def declared():
    """Both brokers, and another MQTT that the first one has a bridge to."""
    components, services = brokers.declared(nats={"storage": "64Mi"}, mqtt={"storage": "64Mi", "maxQueued": 1000})
    bridge = components["mqtt"]["bridges"]["headquarters"]
    bridge["address"] = f"headquarters.{SPACE}.svc:8883"
    pods = {"app.kubernetes.io/instance": "headquarters"}
    bridge["egress"] = {"pods": pods, "ports": [8883], "why": "stands in for another site"}
    components["headquarters"] = {"kind": "mqtt", "storage": "64Mi", "tls": {}}
    services["orders"]["uses"].append("headquarters")
    return brokers.platform(components, services)


@pytest.fixture(scope="module")
def members():
    return {each.name: each for each in declared().components}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cluster(cluster_kubeconfig):
    async with await Cluster.open(kubeconfig=cluster_kubeconfig) as opened:
        secret = brokers.copied(opened, "mqtt-headquarters", OF_HEADQUARTERS)
        await brokers.up(opened, declared(), secret)
        yield opened
        await brokers.down(opened)


def asked(cluster, service, *call):
    return python(cluster, service, NATS, *call)


def mqtt(cluster, service, *call):
    return python(cluster, service, MQTT, *call)


async def test_nats_lets_in_who_it_knows_and_keeps_accounts_apart(cluster):
    doors = await asked(cluster, "orders", "doors")
    assert doors.pop("plain") in {"closed", "ConnectionResetError"}
    assert doors == {
        "right": "in",
        "wrong password": "-ERR 'Authorization Violation'",
        "unknown authority": "SSLCertVerificationError",
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


async def forget(cluster):
    """What earlier tests told the clients."""
    for service in ("orders", "sensors"):
        await shell(cluster, service, "rm", "-f", STOP, LISTENS, ENOUGH, SENT)


async def exists(cluster, service, path):
    return "yes" in await shell(cluster, service, "sh", "-c", f"[ -e {path} ] && echo yes || true")


async def test_nats_loses_no_acknowledged_message_when_members_die_and_are_replaced(cluster):
    await forget(cluster)
    made = await asked(cluster, "orders", "ask", "$JS.API.STREAM.CREATE.LOAD", json.dumps(STREAM))
    assert "error" not in made
    loading = asyncio.create_task(asked(cluster, "orders", "load", "load"))
    await until(lambda: holds(cluster, 500))
    await kill(cluster, "nats-1", "nats-server")
    await until(lambda: holds(cluster, 1000))
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


async def test_nats_tells_of_its_faults(cluster, members):
    assert await brokers.loud(cluster, members["nats"]) == []

    assert await brokers.unseen(cluster, "NatsApiErrors", again=lambda: refused(cluster)) == []
    filled = {"name": "FULL", "subjects": ["full"], "num_replicas": 3}
    await asked(cluster, "orders", "ask", "$JS.API.STREAM.CREATE.FULL", json.dumps(filled))
    assert "error" not in await asked(cluster, "orders", "fill", "full", 46)
    assert await brokers.unseen(cluster, "NatsStoreFull") == []
    await asked(cluster, "orders", "ask", "$JS.API.STREAM.DELETE.FULL")

    await brokers.scale(cluster, "nats", 1)
    assert await brokers.unseen(cluster, "NatsDown", "NatsNoQuorum") == []
    await brokers.scale(cluster, "nats", 3)
    assert await brokers.heard(cluster, "NatsDown", "NatsNoQuorum", "NatsStoreFull") == []


async def refused(cluster):
    """A stream that is not there is asked for."""
    answer = await asked(cluster, "orders", "asks", "$JS.API.STREAM.INFO.NOPE", 60)
    assert answer["error"]["code"] == 404


async def test_mqtt_lets_in_who_it_knows_and_to_its_topics(cluster):
    await forget(cluster)
    doors = await mqtt(cluster, "orders", "doors")
    assert doors.pop("plain") in {"closed", "ConnectionResetError"}
    assert doors == {"right": "in", "wrong password": "refused 5", "unknown authority": "SSLCertVerificationError"}
    for listener, speaker, topics in (
        ("orders", "sensors", ("office/door", "plant/door")),
        ("sensors", "orders", ("plant/door", "commands/door")),
    ):
        hearing = asyncio.create_task(mqtt(cluster, listener, "hear", "#"))
        await until(lambda listener=listener: exists(cluster, listener, LISTENS))
        await mqtt(cluster, speaker, "say", *topics)
        assert await hearing == topics[-1]


async def test_mqtt_loses_no_message_of_quality_one_when_the_broker_dies_and_is_replaced(cluster):
    await forget(cluster)
    assert await mqtt(cluster, "orders", "session", "MQTT", "keeper", "plant/load") == 1
    gathering = asyncio.create_task(mqtt(cluster, "orders", "gather", "MQTT", "keeper"))
    loading = asyncio.create_task(mqtt(cluster, "sensors", "load", "plant/load"))
    await until(lambda: sent(cluster, 300))
    await kill(cluster, "mqtt-0", "mosquitto")
    await until(lambda: sent(cluster, 600))
    await roll(cluster, "mqtt")
    await shell(cluster, "sensors", "touch", STOP)
    await shell(cluster, "orders", "sh", "-c", f"echo {await loading} > {ENOUGH}")
    assert await gathering == []


async def sent(cluster, count):
    said = await shell(cluster, "sensors", "sh", "-c", f"cat {SENT} 2>/dev/null || echo 0")
    return int(said.strip() or 0) >= count


async def test_mqtt_keeps_for_a_session_that_is_away_what_it_acknowledged(cluster):
    await forget(cluster)
    await mqtt(cluster, "orders", "session", "MQTT", "sleeper", "plant/night")
    await mqtt(cluster, "sensors", "some", "plant/night", 200)
    await kill(cluster, "mqtt-0", "mosquitto")
    await shell(cluster, "orders", "sh", "-c", f"echo 200 > {ENOUGH}")
    assert await mqtt(cluster, "orders", "gather", "MQTT", "sleeper") == []


async def test_mqtt_is_backed_up_and_restored_as_its_runbook_says(cluster, kubectl, cluster_kubeconfig, tmp_path):
    night = Terminal(kubectl, cluster_kubeconfig, SPACE, tmp_path)
    backup, restore = blocks("mqtt")
    await forget(cluster)
    await mqtt(cluster, "sensors", "keep", "plant/kept", "of yesterday")
    await mqtt(cluster, "orders", "session", "MQTT", "away", "plant/waits")
    await mqtt(cluster, "sensors", "some", "plant/waits", 50)
    await night.paste(backup)
    assert "mqtt runs, or there is none" in await night.paste("hold mqtt 0", well=False)

    await mqtt(cluster, "sensors", "keep", "plant/kept", "of today")
    await mqtt(cluster, "orders", "leave", "MQTT", "away")
    await night.paste(restore)
    assert await mqtt(cluster, "orders", "kept", "plant/kept") == "of yesterday"
    await shell(cluster, "orders", "sh", "-c", f"echo 50 > {ENOUGH}")
    assert await mqtt(cluster, "orders", "gather", "MQTT", "away") == []

    await mqtt(cluster, "orders", "leave", "MQTT", "away")
    await mqtt(cluster, "sensors", "keep", "plant/kept", "")


async def test_mqtt_bridge_catches_up_after_an_outage(cluster, members):
    await forget(cluster)
    assert await brokers.loud(cluster, members["mqtt"]) == []
    await mqtt(cluster, "orders", "session", "HEADQUARTERS", "collector", "plant/far")
    await brokers.scale(cluster, "headquarters", 0)
    assert await brokers.unseen(cluster, "MqttBridgeDown") == []
    await mqtt(cluster, "sensors", "some", "plant/far", 200)
    await brokers.scale(cluster, "headquarters", 1)
    await shell(cluster, "orders", "sh", "-c", f"echo 200 > {ENOUGH}")
    assert await mqtt(cluster, "orders", "gather", "HEADQUARTERS", "collector") == []
    assert await brokers.heard(cluster, "MqttBridgeDown") == []


async def test_mqtt_tells_of_its_faults(cluster):
    await mqtt(cluster, "orders", "session", "MQTT", "lazy", "plant/much")
    await mqtt(cluster, "sensors", "some", "plant/much", 1200)
    assert await brokers.unseen(cluster, "MqttDropsMessages") == []
    await brokers.scale(cluster, "mqtt", 0)
    assert await brokers.unseen(cluster, "MqttDown") == []
    await brokers.scale(cluster, "mqtt", 1)
    assert await brokers.heard(cluster, "MqttDown") == []
