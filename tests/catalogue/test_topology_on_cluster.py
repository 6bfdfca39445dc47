"""A declared topology made true in a broker, and kept so: changed, drifted, refused, pruned, killed, locked out."""

from __future__ import annotations

import copy
import json

import pytest

from components.deploy.apply import Applier
from components.deploy.difference import corrections, differences
from components.deploy.inventory import Inventory
from components.deploy.outcome import NotReadyError
from components.deploy.teardown import plan_teardown, tear_down
from components.deploy.waiting import Patience
from components.stack.platform import Platform
from kube.cluster import Cluster
from kube.kinds import NAMESPACE, POD, TOPOLOGY
from tests.catalogue.topologies import ENGINE, METRICS, SECONDS, until
from tests.components.inside import run
from topology.api.crd import topology_definition

SPACE = "topology-test"
INVENTORY = Inventory(SPACE, SPACE)
FIRST = {
    "exchanges": {"orders": {}},
    "queues": {"billing": {}, "bulk": {"type": "classic"}},
    "bindings": [{"from": "orders", "queue": "billing", "key": "order.*"}],
    "policies": {"bulk": {"pattern": "^bulk$", "definition": {"max-length": 10}}},
    "users": {"reports": {"permissions": {"/": {"read": "^billing$"}}}},
    "vhosts": {"returns": {"queues": {"parcels": {}}}},
}
MANAGEMENT = """
import json, ssl, sys, urllib.request
from base64 import b64encode
from pathlib import Path
folder = Path("/run/topology/rabbitmq")
login = b64encode(":".join((folder / name).read_text() for name in ("username", "password")).encode()).decode()
method, path, body = sys.argv[1], sys.argv[2], sys.argv[3]
request = urllib.request.Request(
    f"https://rabbitmq.{space}.svc:15671/api/{path}", method=method, data=body.encode() or None,
    headers={"Authorization": f"Basic {login}", "Content-Type": "application/json"},
)
trust = ssl.create_default_context(cafile=folder / "ca.crt")
with urllib.request.urlopen(request, context=trust, timeout=20) as answer:
    print(answer.read().decode() or "null")
""".replace("{space}", SPACE)


@pytest.fixture
async def cluster(cluster_kubeconfig):
    async with await Cluster.open(kubeconfig=cluster_kubeconfig) as opened:
        await opened.apply(topology_definition(), manager="test")
        yield opened
        plan = await plan_teardown(opened, INVENTORY)
        await tear_down(opened, INVENTORY, plan, Patience(SECONDS), lambda _line: None)
        assert await opened.find(NAMESPACE, SPACE) is None


def declared(topology):
    sections = {
        "environment": {
            "tier": "local",
            "namespace": SPACE,
            "owners": ["platform"],
            "images": {"docker.io/library/rabbitmq": "sandbox.grayling.dev/rabbitmq:3.10"},
        },
        "components": {
            "rabbitmq": {"storage": "256Mi", "tls": {}, "topology": topology},
            "topology": {"image": ENGINE},
        },
    }
    return Platform.read(sections, stack=SPACE, source="test").manifests()


async def apply(cluster, topology):
    return await Applier(cluster, INVENTORY, patience=Patience(SECONDS)).apply(declared(topology))


async def status_of(cluster):
    return (await cluster.get(TOPOLOGY, "rabbitmq", SPACE)).get("status") or {}


async def ready(cluster, reason="Reconciled"):
    async def look():
        live = await cluster.get(TOPOLOGY, "rabbitmq", SPACE)
        found = live.get("status") or {}
        current = found.get("observedGeneration") == live["metadata"]["generation"]
        return found if current and found["conditions"][0]["reason"] == reason else None

    return await until(reason, look)


async def reconciler(cluster):
    """The pod of it that runs."""

    async def look():
        listed = await cluster.list(POD, SPACE, labels="app.kubernetes.io/instance=topology")
        running = [
            pod
            for pod in listed.items
            if "deletionTimestamp" not in pod["metadata"]
            and any(each.get("ready") for each in pod["status"].get("containerStatuses") or ())
        ]
        return running[0] if running else None

    return await until("a reconciler", look)


