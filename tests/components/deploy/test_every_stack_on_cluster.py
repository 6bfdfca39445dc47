"""The stacks of this repository that are made for larger clusters: each comes up in the sandbox, serves, and goes.

Each through ``stacks/overlays/sandbox.yaml``, in a namespace of its own beside the other environments of the cluster.
What a stack expects to find there, a platform team would have put there before.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import datetime as dt
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from components.deploy.apply import Applier
from components.deploy.inventory import Inventory
from components.deploy.waiting import Patience
from components.stack.overlay import laid_over
from components.stack.platform import Platform
from components.stack.stackfile import find, sections_of
from kube.cluster import Cluster
from kube.errors import ConflictError, NotFoundError
from kube.kinds import DEPLOYMENT, GRAY_RELEASE, NAMESPACE, NODE, POD, Kind, label_of
from manifests.render import definitions
from rollout.api.revision import RELEASE_LABEL
from sandbox.daemons import ZONE
from sandbox.pki import Leaf, authority, issue
from tests.components.conftest import ROOT
from tests.components.on_prometheus import all_is_well
from tests.rollout.on_cluster import grayling

pytestmark = pytest.mark.timeout(600)
ORDER = (Path(__file__).parents[1] / "order_through_the_gateway.py").read_text()
OVERLAY = ROOT / "stacks" / "overlays" / "sandbox.yaml"
PLATFORM = "gateways"
CLAIM = Kind("v1", "PersistentVolumeClaim", "persistentvolumeclaims")
STATEFUL_SET = Kind("apps/v1", "StatefulSet", "statefulsets")
SHARED = {
    Kind("gateway.networking.k8s.io/v1", "GatewayClass", "gatewayclasses", namespaced=False),
    Kind("rbac.authorization.k8s.io/v1", "ClusterRole", "clusterroles", namespaced=False),
    Kind("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", "clusterrolebindings", namespaced=False),
}
SERVICES = Kind("v1", "Service", "services")
PODS = {
    "dev": {"redis": 1, "rabbitmq": 1, "prometheus": 1, "controller": 1, "checkout": 2, "billing": 1},
    "staging": {"redis": 2, "rabbitmq": 3, "prometheus": 1, "controller": 2, "checkout": 2, "billing": 2},
    "prod": {"redis": 3, "rabbitmq": 3, "prometheus": 1, "controller": 2, "checkout": 3, "billing": 3},
}
"""As the stack files and their tiers say, but no more than three."""


def space(stack):
    return f"every-{stack}"


@pytest.fixture
async def cluster(box):
    """The sandbox, and on it what every cluster of Grayling has: definitions, and a node that knows its zone."""
    async with await Cluster.open(kubeconfig=str(box.kubeconfig)) as opened:
        for definition in definitions():
            with contextlib.suppress(ConflictError):
                await opened.create(definition, manager="platform")
        await _until(lambda: _unserved(opened))
        for node in (await opened.list(NODE)).items:
            if ZONE not in node["metadata"]["labels"]:  # a sandbox that was started before nodes had one
                labels = {ZONE: node["metadata"]["name"]}
                await opened.merge_patch(
                    NODE, node["metadata"]["name"], None, {"metadata": {"labels": labels}}, manager="platform"
                )
        yield opened


@pytest.fixture(params=sorted(PODS))
def stack(request):
    return request.param


@pytest.fixture
def overlay(stack, tmp_path):
    """The sandbox's overlay, for one environment among others."""
    path = tmp_path / "sandbox.yaml"
    path.write_text(f"{OVERLAY.read_text()}namespace: {space(stack)}\n")
    return path


@pytest.fixture
async def prepared(box, cluster, stack, overlay):
    """What a stack expects to be there; taken away at the end, and with it what its tier retains."""
    await _gone(cluster, space(stack))
    made = []
    if stack == "staging":
        only = ("--only", "Namespace/*", "--overlay", str(overlay), "--yes")
        await asyncio.to_thread(grayling, box, "stack", "apply", stack, *only)
        await cluster.create(_certificate("staging-certificate", space(stack)), manager="platform")
    if stack == "prod":
        made.append(PLATFORM)
        await _gone(cluster, PLATFORM)
        await cluster.create(_namespace(space(stack)), manager="platform")
        await cluster.create(_namespace(PLATFORM), manager="platform")
        await cluster.create(_certificate("public", PLATFORM), manager="platform")
        await Applier(cluster, Inventory("platform", PLATFORM), patience=Patience(120)).apply(
            list(_gateway_for(space(stack)))
        )
    yield
    await _gone(cluster, space(stack), *made)


