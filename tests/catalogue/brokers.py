"""A stack of brokers as production has it, small, with Prometheus beside it, and pods that are as the services' own."""

from __future__ import annotations

import asyncio
import json
import time

import yaml

from components.deploy.apply import Applier
from components.deploy.inventory import Inventory
from components.deploy.teardown import plan_teardown, tear_down
from components.deploy.waiting import Patience
from components.stack.platform import Platform
from kube.errors import KubeError
from kube.kinds import NAMESPACE, POD, SECRET, Kind
from tests.catalogue.killing import kill_program
from tests.components.conftest import ROOT
from tests.components.inside import run
from tests.components.on_prometheus import alerts, eventually, has_data, wanted

SPACE = "messaging"
INVENTORY = Inventory(SPACE, SPACE)
STATEFUL_SET = Kind("apps/v1", "StatefulSet", "statefulsets")
TOOLS = "sandbox.grayling.dev/nats-box:0.5.0"
IMAGES = yaml.safe_load((ROOT / "stacks" / "overlays" / "sandbox.yaml").read_text())["images"]
ENVIRONMENT = {
    "tier": "prod",
    "namespace": SPACE,
    "owners": ["platform"],
    "images": IMAGES,
    "profile": {"size": "small", "spread": "ScheduleAnyway", "data": "Delete"},
}


def declared(**settings):
    """The production examples of these kinds in one stack, each with further settings, and a Prometheus."""
    components, services = {}, {}
    for kind, more in settings.items():
        sections = yaml.safe_load((ROOT / "examples" / "kinds" / kind / "production.yaml").read_text())
        components[kind] = {**sections["components"][kind], **more}
        for name, service in sections["services"].items():
            uses = [*services.get(name, {}).get("uses", ()), *service["uses"]]
            services[name] = {**service, "uses": uses}
    components["controller"] = {"image": "sandbox.grayling.dev/grayling:dev", "installDefinitions": False}
    components["prometheus"] = {"discovery": "sidecar", "storage": "512Mi"}
    return components, services


def platform(components, services):
    sections = {"environment": ENVIRONMENT, "components": components, "services": services}
    return Platform.read(sections, stack=SPACE, source="examples/kinds")


def parts(platform):
    """Objects of the stack without the engine, and the releases of its services."""
    everything = platform.manifests()
    releases = [each for each in everything if each["kind"] == "GrayRelease"]
    ours = [
        each
        for each in everything
        if each not in releases and each["metadata"]["labels"].get("app.kubernetes.io/name") != "controller"
    ]
    return ours, releases


async def up(cluster, platform, *beside, tools=TOOLS, seconds=300):
    """All of it, and a pod of each service in which tests run their clients; ``beside`` is done meanwhile."""
    ours, releases = parts(platform)
    await asyncio.gather(Applier(cluster, INVENTORY, patience=Patience(seconds)).apply(ours), *beside)
    for release in releases:
        name = f"client-{release['metadata']['name']}"
        if await cluster.find(POD, name, SPACE) is None:
            await cluster.create(client(release, name, tools), manager="test")
        await until(lambda name=name: ready(cluster, name))


async def down(cluster):
    plan = await plan_teardown(cluster, INVENTORY)
    await tear_down(cluster, INVENTORY, plan, Patience(420), lambda _line: None, without_engine=True)
    assert await cluster.find(NAMESPACE, SPACE) is None


def client(release, name, tools=TOOLS):
    """A pod as the release's, that waits for commands."""
    template = release["spec"]["workload"]["template"]
    (container,) = template["spec"]["containers"]
    for key in ("livenessProbe", "readinessProbe", "startupProbe", "lifecycle", "args"):
        container.pop(key, None)
    container |= {"image": tools, "command": ["sleep", "infinity"]}
    spec = {**template["spec"], "containers": [container], "terminationGracePeriodSeconds": 0}
    meta = {**template["metadata"], "name": name, "namespace": SPACE}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}


async def shell(cluster, service, *argv):
    release = await cluster.get(POD, f"client-{service}", SPACE)
    (container,) = release["spec"]["containers"]
    return await run(cluster, SPACE, f"client-{service}", container["name"], *argv)