async def python(cluster, *arguments):
    pod = (await reconciler(cluster))["metadata"]["name"]
    return await run(cluster, SPACE, pod, "topology", "python3", "-c", *arguments)


async def ask(cluster, method, path, **body):
    """The broker's management, with the reconciler's own account."""
    return json.loads(await python(cluster, MANAGEMENT, method, path, json.dumps(body) if body else ""))


async def rabbitmqctl(cluster, *arguments):
    return await run(cluster, SPACE, "rabbitmq-0", "rabbitmq", "rabbitmqctl", "-q", *arguments)


async def names(cluster, what, vhost="%2F"):
    return {each["name"] for each in await ask(cluster, "GET", f"{what}/{vhost}")}


async def publish(cluster, count):
    for _ in range(count):
        body = {"routing_key": "order.new", "payload": "x", "payload_encoding": "string", "properties": {}}
        assert (await ask(cluster, "POST", "exchanges/%2F/orders/publish", **body))["routed"]


async def waiting(cluster, queue, count):
    async def look():
        listed = await rabbitmqctl(cluster, "list_queues", "--no-table-headers", "name", "messages")
        return dict(line.split("\t") for line in listed.splitlines()).get(queue) == str(count)

    await until(f"{count} messages", look)


async def test_a_topology_from_its_declaration_to_its_end(cluster):
    await apply(cluster, FIRST)
    status = await status_of(cluster)
    assert {each["state"] for each in status["items"]} == {"Ready"}
    assert "queue billing" in status["made"]
    await publish(cluster, 3)
    await waiting(cluster, "billing", 3)

    await _drift_is_put_right(cluster)
    await _what_would_lose_data_is_refused(cluster)
    await _only_ours_goes(cluster)
    await _killed_in_the_middle_it_goes_on(cluster)
    await _locked_out_it_says_so_and_comes_back(cluster)


async def _drift_is_put_right(cluster):
    """By hand: a binding goes, a policy allows more, an account may do more, a queue is deleted."""
    await ask(cluster, "DELETE", "bindings/%2F/e/orders/q/billing/order.%2A")
    policy = {"pattern": "^bulk$", "definition": {"max-length": 99}, "apply-to": "queues", "priority": 1}
    await ask(cluster, "PUT", "policies/%2F/bulk", **policy)
    await rabbitmqctl(cluster, "set_user_tags", "reports", "administrator")
    await ask(cluster, "DELETE", "queues/%2F/bulk")

    async def right():
        bound = await ask(cluster, "GET", "bindings/%2F/e/orders/q/billing")
        policy = await ask(cluster, "GET", "policies/%2F/bulk")
        tags = (await ask(cluster, "GET", "users/reports"))["tags"]
        there = "bulk" in await names(cluster, "queues")
        return bound and policy["definition"] == {"max-length": 10} and not tags and there

    await until("as declared", right)
    found = await until("told", lambda: _drifted(cluster))
    assert set(found) & {
        "binding orders -> queue billing (order.*)", "policy bulk", "user reports", "queue bulk",
    }  # fmt: skip
    changes, survey = await differences(cluster, INVENTORY, declared(FIRST))
    assert changes == []
    assert any("put right" in line for line in corrections(survey))


async def _drifted(cluster):
    return (await status_of(cluster)).get("drifted")