async def test_it_comes_up_serves_and_goes(box, cluster, stack, overlay, prepared, capsys):
    arguments = (stack, "--overlay", str(overlay))
    began = time.monotonic()
    await asyncio.to_thread(grayling, box, "stack", "apply", *arguments, "--yes", seconds=400)
    applied = time.monotonic()
    await _serving(cluster, stack)
    serving = time.monotonic()
    assert await _pods(cluster, stack) == PODS[stack]
    assert await _order(box, cluster, stack) == {"billed": True, "version": "v1"}
    assert await asyncio.to_thread(grayling, box, "stack", "diff", *arguments) == ""
    orders = asyncio.create_task(_orders(box, cluster, stack))
    try:
        await all_is_well(cluster, declared(stack, overlay))
    finally:
        orders.cancel()
    well = time.monotonic()
    other = overlay.with_name("other.yaml")
    other.write_text(overlay.read_text())
    await asyncio.to_thread(grayling, box, "stack", "apply", stack, "--overlay", str(other), "--yes", expect=6)

    await asyncio.to_thread(grayling, box, "stack", "destroy", *arguments, "--yes", seconds=300)
    with capsys.disabled():
        times = f"applied in {applied - began:.0f} s, serving after {serving - applied:.0f} s more"
        print(f"\n{stack}: {times}, all seen in {well - serving:.0f} s, gone in {time.monotonic() - well:.0f} s")  # noqa: T201
    assert await _left(cluster, stack) == RETAINED[stack]


RETAINED = {
    "dev": set(),
    "staging": {"Namespace", *(f"data-{name}" for name in ("prometheus-0", "rabbitmq-0", "rabbitmq-1", "rabbitmq-2"))}
    | {"data-redis-0", "data-redis-1"},
    "prod": {"Namespace", *(f"data-{name}" for name in ("prometheus-0", "rabbitmq-0", "rabbitmq-1", "rabbitmq-2"))}
    | {"data-redis-0", "data-redis-1", "data-redis-2"},
}
"""Namespaces that the stack makes no part of, and volumes where the tier retains data."""


async def _serving(cluster, stack):
    """Every service has a version that serves, brought in by the stack's own engine."""
    missing = {"checkout", "billing"}
    for _ in range(360):
        found = {item["metadata"]["name"]: item for item in (await cluster.list(GRAY_RELEASE, space(stack))).items}
        assert found.keys() == {"checkout", "billing"}
        missing = {name for name, item in found.items() if not _serves(item.get("status") or {})}
        if not missing:
            return
        if any((found[name].get("status") or {}).get("phase") == "RolledBack" for name in missing):
            break
        await asyncio.sleep(0.5)
    raise AssertionError({name: found[name].get("status") for name in missing})


def _serves(status):
    return status.get("phase") == "Idle" and bool(status.get("stable"))


async def _pods(cluster, stack):
    """How many pods are ready, by what they belong to."""
    counted = dict.fromkeys(PODS[stack], 0)
    for pod in (await cluster.list(POD, space(stack))).items:
        labels, conditions = pod["metadata"]["labels"], pod["status"].get("conditions") or []
        name = labels.get(RELEASE_LABEL) or labels.get("app.kubernetes.io/instance")
        if name in counted and any(each["type"] == "Ready" and each["status"] == "True" for each in conditions):
            counted[name] += 1
    return counted


