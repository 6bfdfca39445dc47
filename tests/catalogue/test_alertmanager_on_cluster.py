"""Three members of Alertmanager beside a Prometheus: what arrives at whom, and what outlives a killed member."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from components.deploy.apply import Applier
from components.deploy.inventory import Inventory
from components.deploy.teardown import plan_teardown, tear_down
from components.deploy.waiting import Patience
from components.stack.platform import Platform
from kube.cluster import Cluster
from kube.kinds import NAMESPACE, POD, SERVICE, Kind
from tests.catalogue.killing import kill_program
from tests.components.inside import run
from tests.components.on_prometheus import alerts, eventually, series_are_there

pytestmark = pytest.mark.asyncio(loop_scope="module")

SPACE = "alertmanager-test"
INVENTORY = Inventory(SPACE, SPACE)
HOOK = f"http://hook.{SPACE}.svc:8080"
STATEFUL_SET = Kind("apps/v1", "StatefulSet", "statefulsets")
FIRES = "absent(nothing_has_this_name)"
LABELS = {"app.kubernetes.io/managed-by": "grayling", "app.kubernetes.io/name": "hook"}
SECTIONS = {
    "environment": {
        "tier": "local",
        "namespace": SPACE,
        "owners": ["platform", "shop", "nobody asked"],
        "images": {
            "quay.io/prometheus/prometheus": "sandbox.grayling.dev/prometheus:2.42",
            "quay.io/prometheus/alertmanager": "sandbox.grayling.dev/alertmanager:0.25",
            "docker.io/library/python": "sandbox.grayling.dev/python:3.11",
        },
    },
    "secrets": {"hook": {"token": "s3cret-of-the-hook"}},
    "components": {
        "alertmanager": {
            "members": 3,
            "receivers": {
                "platform": {"webhook": {"url": f"{HOOK}/platform"}},
                "shop": {"webhook": {"url": f"{HOOK}/shop", "token": {"secret": "hook", "key": "token"}}},
                "rest": {"webhook": {"url": f"{HOOK}/rest"}},
                "heartbeat": {"webhook": {"url": f"{HOOK}/heartbeat"}},
                "broken": {"webhook": {"url": f"{HOOK}/broken"}},
            },
            "default": ["rest"],
            "owners": {
                "platform": {"receivers": ["platform"], "critical": ["platform", "broken"]},
                "shop": {"receivers": ["shop"]},
            },
            "watchdog": {"receiver": "heartbeat", "every": "10s"},
            "groupWait": "3s",
            "groupInterval": "10s",
        },
        "prometheus": {
            "discovery": "sidecar",
            "scrapeInterval": "2s",
            "alerts": {
                "OrdersStand": {"expr": FIRES, "hold": "0s", "severity": "critical", "summary": "a", "owner": "shop"},
                "CartsStand": {"expr": FIRES, "hold": "0s", "severity": "critical", "summary": "b", "owner": "shop"},
                "CartsSlow": {"expr": FIRES, "hold": "0s", "severity": "warning", "summary": "c", "owner": "shop"},
                "NodeGone": {"expr": FIRES, "hold": "0s", "severity": "critical", "summary": "d"},
                "Others": {
                    "expr": FIRES, "hold": "0s", "severity": "critical", "summary": "e", "owner": "nobody asked",
                },
            },
        },
    },
}  # fmt: skip
RECEIVER = [
    {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "hook", "namespace": SPACE, "labels": LABELS},
        "spec": {
            "terminationGracePeriodSeconds": 0,
            "securityContext": {"runAsNonRoot": True, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [
                {
                    "name": "hook",
                    "image": "sandbox.grayling.dev/python:3.11",
                    "command": ["python3", "-c", (Path(__file__).parent / "hook.py").read_text()],
                    "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
                }
            ],
        },
    },
    {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "hook", "namespace": SPACE},
        "spec": {"selector": LABELS, "ports": [{"port": 8080}]},
    },
    {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "hook", "namespace": SPACE},
        "spec": {"podSelector": {"matchLabels": LABELS}, "ingress": [{}], "policyTypes": ["Ingress"]},
    },
]


def declared():
    return Platform.read(SECTIONS, stack=SPACE, source="test")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cluster(cluster_kubeconfig):
    """With the stack and the receiver in it, for all tests of this file."""
    async with await Cluster.open(kubeconfig=cluster_kubeconfig) as opened:
        try:
            await Applier(opened, INVENTORY, patience=Patience(240)).apply(declared().manifests())
            for each in RECEIVER:
                await opened.apply(each, manager="test")
            yield opened
        finally:
            plan = await plan_teardown(opened, INVENTORY)
            await tear_down(opened, INVENTORY, plan, Patience(240), lambda _line: None)


async def taken(cluster, path):
    """Messages that the receiver got under a path."""
    return json.loads(await cluster.pod_text(SPACE, "hook", 8080, "/")).get(path, [])


def names(message):
    return {each["labels"]["alertname"] for each in message["alerts"]}


async def missing(cluster, wanted):
    """Paths under which no message has these alerts, all in one."""
    return [
        path
        for path, told in wanted.items()
        if not any(told <= names(each["message"]) for each in await taken(cluster, path))
    ]


async def of_member(cluster, ordinal, path):
    return json.loads(await cluster.pod_text(SPACE, f"alertmanager-{ordinal}", 9093, f"/api/v2/{path}"))


async def test_an_alert_arrives_grouped_by_owner(cluster):
    wanted = {
        "/shop": {"OrdersStand", "CartsStand"},
        "/platform": {"NodeGone"},
        "/rest": {"Others"},
        "/heartbeat": {"Watchdog"},
    }
    assert await eventually(lambda: missing(cluster, wanted), 180) == []
    for told in await taken(cluster, "/shop"):
        assert told["message"]["groupLabels"]["owner"] == "shop"
        assert told["authorization"] == "Bearer s3cret-of-the-hook"
        assert names(told["message"]) <= {"OrdersStand", "CartsStand", "CartsSlow"}
        for alert in told["message"]["alerts"]:
            assert alert["labels"]["stack"] == SPACE
    (platform,) = {json.dumps(names_of(told)) for told in await taken(cluster, "/platform")}
    assert platform == '["NodeGone"]'
    # Not by what was sent: a member that has just started may tell of an alert before it knows what inhibits it.
    (slow,) = [each for each in await of_member(cluster, 0, "alerts") if each["labels"]["alertname"] == "CartsSlow"]
    assert slow["status"]["state"] == "suppressed"
    assert slow["status"]["inhibitedBy"]


def names_of(told):
    return sorted(names(told["message"]))


async def test_panels_and_rules_find_their_series(cluster):
    await series_are_there(cluster, declared())


async def test_a_receiver_that_fails_is_told(cluster):
    async def quiet():
        return [] if "AlertmanagerNotificationsFail" in await alerts(cluster, SPACE) else ["no alert"]

    assert await taken(cluster, "/broken")
    assert await eventually(quiet, 180) == []


async def silence(cluster):
    """One for the alerts of the shop, made at the first member."""
    now = datetime.now(UTC)
    body = {
        "matchers": [{"name": "owner", "value": "shop", "isRegex": False, "isEqual": True}],
        "startsAt": now.isoformat(),
        "endsAt": (now + timedelta(hours=1)).isoformat(),
        "createdBy": "test",
        "comment": "kept",
    }
    code = (
        "import sys,urllib.request as r;"
        "print(r.urlopen(r.Request('http://127.0.0.1:9093/api/v2/silences', sys.argv[1].encode(),"
        " {'Content-Type': 'application/json'})).read().decode())"
    )
    said = await run(cluster, SPACE, "alertmanager-0", "alertmanager", "python3", "-c", code, json.dumps(body))
    return json.loads(said)["silenceID"]


async def not_silenced(cluster, identity):
    """Members that do not know it, or cannot be asked."""
    found = []
    for ordinal in range(3):
        known = [
            each["id"] for each in await of_member(cluster, ordinal, "silences") if each["status"]["state"] == "active"
        ]
        found += [] if identity in known else [ordinal]
    return found


async def restarts(cluster, name):
    pod = await cluster.get(POD, name, SPACE)
    return pod["status"]["containerStatuses"][0]["restartCount"]


async def test_killed_members_keep_silences_and_go_on_telling(cluster):
    made = await silence(cluster)
    assert await eventually(lambda: not_silenced(cluster, made), 180) == []

    before, beats = await restarts(cluster, "alertmanager-1"), len(await taken(cluster, "/heartbeat"))
    pod = await cluster.get(POD, "alertmanager-1", SPACE)
    assert kill_program(pod, "prometheus-alertmanager") == 1

    async def comes_back():
        again = await restarts(cluster, "alertmanager-1") > before
        told = len(await taken(cluster, "/heartbeat")) > beats
        return [] if again and told else [f"started again: {again}, told meanwhile: {told}"]

    assert await eventually(comes_back, 180) == []
    assert await eventually(lambda: not_silenced(cluster, made), 180) == []

    for ordinal in range(3):  # all at once: what the volumes keep is all there is
        await cluster.delete(POD, f"alertmanager-{ordinal}", SPACE)

    async def all_new():
        pods = [await cluster.get(POD, f"alertmanager-{ordinal}", SPACE) for ordinal in range(3)]
        return [each["metadata"]["name"] for each in pods if each["metadata"].get("deletionTimestamp")]

    assert await eventually(all_new, 180) == []
    assert await eventually(lambda: not_silenced(cluster, made), 180) == []
    assert await cluster.find(NAMESPACE, SPACE)
    assert await cluster.find(SERVICE, "hook", SPACE)


async def test_a_message_is_sent_once_by_three_members(cluster):
    """Members that see each other wait for the first; the same message twice would be seen here."""
    told = await taken(cluster, "/rest")
    firing = [json.dumps(each["message"]["alerts"], sort_keys=True) for each in told]
    assert firing
    assert len(firing) == len(set(firing))
