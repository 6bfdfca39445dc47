"""A cluster on paper: the tests' API server, pods that are only objects, and proxies that count requests nobody sends.

All in one process of its own, so that what it costs is told apart from what the engine costs. The engine cannot tell:
it lists and watches, writes weights, and reads each proxy's `/stats` and each pod's `/metrics` over HTTP.
"""

from __future__ import annotations

import asyncio
import time
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from aiohttp import web

from kube.kinds import KNOWN
from rollout.api.revision import RELEASE_LABEL, REVISION_LABEL
from tests.fakes.apiserver import ApiServer

Object = dict[str, Any]
NAMESPACE, GATEWAY = "shop", "gateway"
START_SECONDS = 0.3
"""A pod needs so long to become ready."""

REQUESTS_A_SECOND = 100.0
PROXIES = 2
BY_NAME = {kind.kind: kind for kind in KNOWN.values()}


@dataclass
class Counted:
    """Requests to one revision, as one proxy has counted them."""

    requests: float = 0.0
    failed: float = 0.0


@dataclass
class Paper(ApiServer):
    """The platform."""

    broken: dict[str, float] = field(default_factory=dict)
    zeros: dict[str, float] = field(default_factory=dict)
    stats_port: int = 0
    pages: int = 0
    signals: tuple[Object, ...] = ()
    _changed: asyncio.Queue[tuple[str, Object]] = field(default_factory=asyncio.Queue)
    _weights: dict[str, dict[str, int]] = field(default_factory=dict)
    _counted: dict[str, Counted] = field(default_factory=dict)
    _counted_at: float = field(default_factory=time.monotonic)
    _pods: dict[str, list[str]] = field(default_factory=dict)
    _runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Serve the API and the statistics."""
        await super().start()
        app = web.Application()
        app.router.add_get("/stats", self._stats)
        app.router.add_get("/metrics", self._metrics)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.stats_port = self._runner.addresses[0][1]
        for number in range(PROXIES):
            self.put(self._pod(f"envoy-{number}", GATEWAY, {"app": "envoy"}, "envoy-7d9f"))

    async def stop(self) -> None:
        """Serve nothing any more."""
        await super().stop()
        if self._runner:
            await self._runner.cleanup()

    def find(self, kind: str, name: str, namespace: str = NAMESPACE) -> Object | None:
        """One object, without looking at all of them."""
        known = BY_NAME[kind]
        return self.objects.get(self.key(known.base, known.plural, namespace, name))

    # ------------------------------------------------------------------ what people do

    def declare(self, name: str, image: str, steps: list[Object]) -> None:
        """Ask for a version of a release."""
        known = self.find("GrayRelease", name)
        fresh = self._release(name, image, steps)
        if known:
            fresh["metadata"] = deepcopy(known["metadata"])
            fresh["status"] = deepcopy(known.get("status"))
        self.put(fresh)

    def _release(self, name: str, image: str, steps: list[Object]) -> Object:
        spec = {
            "workload": {
                "replicas": 2,
                "template": {"spec": {"containers": [{"name": "app", "image": image}]}},
                "ports": [{"name": "http", "port": 80, "targetPort": 8080}],
            },
            "traffic": {"parents": [{"name": "public", "namespace": GATEWAY}], "hostnames": [f"{name}.local"]},
            "strategy": {"steps": steps, "bake": "10m", "drain": "1s"},
            "analysis": {"signals": list(self.signals)},
            "sources": {
                "gateway": {"namespace": GATEWAY, "selector": {"app": "envoy"}, "port": self.stats_port},
                "pods": {"port": self.stats_port, "path": "/metrics"},
            },
        }
        spec["sources"].pop("pods")
        meta = {"name": name, "namespace": NAMESPACE, "uid": f"release-{name}", "annotations": {}}
        return {"apiVersion": "grayling.dev/v1alpha1", "kind": "GrayRelease", "metadata": meta, "spec": spec}

    # ------------------------------------------------------------------ who runs it

    def _publish(self, event: str, key: tuple[str, str, str, str], item: Object) -> None:
        super()._publish(event, key, item)
        if item["kind"] == "HTTPRoute":
            self._route(item)
        if item["kind"] in {"Deployment", "HTTPRoute"}:
            self._changed.put_nowait((event, deepcopy(item)))

    def _route(self, route: Object) -> None:
        """Weights are in force from the moment they are written."""
        self._count()
        refs = route["spec"]["rules"][0]["backendRefs"]
        weights = {ref["name"]: int(ref.get("weight", 1)) for ref in refs}
        name = route["metadata"]["name"]
        if any(weight and weights.get(backend) == 0 for backend, weight in self._weights.get(name, {}).items()):
            self.zeros[name] = time.monotonic()
        self._weights[name] = weights

    async def operate(self) -> None:
        """Run pods and accept routes, as they change."""
        while True:
            event, item = await self._changed.get()
            if item["kind"] == "HTTPRoute":
                self._accept(item)
            else:
                self._scale(item, 0 if event == "DELETED" else int(item["spec"]["replicas"]))

    def _accept(self, route: Object) -> None:
        found = self.find("HTTPRoute", route["metadata"]["name"])
        if found is None:
            return
        generation = found["metadata"]["generation"]
        conditions = [
            {"type": kind, "status": "True", "observedGeneration": generation, "reason": "Said", "message": "so"}
            for kind in ("Accepted", "ResolvedRefs")
        ]
        parents = [
            {"parentRef": deepcopy(ref), "controllerName": "paper/gateway", "conditions": conditions}
            for ref in found["spec"]["parentRefs"]
        ]
        if (found.get("status") or {}).get("parents") != parents:
            self.put({**deepcopy(found), "status": {"parents": parents}})

    def _scale(self, deployment: Object, wanted: int) -> None:
        revision = deployment["metadata"]["name"]
        pods = self._pods.setdefault(revision, [])
        while len(pods) > wanted:
            self.remove(self.key("/api/v1", "pods", NAMESPACE, pods.pop()))
        labels = {key: deployment["metadata"]["labels"][key] for key in (RELEASE_LABEL, REVISION_LABEL)}
        while len(pods) < wanted:
            name = f"{revision}-7d9f-{len(pods)}"
            pods.append(name)
            made = self._pod(name, NAMESPACE, labels, f"{revision}-7d9f")
            ready = made.pop("status")
            self.put({**deepcopy(made), "status": {"phase": "Pending"}})
            asyncio.get_running_loop().call_later(START_SECONDS, self._started, {**made, "status": ready})

    def _started(self, pod: Object) -> None:
        found = self.find("Pod", pod["metadata"]["name"], pod["metadata"]["namespace"])
        if found is not None:
            self.put({**deepcopy(found), "status": pod["status"]})

    def _pod(self, name: str, namespace: str, labels: Object, owner: str) -> Object:
        since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        controller = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": owner, "uid": "rs", "controller": True}
        running = {"name": "app", "ready": True, "restartCount": 0, "state": {"running": {"startedAt": since}}}
        return {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": name,
                "namespace": namespace,
                "labels": labels,
                "ownerReferences": [controller],
                "uid": f"pod-{name}",
                "creationTimestamp": since,
            },
            "spec": {"containers": [{"name": "app", "ports": [{"name": "metrics", "containerPort": self.stats_port}]}]},
            "status": {
                "phase": "Running",
                "podIP": "127.0.0.1",
                "startTime": since,
                "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": since}],
                "containerStatuses": [running],
            },
        }

    # ------------------------------------------------------------------ what proxies and pods say

    def _count(self) -> None:
        """Let the time since the last count bring its requests."""
        now = time.monotonic()
        passed, self._counted_at = now - self._counted_at, now
        for name, weights in self._weights.items():
            total = sum(weights.values()) or 1
            for revision, weight in weights.items():
                here = self._counted.setdefault(revision, Counted())
                requests = passed * REQUESTS_A_SECOND / PROXIES * weight / total
                here.requests += requests
                if weight != max(weights.values()):
                    here.failed += requests * self.broken.get(name, 0.0)

    async def _stats(self, request: web.Request) -> web.Response:
        """As Envoy shows it: the clusters that the filter names, or all."""
        self.pages += 1
        self._count()
        asked = unquote(request.query_string)
        lines = [f"server.uptime: {int(time.monotonic())}"]
        for revision, each in self._counted.items():
            cluster = f"{NAMESPACE}_{revision}"
            if "[^.]+" in asked or cluster in asked:
                lines += self._lines(f"cluster.{cluster}_80", revision, int(each.requests), int(each.failed))
        return web.Response(text="\n".join(lines) + "\n")

    def _lines(self, cluster: str, revision: str, requests: int, failed: int) -> list[str]:
        shown = {
            "membership_healthy": len(self._pods.get(revision, ())),
            "upstream_cx_none_healthy": 0,
            "upstream_cx_protocol_error": 0,
            "upstream_rq_active": 0,
            "upstream_rq_cancelled": 0,
            "upstream_rq_completed": requests,
            "upstream_rq_pending_active": 0,
            "upstream_rq_pending_failure_eject": 0,
            "upstream_rq_pending_overflow": 0,
            "upstream_rq_retry": 0,
            "upstream_rq_total": requests,
            "upstream_rq_503": failed,
            "warming_state": 0,
        }
        return [f"{cluster}.{name}: {value}" for name, value in shown.items() if value or name in _SHOWN]

    async def _metrics(self, _: web.Request) -> web.Response:
        """One page for all pods: a histogram of latency that grows with the time."""
        requests = int(50 * time.monotonic())
        edges = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1)
        parts = (0.1, 0.3, 0.7, 0.9, 0.96, 0.99, 1.0, 1.0)
        name = "http_request_duration_seconds"
        lines = [f"# TYPE {name} histogram"]
        lines += [f'{name}_bucket{{le="{le}"}} {int(p * requests)}' for le, p in zip(edges, parts, strict=True)]
        lines += [f'{name}_bucket{{le="+Inf"}} {requests}', f"{name}_count {requests}", f"{name}_sum {requests / 50}"]
        return web.Response(text="\n".join(lines) + "\n")


_SHOWN = {"warming_state", "membership_healthy"}
