"""An API server small enough to break at will: real HTTP, real watches, optimistic locks, JSON Patch and refusals.

The cluster tests run against the real thing; this one exists for what a real one will not do on request: answer 409 to
the third write, be gone for two seconds, or show what was written in which order.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import re
from collections import deque
from contextlib import asynccontextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiohttp import web
from pydantic import ValidationError

from kube.cluster import Cluster
from kube.connect import Connection
from kube.kinds import KNOWN, Kind
from rollout.spec import Spec
from tests.fakes.who_wrote import applied, updated

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

Object = dict[str, Any]
PLURALS = {(kind.base, kind.plural): kind for kind in KNOWN.values()}
PATH = re.compile(
    r"^(?P<base>/api/v1|/apis/[^/]+/[^/]+)(?:/namespaces/(?P<namespace>[^/]+)(?=/))?/(?P<plural>[^/]+)"
    r"(?:/(?P<name>[^/]+))?(?:/(?P<sub>status|scale))?$"
)


MOST_BYTES = 1_572_864
FIELDS = {
    "Deployment": {
        "minReadySeconds",
        "paused",
        "progressDeadlineSeconds",
        "replicas",
        "revisionHistoryLimit",
        "selector",
        "strategy",
        "template",
    }
}
"""What a spec may have, of the kinds whose applied objects are held against their schema."""


@dataclass
class Fault:
    method: str
    path: str
    status: int
    times: int
    message: str = "injected"


@dataclass
class ApiServer:
    objects: dict[tuple[str, str, str, str], Object] = field(default_factory=dict)
    writes: list[tuple[str, str, Any]] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    watchers: list[tuple[str, str, str, str, asyncio.Queue[Object]]] = field(default_factory=list)
    log: deque[tuple[int, str, tuple[str, str, str, str], Object]] = field(default_factory=lambda: deque(maxlen=500))
    down: bool = False
    ownership: bool = False  # keep who wrote which field, and refuse an apply over another writer's
    late: float = 0.0  # seconds between a write, which watchers see at once, and its answer
    counter: Any = field(default_factory=lambda: itertools.count(1))
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

    # ------------------------------------------------------------------ the store

    def key(self, base: str, plural: str, namespace: str | None, name: str) -> tuple[str, str, str, str]:
        return base, plural, namespace or "", name

    def put(self, item: Object) -> Object:
        """Store an object as some controller would; watchers see it."""
        kind = KNOWN[item["apiVersion"], item["kind"]]
        key = self.key(kind.base, kind.plural, item["metadata"].get("namespace"), item["metadata"]["name"])
        known = self.objects.get(key)
        meta = item["metadata"]
        meta["resourceVersion"] = str(next(self.counter))
        meta.setdefault("uid", f"uid-{meta['name']}")
        meta.setdefault("creationTimestamp", moment(int(meta["resourceVersion"])))
        if known is None:
            meta.setdefault("generation", 1)
        else:
            same = known.get("spec") == item.get("spec")
            meta["generation"] = known["metadata"].get("generation", 1) + (0 if same else 1)
        if meta.get("deletionTimestamp") and not meta.get("finalizers"):
            self.remove(key)
            return item
        self.objects[key] = deepcopy(item)
        self._publish("ADDED" if known is None else "MODIFIED", key, item)
        return item

    def remove(self, key: tuple[str, str, str, str]) -> None:
        if item := self.objects.pop(key, None):
            item["metadata"]["resourceVersion"] = str(next(self.counter))
            self._publish("DELETED", key, item)
            for other, child in list(self.objects.items()):
                owners = child["metadata"].get("ownerReferences") or []
                if any(owner["uid"] == item["metadata"]["uid"] for owner in owners):
                    self.remove(other)

    def find(self, kind: str, name: str, namespace: str = "shop") -> Object | None:
        for (_, _, where, called), item in self.objects.items():
            if (item["kind"], called, where) == (kind, name, namespace):
                return item
        return None

    def all(self, kind: str) -> list[Object]:
        return [item for item in self.objects.values() if item["kind"] == kind]

    def _publish(self, event: str, key: tuple[str, str, str, str], item: Object) -> None:
        self.log.append((int(item["metadata"]["resourceVersion"]), event, key, deepcopy(item)))
        for base, plural, namespace, labels, queue in self.watchers:
            if (base, plural) == key[:2] and namespace in {"", key[2]} and matches(item, labels):
                queue.put_nowait({"type": event, "object": deepcopy(item)})

    # ------------------------------------------------------------------ HTTP

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        if self.down:
            assert request.transport is not None
            request.transport.close()
            raise web.HTTPServiceUnavailable
        if fault := self._fault(request):
            return status(fault.status, fault.message)
        found = PATH.match(request.path)
        if found is None or (found["base"], found["plural"]) not in PLURALS:
            return status(404, f"no such path {request.path}")
        body = json.loads(await request.text() or "null")
        if request.method != "GET":
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

    async def _watch(self, request: web.Request, base: str, plural: str, namespace: str) -> web.StreamResponse:
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

    def _replay(self, entry: tuple[str, str, str, str, asyncio.Queue[Object]], since: int) -> None:
        """What changed between the list and the watch; the real server keeps it too."""
        base, plural, namespace, labels, queue = entry
        for version, event, (b, p, ns, _), item in self.log:
            if (
                since < version
                and since
                and (b, p) == (base, plural)
                and namespace in {"", ns}
                and matches(item, labels)
            ):
                queue.put_nowait({"type": event, "object": deepcopy(item)})

    def _create(self, request: web.Request, body: Object, kind: Kind, namespace: str) -> web.Response:
        base, plural = kind.base, kind.plural
        meta = body["metadata"]
        if "name" not in meta:
            meta["name"] = f"{meta['generateName']}{next(self.counter)}"
        if self.key(base, plural, namespace, meta["name"]) in self.objects:
            return status(409, f"{plural} {meta['name']!r} already exists", "AlreadyExists")
        made = {"apiVersion": kind.api_version, "kind": kind.kind, **body, "metadata": {**meta, "namespace": namespace}}
        if refusal := refused({}, made):
            return refusal
        if self.ownership:
            made = updated(None, made, request.query.get("fieldManager") or "python-client")
        return web.json_response(self.put(made), status=201)

    def _apply(
        self, request: web.Request, key: tuple[str, str, str, str], known: Object | None, body: Object
    ) -> web.Response:
        if self.ownership:
            manager, force = request.query["fieldManager"], request.query.get("force") == "true"
            made, conflict = applied(known, body, manager, force=force)
            if made is None:
                return status(409, conflict, "Conflict")
            merged = made
        else:
            merged = merge(deepcopy(known), body) if known else deepcopy(body)
        merged["metadata"].setdefault("namespace", key[2])
        if unknown := set(merged.get("spec") or ()) - FIELDS.get(merged["kind"], set(merged.get("spec") or ())):
            return status(
                500, f"failed to create typed patch object: .spec.{min(unknown)}: field not declared in schema"
            )
        if refusal := refused(known or {}, merged):
            return refusal
        if request.query.get("dryRun"):
            return web.json_response(merged)
        return web.json_response(self.put(merged))

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
        if refusal := refused(known, changed):
            return refusal
        if self.ownership and sub is None:
            changed = updated(known, changed, request.query.get("fieldManager") or "python-client")
        if len(json.dumps(changed)) > MOST_BYTES:
            return status(413, f"Request entity too large: limit is {MOST_BYTES}", "RequestEntityTooLarge")
        return web.json_response(self.put(changed))


def mistaken(method: str, known: Object, body: Any) -> web.Response | None:
    """The answer to a change that was meant for another object, or for another state of it."""
    meta = body.get("metadata", {}) if isinstance(body, dict) else {}
    version, uid = known["metadata"]["resourceVersion"], known["metadata"]["uid"]
    if meta.get("resourceVersion", version) != version:
        return status(409, "the object has been modified", "Conflict")
    if meta.get("uid", uid) == uid:
        return None
    if method == "PUT":
        return status(409, f"Precondition failed: UID in precondition: {meta['uid']}", "Conflict")
    return status(422, f"metadata.uid: Invalid value: {meta['uid']!r}: field is immutable", "Invalid")


def refused(known: Object, changed: Object) -> web.Response | None:
    """The answer to an object that its schema refuses, or to a change of what cannot be changed."""
    if changed["kind"] == "GrayRelease" and known.get("spec") != changed.get("spec"):
        try:
            Spec.model_validate(changed.get("spec"))
        except ValidationError as error:
            return status(422, f"GrayRelease is invalid: {error.errors()[0]['msg']}", "Invalid")
    for field_name in ("data", "binaryData"):
        if known.get("immutable") and known.get(field_name) != changed.get(field_name):
            return status(422, f"{field_name}: Forbidden: field is immutable when `immutable` is set", "Invalid")
    selectors = [(each.get("spec") or {}).get("selector") for each in (known, changed)]
    if known and changed["kind"] == "Deployment" and selectors[0] != selectors[1]:
        return status(422, f"spec.selector: Invalid value: {selectors[1]}: field is immutable", "Invalid")
    return None


def moment(version: int) -> str:
    """A creation time that grows with the version."""
    minutes, seconds = divmod(version, 60)
    return f"2026-01-01T{minutes // 60:02d}:{minutes % 60:02d}:{seconds:02d}Z"


def status(code: int, message: str, reason: str = "") -> web.Response:
    return web.json_response({"kind": "Status", "code": code, "message": message, "reason": reason}, status=code)


def matches(item: Object, selector: str) -> bool:
    labels = item["metadata"].get("labels") or {}
    for part in filter(None, selector.split(",")):
        name, _, value = part.partition("=")
        if name not in labels or (value and labels[name] != value):
            return False
    return True


def merge(base: Any, patch: Any) -> Any:
    if not isinstance(patch, dict) or not isinstance(base, dict):
        return deepcopy(patch)
    for key, value in patch.items():
        if value is None:
            base.pop(key, None)
        else:
            base[key] = merge(base.get(key, {}), value)
    return base


def json_patch(document: Any, operations: list[Object]) -> Any:
    for operation in operations:
        *parents, last = [part.replace("~1", "/").replace("~0", "~") for part in operation["path"].split("/")[1:]]
        target = document
        for part in parents:
            target = target[int(part)] if isinstance(target, list) else target[part]
        index: Any = (len(target) if last == "-" else int(last)) if isinstance(target, list) else last
        match operation["op"]:
            case "test":
                assert target[index] == operation["value"], operation
            case "add" if isinstance(target, list):
                target.insert(index, operation["value"])
            case "add" | "replace":
                if operation["op"] == "replace":
                    target[index]
                target[index] = operation["value"]
            case "remove":
                del target[index]
    return document


@asynccontextmanager
async def running() -> AsyncIterator[ApiServer]:
    server = ApiServer()
    await server.start()
    try:
        yield server
    finally:
        await server.stop()