async def _what_would_lose_data_is_refused(cluster):
    """The messages are there, and the change is told by name with its fix; allowed by name it is made."""
    other = copy.deepcopy(FIRST)
    other["queues"]["billing"] = {"type": "classic"}
    with pytest.raises(NotReadyError, match="queue billing: type quorum → classic") as refused:
        await apply(cluster, other)
    assert "add 'queue billing' to topology.allow" in str(refused.value)
    await waiting(cluster, "billing", 3)
    changes, _ = await differences(cluster, INVENTORY, declared(other))
    assert [(each.op, "queue billing: Refused" in each.text) for each in changes] == [("drift", True)]

    await apply(cluster, {**other, "allow": ["queue billing"]})
    await waiting(cluster, "billing", 0)
    assert await ask(cluster, "GET", "bindings/%2F/e/orders/q/billing"), "a replaced queue is bound again"
    await publish(cluster, 1)
    await waiting(cluster, "billing", 1)


async def _only_ours_goes(cluster):
    """What is declared no more is told; with prune it goes, a queue only by its name; what others made stays."""
    await ask(cluster, "PUT", "queues/%2F/by-hand", durable=True)
    less = {"queues": {"billing": {"type": "classic"}}, "exchanges": {"orders": {}}, "bindings": FIRST["bindings"]}
    await apply(cluster, less)
    left = {each["label"] for each in (await status_of(cluster))["items"] if each["state"] == "Left"}
    assert left == {
        "queue bulk", "policy bulk", "user reports", "permission reports", "vhost returns", "queue parcels @returns",
    }  # fmt: skip

    with pytest.raises(NotReadyError, match="queue bulk: to delete it loses what it holds"):
        await apply(cluster, {**less, "prune": True})
    assert await names(cluster, "queues") == {"billing", "bulk", "by-hand"}

    allowed = ["queue bulk", "queue parcels @returns", "vhost returns"]
    await apply(cluster, {**less, "prune": True, "allow": allowed})
    assert await names(cluster, "queues") == {"billing", "by-hand"}
    assert {each["name"] for each in await ask(cluster, "GET", "vhosts")} == {"/"}
    assert "reports" not in {each["name"] for each in await ask(cluster, "GET", "users")}
    await waiting(cluster, "billing", 1)


async def _killed_in_the_middle_it_goes_on(cluster):
    """kill -9 while it makes four hundred exchanges: the next process makes the rest."""
    many = {f"many-{number}": {} for number in range(400)}
    manifests = declared({"exchanges": {"orders": {}, **many}})
    made = next(item for item in manifests if item["kind"] == "Topology")
    before = await reconciler(cluster)
    await cluster.merge_patch(TOPOLOGY, "rabbitmq", SPACE, {"spec": made["spec"]}, manager="grayling-stack")

    async def begun():
        listed = await rabbitmqctl(cluster, "list_exchanges", "--no-table-headers", "name")
        count = listed.count("many-")
        return count or None

    first = await until("begun", begun)
    path = POD.path(SPACE, before["metadata"]["name"])
    await cluster.request("DELETE", path, body={"gracePeriodSeconds": 0}, what="kill the reconciler")
    await ready(cluster)
    assert {*many} <= await names(cluster, "exchanges"), first
    assert (await reconciler(cluster))["metadata"]["uid"] != before["metadata"]["uid"]


async def _locked_out_it_says_so_and_comes_back(cluster):
    """A password that the broker does not take: the state says so, diff calls it unknown, metrics show it."""
    secret = (await python(cluster, "print(open('/run/topology/rabbitmq/password').read())")).strip()
    await rabbitmqctl(cluster, "change_password", "topology", "something-else")
    status = await until("locked out", lambda: _unauthorized(cluster))
    assert "does not take the account topology" in status["conditions"][0]["message"]
    changes, _ = await differences(cluster, INVENTORY, declared({"exchanges": {"orders": {}}}))
    (drift,) = [each for each in changes if each.op == "drift"]
    assert "unknown: Unauthorized" in drift.text

    async def unready():
        return 'grayling_topology_ready{topology="rabbitmq"} 0.0' in await python(cluster, METRICS)

    await until("metrics", unready)
    await rabbitmqctl(cluster, "change_password", "topology", secret)
    await ready(cluster)


async def _unauthorized(cluster):
    found = await status_of(cluster)
    return found if found["conditions"][0]["reason"] == "Unauthorized" else None
