"""An API server small enough to break at will: real HTTP, real watches, optimistic locks, JSON Patch and refusals.

The cluster tests run against the real thing; this one exists for what a real one will not do on request: answer 409 to
the third write, be gone for two seconds, or show what was written in which order.
"""

from __future__ import annotations

import asyncio
import json
import re
from contextlib import asynccontextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiohttp import web

from kube.cluster import Cluster
from kube.connect import Connection
from kube.kinds import KNOWN, Kind
from tests.fakes.admission import MOST_BYTES, as_stored, mistaken, refused, status, untyped
from tests.fakes.ownership import applied, updated
from tests.fakes.patches import Object, is_ready, json_patch, matches, merge
from tests.fakes.store import Store

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

PLURALS = {(kind.base, kind.plural): kind for kind in KNOWN.values()}
PATH = re.compile(
    r"^(?P<base>/api/v1|/apis/[^/]+/[^/]+)(?:/namespaces/(?P<namespace>[^/]+)(?=/))?/(?P<plural>[^/]+)"
    r"(?:/(?P<name>[^/]+))?(?:/(?P<sub>status|scale|eviction))?$"
)
WHO = "/apis/authentication.k8s.io/v1/selfsubjectreviews"

EXPIRED = (
    b"""{"type": "ERROR", "object": {"kind": "Status", "code": 410, "reason": "Expired",
 "message": "too old resource version"}}""".replace(b"\n", b"")
    + b"\n"
)


@dataclass
class Fault:
    method: str
    path: str
    status: int
    times: int
    message: str = "injected"


