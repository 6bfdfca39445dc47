"""The stack of the tests of caches, discovery and identity: their production examples, small, beside a service."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
from pathlib import Path

import yaml

from components.deploy.apply import Applier
from components.deploy.inventory import Inventory
from components.deploy.refusal import NothingThereError
from components.deploy.teardown import plan_teardown, tear_down
from components.deploy.waiting import Patience
from components.stack.platform import Platform
from kube.kinds import NAMESPACE, POD, Kind
from tests.catalogue.brokers import until
from tests.components.conftest import ROOT
from tests.components.inside import run
from tests.components.on_prometheus import series

SPACE = "discovery-test"
INVENTORY = Inventory(SPACE, SPACE)
PATIENCE = Patience(300)
STATEFUL_SET = Kind("apps/v1", "StatefulSet", "statefulsets")
MEMCACHED = (Path(__file__).parent / "memcached_client.py").read_text()
OVERLAY = yaml.safe_load((ROOT / "stacks" / "overlays" / "sandbox.yaml").read_text())
EUREKA = (Path(__file__).parent / "eureka_client.py").read_text()
SMALLER = {"memcached": {"warmUp": "1s"}, "eureka": {}}
"""What only makes the tests shorter."""


def example(kind):
    """The production example of a kind."""
    return yaml.safe_load((ROOT / "examples" / "kinds" / kind / "production.yaml").read_text())


def declared():
    """The stack, in the tier of its examples and as small as the sandbox."""
    components = {kind: {**example(kind)["components"][kind], **more} for kind, more in SMALLER.items()}
    return Platform.read(
        {
            "environment": {
                "tier": "prod",
                "namespace": SPACE,
                "owners": ["platform"],
                "images": OVERLAY["images"],
                "profile": {"size": "small", "data": "Delete"},
            },
            "components": {
                **components,
                "prometheus": {"discovery": "sidecar", "scrapeInterval": "1s", "storage": None},
                "controller": {"image": "sandbox.grayling.dev/grayling:dev", "installDefinitions": False},
            },
            "services": {
                "shop": {
                    "image": "sandbox.grayling.dev/python:3.11",
                    "command": ["python3", "-c", MEMCACHED],
                    "uses": list(components),
                }
            },
        },
        stack=SPACE,
        source="test",
    )


def without_engine(platform):
    """The components but the engine, and what it would make a pod of."""
    made = [each for each in platform.manifests() if "controller" not in each["metadata"]["name"]]
    release, *others = [each for each in made if each["kind"] == "GrayRelease"]
    return [each for each in made if each is not release and each not in others], release


def client(release, space=SPACE):
    """A pod as the release's, under the name of the service."""
    template = release["spec"]["workload"]["template"]
    spec = {**template["spec"], "terminationGracePeriodSeconds": 1}
    for container in spec["containers"]:
        for probe in ("livenessProbe", "readinessProbe", "startupProbe", "lifecycle"):
            container.pop(probe, None)
    meta = {**template["metadata"], "name": "client", "namespace": space}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}


async def bring_up(cluster):
    """All of it, ready, and its client."""
    with contextlib.suppress(NothingThereError):
        await take_down(cluster)  # what a run that was cut off has left
    made, release = without_engine(declared())
    await Applier(cluster, INVENTORY, patience=PATIENCE).apply(made)
    await cluster.create(client(release), manager="test")
    await until(lambda: ready(cluster, "client"))


async def take_down(cluster, inventory=INVENTORY):
    """Nothing of it is left."""
    plan = await plan_teardown(cluster, inventory)
    await tear_down(cluster, inventory, plan, PATIENCE, lambda _line: None, without_engine=True)
    assert await cluster.find(NAMESPACE, inventory.namespace) is None


async def told(cluster, member, name, again=None):
    """The condition of an alert of a member is there, in the stack's own Prometheus, with ``again`` before each look.

    What happened before the first scrape of a counter is no increase.
    """
    expr = next(alert.expr for alert in member.alerts() if alert.name == name)

    async def look():
        if again:
            await again()
        return await series(cluster, member.environment.namespace, expr)

    await until(look)


async def ready(cluster, pod, space=SPACE):
    """Whether all its containers are, now."""
    found = await cluster.find(POD, pod, space)
    status = (found or {}).get("status", {}).get("containerStatuses", [])
    return bool(status) and all(each["ready"] for each in status)


async def restarts(cluster, pod, container, space=SPACE):
    """How often a container was started again."""
    status = (await cluster.get(POD, pod, space))["status"]["containerStatuses"]
    return next(each["restartCount"] for each in status if each["name"] == container)


async def from_client(cluster, code, function, *arguments, space=SPACE):
    """What a function of the code returns in the client's pod."""
    call = ("python3", "-c", code, function, json.dumps(arguments))
    return json.loads(await run(cluster, space, "client", "shop", *call))


async def killed(cluster, pod, container, program, space=SPACE):
    """The program of this container is killed with no warning, and started again by the kubelet."""
    before = await restarts(cluster, pod, container, space)
    uid = (await cluster.get(POD, pod, space))["metadata"]["uid"]
    assert await asyncio.to_thread(_kill, uid, program) == 1, (pod, program)

    async def again():
        return await restarts(cluster, pod, container, space) > before and await ready(cluster, pod, space)

    await until(again)


def _kill(uid, program):
    found = [process for process in Path("/proc").glob("[0-9]*") if _runs(process, uid, program)]
    for process in found:
        os.kill(int(process.name), signal.SIGKILL)
    return len(found)


def _runs(process, uid, program):
    try:
        of_pod = uid in (process / "cgroup").read_text().replace("_", "-")
        return of_pod and program in (process / "cmdline").read_bytes().split(b"\0")[0].decode()
    except OSError:
        return False


async def rolled(cluster, name, space=SPACE):
    """Every pod of the set is replaced; how few were ready at the least, while that went on."""
    body = {"spec": {"template": {"metadata": {"annotations": {"test/again": "1"}}}}}
    made = await cluster.merge_patch(STATEFUL_SET, name, space, body, manager="test")
    wanted, fewest = made["spec"]["replicas"], made["spec"]["replicas"]

    async def over():
        nonlocal fewest
        found = await cluster.get(STATEFUL_SET, name, space)
        status = found["status"]
        fewest = min(fewest, status.get("readyReplicas", 0))
        seen = status["observedGeneration"] >= made["metadata"]["generation"]
        return seen and status.get("updatedReplicas") == status.get("availableReplicas") == wanted

    await until(over, seconds=300)
    return fewest
