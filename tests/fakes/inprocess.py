"""The fake API server without a socket, so that the real client and the real engine run in virtual time.

It stands in for the client's HTTP session: the same requests, the same answers, and whatever a network does to them.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import aiohttp

from kube.cluster import Cluster
from kube.connect import Connection
from tests.fakes.apiserver import EXPIRED, PATH, PLURALS, ApiServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

LATENCY = 0.004
"""Seconds that a request takes."""


@dataclass
class Request:
    """As much of a request as the server's core looks at."""

    method: str
    path: str
    query: Mapping[str, str]
    content_type: str
    raw: bytes

    async def text(self) -> str:
        return self.raw.decode()


@dataclass
class Content:
    """The body of an answer, whole or line by line."""

    raw: bytes = b""
    torn: bool = False
    lines: AsyncIterator[bytes] | None = None

    async def read(self, most: int = -1) -> bytes:
        if self.torn:
            raise aiohttp.ClientPayloadError("torn")
        return self.raw if most < 0 else self.raw[:most]

    async def iter_any(self) -> AsyncIterator[bytes]:
        yield await self.read()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if self.lines is None:
            yield await self.read()
            return
        async for line in self.lines:
            yield line


@dataclass
class Response:
    status: int
    content: Content
    headers: Mapping[str, str] = field(default_factory=dict)

    def release(self) -> None:
        """Nothing is kept open."""


class InProcess(ApiServer):
    """An API server that is called and not connected to.

    Attributes:
        chaos: asked before each request what becomes of it: nothing, a status, or one of ``hang``, ``refuse``,
            ``torn`` (answered by half an answer, after it was done) and ``lost`` (done, and never answered).
        silent: watches bring nothing although they are open.
        asked: how many requests there were.
    """

    def __init__(self) -> None:
        super().__init__()
        self.chaos: Callable[[str, str], int | str | None] = lambda _method, _path: None
        self.silent = False
        self.asked = 0
        self.dead: set[str] = set()

    @property
    def down(self) -> bool:
        """Nobody answers, and watches are cut."""
        return self._down

    @down.setter
    def down(self, gone: bool) -> None:
        self._down = gone
        for *_, queue in self.watchers if gone else ():
            queue.put_nowait(None)  # wakes the watch, which then ends

    def cluster(self, namespace: str = "shop") -> Cluster:
        async def bearer() -> str | None:
            return None

        connection = Connection("http://fake", ssl.create_default_context(), namespace, bearer)
        return Cluster(connection, Session(self))  # type: ignore[arg-type]

    def is_attended(self) -> bool:
        """Whether somebody who is alive holds every Lease there is."""
        holders = [item["spec"].get("holderIdentity") for item in self.all("Lease")]
        return bool(holders) and all(holder and holder not in self.dead for holder in holders)

    async def serve(self, request: Request, limit: float | None) -> Response:
        """One request, and what becomes of it."""
        self.asked += 1
        await asyncio.sleep(LATENCY)
        fate = self.chaos(request.method, request.path)
        if self.down or fate == "refuse":
            raise aiohttp.ClientConnectionError("connection refused")
        if isinstance(fate, int):
            return _said(fate, {"kind": "Status", "code": fate, "message": "chaos", "reason": "Chaos"})
        if fate == "hang":
            await asyncio.sleep(limit or 75.0)
            raise aiohttp.ServerTimeoutError("no answer")
        answer = await self._served(request)
        if fate == "lost":
            await asyncio.sleep(limit or 75.0)
            raise aiohttp.ServerTimeoutError("no answer")
        if fate == "torn":
            answer.content = Content(torn=True)
        return answer

    async def _served(self, request: Request) -> Response:
        if fault := self._fault(request):  # type: ignore[arg-type]
            return _said(fault.status, {"code": fault.status, "message": fault.message})
        found = PATH.match(request.path)
        if found is None or (found["base"], found["plural"]) not in PLURALS:
            return _said(404, {"code": 404, "message": f"no such path {request.path}", "reason": "NotFound"})
        if request.query.get("watch"):
            if self._is_forgotten(request):  # type: ignore[arg-type]
                return Response(200, Content(EXPIRED))
            return Response(
                200, Content(lines=self._lines(request, found["base"], found["plural"], found["namespace"]))
            )
        body = json.loads(request.raw or b"null")
        if request.method != "GET" and not request.query.get("dryRun"):
            self.writes.append((request.method, request.path, body))
        answer: Any = await self._answer(request, found, body)  # type: ignore[arg-type]
        return Response(answer.status, Content(bytes(answer.body)))

    async def _lines(self, request: Request, base: str, plural: str, namespace: str | None) -> AsyncIterator[bytes]:
        queue: asyncio.Queue[Any] = asyncio.Queue()
        entry = (base, plural, namespace or "", request.query.get("labelSelector", ""), queue)
        self.watchers.append(entry)
        self._replay(entry, int(request.query.get("resourceVersion") or "0"))
        try:
            async with asyncio.timeout(60.0):
                while True:
                    event = await queue.get()
                    await asyncio.sleep(LATENCY / 2)
                    while self.silent:
                        await asyncio.sleep(1.0)
                    if self.down or event is None:
                        raise aiohttp.ClientPayloadError("cut")
                    yield json.dumps(event).encode() + b"\n"
        except TimeoutError:
            return
        finally:
            self.watchers.remove(entry)


def _said(code: int, body: Mapping[str, Any]) -> Response:
    headers = {"Retry-After": "1"} if code == 429 else {}
    return Response(code, Content(json.dumps(body).encode()), headers)


class Session:
    """Stands in for the client's HTTP session."""

    def __init__(self, server: InProcess) -> None:
        self._server = server

    async def request(self, method: str, url: str, **rest: Any) -> Response:
        headers = rest.get("headers") or {}
        timeout = rest.get("timeout")
        made = Request(
            method,
            urlsplit(url).path,
            rest.get("params") or {},
            headers.get("Content-Type", "application/json").partition(";")[0],
            rest.get("data") or b"",
        )
        limit = timeout.total if timeout is not None else None
        try:
            async with asyncio.timeout(limit):
                return await self._server.serve(made, limit)
        except TimeoutError as error:
            raise aiohttp.ServerTimeoutError("no answer") from error

    async def close(self) -> None:
        """Nothing is kept open."""
