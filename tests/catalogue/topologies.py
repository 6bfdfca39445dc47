"""A stack with a declared topology on a cluster: its status, its reconciler, and what runs within that."""

from __future__ import annotations

import asyncio

from components.deploy.apply import Applier
from components.deploy.inventory import Inventory
from components.deploy.waiting import Patience
from components.stack.platform import Platform
from kube.kinds import POD, TOPOLOGY
from tests.components.inside import run

SECONDS = 180
ENGINE = "sandbox.grayling.dev/grayling:dev"
METRICS = "import urllib.request; print(urllib.request.urlopen('http://127.0.0.1:9465/metrics').read().decode())"


async def until(what, condition):
    """The first true answer, asked again and again."""
    async with asyncio.timeout(SECONDS):
        while not (found := await condition()):
            await asyncio.sleep(0.5)
    return found


class Declared:
    """A stack whose members declare topologies, in a namespace of its own."""

    def __init__(self, space, images, members, services=None):
        self.space, self.inventory = space, Inventory(space, space)
        self.images, self.members, self.services = images, members, services or {}

    def platform(self, **topologies):
        sections = {
            "environment": {"tier": "local", "namespace": self.space, "owners": ["platform"], "images": self.images},
            "components": {
                **{name: {**self.members[name], "topology": each} for name, each in topologies.items()},
                "topology": {"image": ENGINE},
            },
            "services": self.services,
        }
        return Platform.read(sections, stack=self.space, source="test")

    def manifests(self, **topologies):
        """All but the services' releases, which nobody here makes."""
        return [each for each in self.platform(**topologies).manifests() if each["kind"] != "GrayRelease"]

    async def apply(self, cluster, seconds=SECONDS, **topologies):
        return await Applier(cluster, self.inventory, patience=Patience(seconds)).apply(self.manifests(**topologies))

    async def status(self, cluster, name):
        return (await cluster.get(TOPOLOGY, name, self.space)).get("status") or {}

    async def settled(self, cluster, name, reason="Reconciled"):
        """Its status, once it is of the declaration as it stands and has this reason."""

        async def look():
            live = await cluster.get(TOPOLOGY, name, self.space)
            found = live.get("status") or {}
            current = found.get("observedGeneration") == live["metadata"]["generation"]
            return found if current and found["conditions"][0]["reason"] == reason else None

        return await until(reason, look)

    async def because(self, cluster, name, reason):
        """Its status, once it has this reason, of whatever declaration."""

        async def look():
            found = await self.status(cluster, name)
            return found if found["conditions"][0]["reason"] == reason else None

        return await until(reason, look)

    async def reconciler(self, cluster):
        """The pod of it that runs."""

        async def look():
            listed = await cluster.list(POD, self.space, labels="app.kubernetes.io/instance=topology")
            running = [
                pod
                for pod in listed.items
                if "deletionTimestamp" not in pod["metadata"]
                and any(each.get("ready") for each in pod["status"].get("containerStatuses") or ())
            ]
            return running[0] if running else None

        return await until("a reconciler", look)

    async def python(self, cluster, *arguments):
        pod = (await self.reconciler(cluster))["metadata"]["name"]
        return await run(cluster, self.space, pod, "topology", "python3", "-c", *arguments)

    async def kill_reconciler(self, cluster):
        """Gone without a word; returns its uid."""
        pod = await self.reconciler(cluster)
        path = POD.path(self.space, pod["metadata"]["name"])
        await cluster.request("DELETE", path, body={"gracePeriodSeconds": 0}, what="kill the reconciler")
        return pod["metadata"]["uid"]

    async def declare(self, cluster, name, items=(), **topologies):
        """Another declaration, and items beside it, without waiting for it."""
        made = self.manifests(**topologies)
        spec = next(each["spec"] for each in made if (each["kind"], each["metadata"]["name"]) == ("Topology", name))
        spec = {**spec, "items": [*spec["items"], *items]}
        await cluster.merge_patch(TOPOLOGY, name, self.space, {"spec": spec}, manager="grayling-stack")