async def python(cluster, service, code, *call):
    """The last line that a client script says, as JSON."""
    told = await shell(cluster, service, "python3", "-c", code, json.dumps(call))
    return json.loads(told.splitlines()[-1])


async def ready(cluster, pod):
    found = await cluster.find(POD, pod, SPACE)
    conditions = (found or {}).get("status", {}).get("conditions", ())
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


async def kill(cluster, pod, program, seconds=180):
    """Its program, by the kernel; then the pod is ready again, by a new one."""
    found = await cluster.get(POD, pod, SPACE)
    before = restarts(found)
    assert kill_program(found, program) == 1

    async def again():
        return restarts(await cluster.get(POD, pod, SPACE)) > before and await ready(cluster, pod)

    await until(again, seconds)


async def killed_until(cluster, pod, program, seen, seconds=180):
    """Killed again each time it is back, until ``seen``: one that is back at once may be missed by every scrape."""
    while not seen.is_set():
        await kill(cluster, pod, program, seconds)


def restarts(pod):
    return sum(each["restartCount"] for each in pod["status"]["containerStatuses"])


async def roll(cluster, name, seconds=300):
    """Every pod of a set is replaced, one after the other."""
    before = await identities(cluster, name)
    stamp = {"spec": {"template": {"metadata": {"annotations": {"tests/restarted": str(sorted(before.values()))}}}}}
    await cluster.merge_patch(STATEFUL_SET, name, SPACE, stamp, manager="kubectl")

    async def replaced():
        fresh = {pod for pod, uid in (await identities(cluster, name)).items() if uid not in before.values()}
        return fresh == before.keys() and all([await ready(cluster, each) for each in before])

    await until(replaced, seconds)


async def identities(cluster, name):
    """The uid of each pod of a set."""
    labels = (await cluster.get(STATEFUL_SET, name, SPACE))["spec"]["selector"]["matchLabels"]
    found = await cluster.list(POD, SPACE, labels=",".join(f"{key}={value}" for key, value in labels.items()))
    return {each["metadata"]["name"]: each["metadata"]["uid"] for each in found.items}


async def until(look, seconds=240):
    """The first thing that is there."""
    before = time.monotonic() + seconds
    while True:
        try:
            found = last = await look()
        except (KubeError, AssertionError) as error:
            found, last = None, error
        if found:
            return found
        assert time.monotonic() < before, f"not within {seconds} s; last seen: {last}"
        await asyncio.sleep(0.25)


async def loud(cluster, member):
    """Panels without data, selectors of rules without series, alerts that wait or fire; nothing, once all is well."""
    own = {alert.name for alert in member.alerts()}

    async def look():
        told = [
            (what, expr)
            for what, expr in wanted([member])
            if not await has_data(cluster, SPACE, expr, numbers=": panel " in what)
        ]
        return [*told, *(own & (await alerts(cluster, SPACE)).keys())]

    return await eventually(look, seconds=180)


async def unseen(cluster, *names, again=None):
    """Of these alerts, those that neither wait nor fire, at last; ``again`` is done before each look."""

    async def look():
        if again:
            await again()
        return set(names) - (await alerts(cluster, SPACE)).keys()

    return sorted(await eventually(look, seconds=180))


async def heard(cluster, *names):
    """Of these alerts, those that still wait or fire, at last."""

    async def look():
        return set(names) & (await alerts(cluster, SPACE)).keys()

    return sorted(await eventually(look, seconds=180))


async def copied(cluster, name, taken):
    """A Secret of keys of others, once they are there."""
    data = {}
    for key, (secret, theirs) in taken.items():
        found = await until(lambda secret=secret: cluster.find(SECRET, secret, SPACE))
        data[key] = found["data"][theirs]
    meta = {"name": name, "namespace": SPACE}
    await cluster.apply({"apiVersion": "v1", "kind": "Secret", "metadata": meta, "data": data}, manager="test")


async def scale(cluster, name, count):
    await cluster.merge_patch(STATEFUL_SET, name, SPACE, {"spec": {"replicas": count}}, manager="test")