@dataclass
class ApiServer(Store):
    writes: list[tuple[str, str, Any]] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    down: bool = False
    person: Object | None = None  # who asks, as a review says it; None for a server that does not tell
    late: float = 0.0  # seconds between a write, which watchers see at once, and its answer
    runner: web.AppRunner | None = None
    port: int = 0

    async def start(self) -> None:
        app = web.Application()
        app.router.add_route("*", "/{tail:.*}", self._handle)
        self.runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self.runner.setup()
        site = web.TCPSite(self.runner, "127.0.0.1", self.port)
        await site.start()
        self.port = self.runner.addresses[0][1]

    async def stop(self) -> None:
        if self.runner:
            await self.runner.cleanup()
            self.runner = None

    def cluster(self, namespace: str = "shop") -> Cluster:
        import ssl

        import aiohttp

        async def bearer() -> str | None:
            return "Bearer test"

        connection = Connection(f"http://127.0.0.1:{self.port}", ssl.create_default_context(), namespace, bearer)
        return Cluster(connection, aiohttp.ClientSession())

    def fail(self, method: str, path: str, status: int, times: int = 1, message: str = "injected") -> None:
        self.faults.append(Fault(method, path, status, times, message))

    # ------------------------------------------------------------------ HTTP

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        if self.down:
            assert request.transport is not None
            request.transport.close()
            raise web.HTTPServiceUnavailable
        if fault := self._fault(request):
            return status(fault.status, fault.message)
        if request.path == WHO and self.person is not None:
            return web.json_response({"status": {"userInfo": self.person}}, status=201)
        found = PATH.match(request.path)
        if found is None or (found["base"], found["plural"]) not in PLURALS:
            return status(404, f"no such path {request.path}")
        body = json.loads(await request.text() or "null")
        if request.method != "GET" and not request.query.get("dryRun"):
            self.writes.append((request.method, request.path, body))
        answer = await self._answer(request, found, body)
        if request.method != "GET":
            await asyncio.sleep(self.late)
        return answer

    def _fault(self, request: web.Request) -> Fault | None:
        for fault in self.faults:
            if fault.method == request.method and re.search(fault.path, request.path) and fault.times > 0:
                fault.times -= 1
                return fault
        return None

    async def _answer(self, request: web.Request, found: re.Match[str], body: Any) -> web.StreamResponse:
        base, plural, namespace, name = found["base"], found["plural"], found["namespace"] or "", found["name"]
        kind = PLURALS[base, plural]
        if name is None:
            return await self._collection(request, kind, namespace, body)
        key = self.key(base, plural, namespace, name)
        known = self.objects.get(key)
        if request.method == "PATCH" and "apply-patch" in request.content_type:
            return self._apply(request, key, known, body)
        if known is None:
            return status(404, f"{plural} {name!r} not found", "NotFound")
        if found["sub"] == "eviction":
            return self._evict(key, known)
        if request.method == "GET":
            return web.json_response(known)
        if request.method == "DELETE":
            return self._delete(key, known, body or {})
        return self._modify(request, known, body, found["sub"])

    async def _collection(self, request: web.Request, kind: Kind, namespace: str, body: Any) -> web.StreamResponse:
        base, plural = kind.base, kind.plural
        if request.method == "POST":
            return self._create(request, body, kind, namespace)
        if request.method == "DELETE":
            return self._delete_collection(base, plural, namespace)
        if request.query.get("watch"):
            return await self._watch(request, base, plural, namespace)
        return self._list(request, base, plural, namespace)

    def _list(self, request: web.Request, base: str, plural: str, namespace: str) -> web.Response:
        labels = request.query.get("labelSelector", "")
        items = [
            item
            for (b, p, ns, _), item in self.objects.items()
            if (b, p) == (base, plural) and namespace in {"", ns} and matches(item, labels)
        ]
        return web.json_response({"items": items, "metadata": {"resourceVersion": str(next(self.counter))}})

    def _is_forgotten(self, request: web.Request) -> bool:
        """Whether a watch asks for what nobody knows any more; the real server says so in its first event."""
        since = int(request.query.get("resourceVersion") or "0")
        return 0 < since < self.forgotten

    async def _watch(self, request: web.Request, base: str, plural: str, namespace: str) -> web.StreamResponse:
        if self._is_forgotten(request):
            return web.Response(body=EXPIRED)
        queue: asyncio.Queue[Object] = asyncio.Queue()
        entry = (base, plural, namespace, request.query.get("labelSelector", ""), queue)
        self.watchers.append(entry)
        self._replay(entry, int(request.query.get("resourceVersion") or "0"))
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            while not self.down:
                try:
                    async with asyncio.timeout(0.2):
                        event = await queue.get()
                except TimeoutError:
                    continue
                await response.write(json.dumps(event).encode() + b"\n")
        finally:
            self.watchers.remove(entry)
        return response

    def _stored(self, request: web.Request, item: Object) -> Object:
        """Store an object as a request wants it, unless that is only a rehearsal."""
        if request.query.get("dryRun"):
            return item
        return self.put(item)

    def _create(self, request: web.Request, body: Object, kind: Kind, namespace: str) -> web.Response:
        base, plural = kind.base, kind.plural
        meta = body["metadata"]
        if "name" not in meta:
            meta["name"] = f"{meta['generateName']}{next(self.counter)}"
        if self.key(base, plural, namespace, meta["name"]) in self.objects:
            return status(409, f"{plural} {meta['name']!r} already exists", "AlreadyExists")
        made = {"apiVersion": kind.api_version, "kind": kind.kind, **body, "metadata": {**meta, "namespace": namespace}}
        made = as_stored(made)
        if refusal := refused({}, made):
            return refusal
        made = updated(None, made, writer(request))
        return web.json_response(self._stored(request, made), status=201)

    def _apply(
        self, request: web.Request, key: tuple[str, str, str, str], known: Object | None, body: Object
    ) -> web.Response:
        if refusal := untyped(body):
            return refusal
        merged, conflict = applied(known, body, writer(request), force=request.query.get("force") == "true")
        if merged is None:
            return status(409, conflict, "Conflict")
        merged["metadata"].setdefault("namespace", key[2])
        if merged["kind"] == "StatefulSet":
            merged = as_stored(merged)
        if refusal := refused(known or {}, merged):
            return refusal
        return web.json_response(self._stored(request, merged))

    def _evict(self, key: tuple[str, str, str, str], pod: Object) -> web.Response:
        """As the disruption controller counts: what is not ready may go where the budget says so."""
        for budget in self.all("PodDisruptionBudget"):
            spec, labels = budget["spec"], budget["spec"]["selector"]["matchLabels"]
            selector = ",".join(f"{name}={value}" for name, value in labels.items())
            if not matches(pod, selector) or (not is_ready(pod) and "unhealthyPodEvictionPolicy" in spec):
                continue
            assert ("minAvailable" in spec) != ("maxUnavailable" in spec), spec
            ready = sum(matches(each, selector) and is_ready(each) for each in self.all("Pod"))
            made = sum(each["spec"]["replicas"] for each in self.all("Deployment") if matches(each, selector))
            needed = spec["minAvailable"] if "minAvailable" in spec else made - spec["maxUnavailable"]
            if ready - 1 < needed:
                return status(429, "Cannot evict pod as it would violate the pod's disruption budget.", "")
        self.remove(key)
        return web.json_response({"kind": "Status", "status": "Success"}, status=201)

    def _delete_collection(self, base: str, plural: str, namespace: str) -> web.Response:
        """What a DELETE without a name does, in all its horror."""
        for key in [key for key in self.objects if key[:2] == (base, plural) and namespace in {"", key[2]}]:
            self.remove(key)
        return web.json_response({"kind": "Status", "status": "Success"})

    def _delete(self, key: tuple[str, str, str, str], known: Object, options: Object) -> web.Response:
        wanted = options.get("preconditions") or {}
        for field_name in ("uid", "resourceVersion"):
            if wanted.get(field_name, known["metadata"].get(field_name)) != known["metadata"].get(field_name):
                return status(
                    409, f"Precondition failed: {field_name} in precondition: {wanted[field_name]}", "Conflict"
                )
        if known["metadata"].get("finalizers"):
            marked = deepcopy(known)
            marked["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
            return web.json_response(self.put(marked))
        self.remove(key)
        return web.json_response({"kind": "Status", "status": "Success"})

    def _modify(self, request: web.Request, known: Object, body: Any, sub: str | None) -> web.Response:
        if refusal := mistaken(request.method, known, body):
            return refusal
        if "json-patch" in request.content_type:
            try:
                changed = json_patch(deepcopy(known), body)
            except (AssertionError, KeyError, IndexError) as error:
                return status(422, f"the server rejected our request: {error!r}", "Invalid")
        elif request.method == "PUT":
            changed = deepcopy(body)
        else:
            changed = merge(deepcopy(known), body)
        if sub == "status":
            changed = {**deepcopy(known), "status": changed.get("status")}
        elif "status" in known:
            changed["status"] = known["status"]
        changed = as_stored(changed)
        if refusal := refused(known, changed):
            return refusal
        if sub is None:
            changed = updated(known, changed, writer(request))
        if len(json.dumps(changed)) > MOST_BYTES:
            return status(413, f"Request entity too large: limit is {MOST_BYTES}", "RequestEntityTooLarge")
        return web.json_response(self._stored(request, changed))


def writer(request: web.Request) -> str:
    """The field manager that a request names, or what the real server calls one that names none."""
    return request.query.get("fieldManager") or "python-client"


@asynccontextmanager
async def running() -> AsyncIterator[ApiServer]:
    server = ApiServer()
    await server.start()
    try:
        yield server
    finally:
        await server.stop()
