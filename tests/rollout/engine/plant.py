"""A platform in miniature: the fake API server, somebody who runs its pods and accepts its routes, and callers.

Pods become ready, routes are accepted, and requests are spread by the weights the route really carries; the engine
under test is the real one, over real HTTP.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from contextlib import asynccontextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kube.errors import NotFoundError, ThrottledError
from kube.kinds import POD
from rollout.api.revision import IMAGE_ANNOTATION, RELEASE_LABEL, REVISION_LABEL
from rollout.api.spec import COMMAND_ANNOTATION, Spec
from rollout.api.status import Phase, Status
from rollout.api.taken_back import Forgiven
from rollout.client.forgiving import forgive
from rollout.drivers.httproute.driver import GatewayDriver
from rollout.engine.run import Controller
from rollout.engine.worker import Parts
from rollout.signals.looks import (
    Arm,
    PodLook,
    SignalLook,
    SourceStatus,
)
from tests.fakes.apiserver import ApiServer, running
from tests.fakes.inprocess import InProcess

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from kube.cluster import Cluster
    from rollout.engine.mirror import Mirror
    from rollout.notify.channels import Channel
    from rollout.sources.pod_roster import Roster

Object = dict[str, Any]


def gray_release(image: str = "shop:v1", **changes: Any) -> Object:
    spec: Object = {
        "workload": {
            "replicas": 2,
            "template": {"spec": {"containers": [{"name": "app", "image": image}]}},
            "ports": [{"name": "http", "port": 80, "targetPort": 8080}],
            "config": {"app.yaml": "a: 1\n"},
        },
        "traffic": {"parents": [{"name": "public", "namespace": "gateway"}], "hostnames": ["checkout.local"]},
        "strategy": {
            "steps": [{"weight": 20, "hold": "400ms"}, {"weight": 50, "hold": "400ms"}],
            "bake": "500ms",
            "drain": "200ms",
            "readyDeadline": "3s",
            "verifyDeadline": "3s",
        },
        "analysis": {
            "signals": [{"name": "errors", "kind": "errors", "source": "pods", "weight": 1.0}],
            "sampling": {"young": "50ms", "settled": "50ms"},
        },
    }
    spec |= changes
    meta = {"name": "checkout", "namespace": "shop", "annotations": {}}
    return {"apiVersion": "grayling.dev/v1alpha1", "kind": "GrayRelease", "metadata": meta, "spec": spec}


@dataclass
class Callers:
    """The traffic, as a source sees it: ``rate`` requests a second, failing as ``faults`` says by image."""

    server: ApiServer
    rate: float = 400.0
    faults: dict[str, float] = field(default_factory=dict)
    status: SourceStatus = SourceStatus.OK
    name: str = "pods"
    readers: list[Callers] = field(default_factory=list)
    _at: float | None = None
    _owed: dict[str, float] = field(default_factory=dict)

    def say(self, status: SourceStatus) -> None:
        """From now on the sources say this, whoever reads them."""
        for each in (self, *self.readers):
            each.status = status

    def weights(self) -> dict[str, int]:
        return self._weights()

    def image(self, revision: str) -> str:
        return self._image(revision)

    async def sample(self, roster: Roster, now: float) -> Sequence[SignalLook]:
        passed = now - self._at if self._at else 0.0
        self._at = now
        if self.status is not SourceStatus.OK:
            return [SignalLook("errors", now, self.status, {})]
        weights = self._weights()
        pods = {}
        for revision, arm in ((roster.stable, Arm.STABLE), (roster.canary, Arm.CANARY)):
            if revision and revision in weights:
                pods[revision] = self._answer(revision, arm, weights[revision] / 100, passed)
        return [SignalLook("errors", now, SourceStatus.OK, pods)]

    def _answer(self, revision: str, arm: Arm, share: float, passed: float) -> PodLook:
        requests = self._whole(revision, share * self.rate * passed)
        rate = next((odds for image, odds in self.faults.items() if image in self._image(revision)), 0.0)
        failed = min(requests, self._whole(f"{revision} failed", requests * rate))
        return PodLook(arm, 10.0, passed, requests=requests, errors={"5xx": failed})

    def _whole(self, what: str, amount: float) -> int:
        owed = self._owed.get(what, 0.0) + amount
        self._owed[what] = owed - int(owed)
        return int(owed)

    def _image(self, revision: str) -> str:
        found = self.server.find("Deployment", revision)
        return found["metadata"].get("annotations", {}).get(IMAGE_ANNOTATION, "") if found else ""

    def _weights(self) -> dict[str, int]:
        route = self.server.find("HTTPRoute", "checkout")
        if route is None:
            return {}
        return {ref["name"]: ref.get("weight", 1) for ref in route["spec"]["rules"][0]["backendRefs"]}


@dataclass
class Plant:
    server: ApiServer
    callers: Callers
    broken: dict[str, Object] = field(default_factory=dict)
    accept: bool = True
    history: Callable[[str, Spec, str], Awaitable[Sequence[SignalLook]] | None] | None = None
    identity: str = "one"
    every: float = 0.02
    channels: tuple[Channel, ...] = ()

    # ------------------------------------------------------------------ what the engine is given

    def controller(
        self, cluster: Cluster, identity: str | None = None, only: tuple[str, str] | None = None
    ) -> Controller:
        def parts(mirror: Mirror) -> Parts:
            def driver(manifest: Object, spec_of: Callable[[], Spec]) -> GatewayDriver:
                meta, routes = manifest["metadata"], mirror.routes("shop")
                return GatewayDriver(
                    cluster, routes, name=meta["name"], namespace="shop", uid=meta["uid"], spec_of=spec_of
                )

            sources = lambda _spec, _own: [self.callers]  # noqa: E731 - as short as it can be said
            return Parts(
                cluster,
                mirror,
                identity or self.identity,
                driver,
                sources,
                self.history,
                more_channels=self.channels,
                **_clock(),
            )

        return Controller(cluster, ["shop"], parts=parts, only=only)

    @asynccontextmanager
    async def engine(
        self, identity: str | None = None, only: tuple[str, str] | None = None
    ) -> AsyncIterator[Controller]:
        async with self.server.cluster() as cluster:
            controller = self.controller(cluster, identity, only)
            task = asyncio.create_task(controller.run())
            try:
                yield controller
            finally:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError, BaseExceptionGroup):
                    await task

    # ------------------------------------------------------------------ what people do

    def declare(self, image: str, **changes: Any) -> None:
        known = self.server.find("GrayRelease", "checkout")
        fresh = gray_release(image, **changes)
        if known:
            fresh["metadata"] = deepcopy(known["metadata"])
            fresh["status"] = deepcopy(known.get("status"))
        self.server.put(fresh)

    def say(self, verb: str) -> None:
        found = deepcopy(self.release())
        command = f'{{"id": "{verb}-{time.time()}", "verb": "{verb}", "by": "alice", "reason": "because"}}'
        found["metadata"].setdefault("annotations", {})[COMMAND_ANNOTATION] = command
        self.server.put(found)

    async def forgive(self, release: str = "", name: str = "checkout") -> None:
        """A person lets in again what was taken back on evidence."""
        async with self.server.cluster() as cluster:
            word = Forgiven(by="alice", reason="the database was down", at=time.time())
            await forgive(cluster, "shop", name, release, word)

    def release(self) -> Object:
        found = self.server.find("GrayRelease", "checkout")
        assert found is not None
        return found

    @property
    def status(self) -> Status:
        return Status.model_validate(self.release().get("status") or {})

    @property
    def weights(self) -> dict[str, int]:
        return self.callers._weights()

    async def until(self, condition: Callable[[], bool], what: str = "", seconds: float = 30.0) -> None:
        try:
            async with asyncio.timeout(seconds):
                while not condition():
                    await asyncio.sleep(0.01)
        except TimeoutError:
            raise AssertionError(f"never {what}: {self.status.model_dump_json(indent=1, exclude={'judge'})}") from None

    async def phase(self, phase: Phase, seconds: float = 30.0) -> None:
        await self.until(lambda: self.status.phase is phase, f"in phase {phase}", seconds)

    async def served(self, image: str, seconds: float = 45.0) -> None:
        def done() -> bool:
            status = self.status
            return status.phase is Phase.IDLE and status.stable is not None and status.stable.image == image

        await self.until(done, f"serving {image} alone", seconds)

    def node(self, name: str, *, cordoned: bool = False) -> None:
        spec = {"unschedulable": True} if cordoned else {}
        self.server.put({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}, "spec": spec})

    async def drain(self, name: str, seconds: float = 30.0, *, of: str = "") -> None:
        """Cordon a node and evict its pods, or those of one revision; what the budget refuses is asked for again."""
        self.node(name, cordoned=True)
        async with self.server.cluster() as cluster, asyncio.timeout(seconds):
            while left := [
                pod["metadata"]["name"]
                for pod in self.server.all("Pod")
                if pod["spec"].get("nodeName") == name and pod["metadata"]["name"].startswith(of)
            ]:
                for pod in left:
                    await self._evict(cluster, pod)
                await asyncio.sleep(self.every)

    async def _evict(self, cluster: Cluster, pod: str) -> None:
        body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod, "namespace": "shop"}}
        with contextlib.suppress(ThrottledError, NotFoundError):
            await cluster.request("POST", POD.path("shop", pod, "eviction"), body=body, what=f"evict {pod}")

    # ------------------------------------------------------------------ who runs it

    async def operate(self) -> None:
        while True:
            for deployment in self.server.all("Deployment"):
                self._run_pods(deployment)
            for pod in self.server.all("Pod"):
                if self.server.find("Deployment", pod["metadata"]["labels"][REVISION_LABEL]) is None:
                    self._remove("pods", pod)
            for route in self.server.all("HTTPRoute"):
                self._accept(route)
            await asyncio.sleep(self.every)

    def _run_pods(self, deployment: Object) -> None:
        name, wanted = deployment["metadata"]["name"], deployment["spec"]["replicas"]
        pods = [pod for pod in self.server.all("Pod") if pod["metadata"]["labels"][REVISION_LABEL] == name]
        names = {pod["metadata"]["name"] for pod in pods}
        free = (index for index in range(len(pods) + wanted) if f"{name}-7d9f-{index}" not in names)
        for _ in range(len(pods), wanted):
            self._start_pod(deployment, next(free))
        for pod in sorted(pods, key=lambda item: item["metadata"]["name"])[wanted:]:
            self._remove("pods", pod)
        for pod in pods[:wanted]:
            self._live(deployment, pod)

    def _start_pod(self, deployment: Object, index: int) -> None:
        meta = deployment["metadata"]
        labels = {key: meta["labels"][key] for key in (RELEASE_LABEL, REVISION_LABEL)}
        owner = {
            "apiVersion": "apps/v1",
            "kind": "ReplicaSet",
            "name": f"{meta['name']}-7d9f",
            "uid": "rs",
            "controller": True,
        }
        name = f"{meta['name']}-7d9f-{index}"
        pod_meta = {"name": name, "namespace": "shop", "labels": labels, "ownerReferences": [owner]}
        nodes = self.server.all("Node")
        open_ones = [node["metadata"]["name"] for node in nodes if not node["spec"].get("unschedulable")]
        spec = {"nodeName": open_ones[0]} if open_ones else {}
        self.server.put({"apiVersion": "v1", "kind": "Pod", "metadata": pod_meta, "spec": spec, "status": {}})

    def _live(self, deployment: Object, pod: Object) -> None:
        image = deployment["metadata"]["annotations"][IMAGE_ANNOTATION]
        ready = {
            "phase": "Running",
            "podIP": "127.0.0.1",
            "conditions": [{"type": "Ready", "status": "True"}],
            "containerStatuses": [{"name": "app", "ready": True, "restartCount": 0, "state": {"running": {}}}],
        }
        if self.server.all("Node") and "nodeName" not in pod["spec"]:
            return  # nobody has room for it
        state = next((state for part, state in self.broken.items() if part in image), ready)
        if pod["status"] != state:
            self.server.put({**deepcopy(pod), "status": deepcopy(state)})

    def _accept(self, route: Object) -> None:
        generation = route["metadata"]["generation"]
        parents = [self._parent(ref, generation) for ref in route["spec"]["parentRefs"]]
        if (route.get("status") or {}).get("parents") != parents:
            self.server.put({**deepcopy(route), "status": {"parents": parents}})

    def _parent(self, ref: Object, generation: int) -> Object:
        verdict = "True" if self.accept else "False"
        conditions = [
            {"type": kind, "status": verdict, "observedGeneration": generation, "reason": "Said", "message": "so"}
            for kind in ("Accepted", "ResolvedRefs")
        ]
        return {"parentRef": deepcopy(ref), "controllerName": "test/gateway", "conditions": conditions}

    def _remove(self, plural: str, item: Object) -> None:
        meta = item["metadata"]
        self.server.remove(self.server.key("/api/v1", plural, meta["namespace"], meta["name"]))


VIRTUAL_TIME = "GRAYLING_VIRTUAL_TIME"
"""Set where tests of an engine are to take no time: the server is called and not connected to. `make mutants` does."""


@asynccontextmanager
async def serving() -> AsyncIterator[ApiServer]:
    if os.environ.get(VIRTUAL_TIME):
        yield InProcess()
        return
    async with running() as server:
        yield server


@asynccontextmanager
async def plant() -> AsyncIterator[Plant]:
    async with serving() as server:
        made = Plant(server, Callers(server))
        operator = asyncio.create_task(made.operate())
        try:
            yield made
        finally:
            operator.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await operator


def _clock() -> dict[str, Callable[[], float]]:
    """The engine's clock where time is virtual; where it is not, the engine has its own."""
    if not os.environ.get(VIRTUAL_TIME):
        return {}
    return {"clock": lambda: time.time() + asyncio.get_running_loop().time() - time.monotonic()}