async def _order(box, cluster, stack):
    """An order by way of the gateway: taken, kept in Redis, sent through RabbitMQ, billed."""
    config = yaml.safe_load((ROOT / "stacks" / f"Pulumi.{stack}.yaml").read_text())["config"]
    suffix = config["grayling:environment"]["gateway"]["hostnameSuffix"]
    where = PLATFORM if stack == "prod" else space(stack)
    name = "public-envoy" if stack == "prod" else "gateway-envoy"
    address = (await cluster.get(SERVICES, name, where))["spec"]["clusterIP"]
    scheme = "http" if stack == "dev" else "https"
    argv = box.enter_net_argv([sys.executable, "-c", ORDER, scheme, address, f"checkout.{suffix}"])
    done = await asyncio.to_thread(subprocess.run, argv, capture_output=True, text=True, timeout=90, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


async def _orders(box, cluster, stack):
    """One after the other, until told otherwise: numbers for the panels."""
    while True:
        await _order(box, cluster, stack)


def declared(stack, overlay):
    """The stack's components under the overlay."""
    file = laid_over(find(stack, ROOT), overlay)
    return Platform.read(sections_of(file.config()[0]), stack=file.stack, source=file.source)


async def _left(cluster, stack):
    """What is still there of the stack."""
    found = {
        label_of(item) for kind in SHARED for item in (await cluster.list(kind)).items if _named_after(item, stack)
    }
    if await cluster.find(NAMESPACE, space(stack)) is None:
        return found
    for kind in (POD, SERVICES, DEPLOYMENT, STATEFUL_SET, GRAY_RELEASE):
        found |= {label_of(item) for item in (await cluster.list(kind, space(stack))).items}
    claims = (await cluster.list(CLAIM, space(stack))).items
    return found | {"Namespace"} | {claim["metadata"]["name"] for claim in claims}


def _named_after(item, stack):
    return item["metadata"]["name"].startswith(space(stack)) and "platform" not in item["metadata"]["name"]


async def _gone(cluster, *spaces):
    """Namespaces with everything in them, and what of the cluster is named after them."""
    for name in spaces:
        for kind in SHARED:
            for item in (await cluster.list(kind)).items:
                if item["metadata"]["name"].startswith(name):
                    await cluster.delete(kind, item["metadata"]["name"])
        await _stopped(cluster, name)
        await cluster.delete(NAMESPACE, name)
    for name in spaces:
        await _until(lambda name=name: cluster.find(NAMESPACE, name))


async def _until(left):
    """Wait until nothing is left."""
    for _ in range(360):
        if not await left():
            return
        await asyncio.sleep(0.5)
    raise AssertionError(f"still there: {await left()}")


async def _unserved(cluster):
    """Whether the API server does not know releases yet: a definition is there a moment before what it defines."""
    try:
        await cluster.list(GRAY_RELEASE)
    except NotFoundError:
        return True
    return False


async def _stopped(cluster, name):
    """What a test that failed leaves running; a namespace that is deleted with it waits for pods by the minute."""
    for kind in (DEPLOYMENT, STATEFUL_SET, GRAY_RELEASE):
        for item in (await cluster.list(kind, name)).items:
            if kind is GRAY_RELEASE:
                free = {"metadata": {"finalizers": None}}
                await cluster.merge_patch(kind, item["metadata"]["name"], name, free, manager="platform")
            await cluster.delete(kind, item["metadata"]["name"], name)

    async def left():
        """Pods."""
        return [pod["metadata"]["name"] for pod in (await cluster.list(POD, name)).items]

    await _until(left)


def _namespace(name):
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def _certificate(name, namespace):
    now = dt.datetime.now(dt.UTC)
    pair = issue(Leaf(name, name, hosts=("*.example.com",)), authority("platform", now), now)
    values = {"tls.crt": pair.certificate_pem(), "tls.key": pair.key_pem()}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/tls",
        "metadata": {"name": name, "namespace": namespace},
        "data": {key: base64.b64encode(value).decode() for key, value in values.items()},
    }


def _gateway_for(guest):
    """A gateway that a platform team runs for everybody: its proxies carry the routes of another namespace too."""
    sections = {
        "environment": {
            "tier": "local",
            "namespace": PLATFORM,
            "createNamespace": False,
            "owners": ["platform"],
            "images": yaml.safe_load(OVERLAY.read_text())["images"],
            "gateway": {"class": f"{PLATFORM}-public", "parent": {"name": "public"}},
        },
        "components": {
            "public": {
                "kind": "gateway", "tlsSecret": "public", "exposure": {"type": "ClusterIP"}, "namespaces": [guest],
            },
        },
    }  # fmt: skip
    return Platform.read(sections, stack="platform", source="test").manifests()
