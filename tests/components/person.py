"""A person at `grayling stack`, and a small API server behind a real kubeconfig."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from aiohttp import web

from components.cli import cli
from kube.kinds import KNOWN
from terminal.exits import Session, run
from tests.fakes.apiserver import ApiServer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class Result(NamedTuple):
    code: int
    out: str
    err: str


@dataclass
class Person:
    """The project folder, the cluster, and what was said."""

    project: Path
    server: ApiServer
    loop: asyncio.AbstractEventLoop
    kubeconfig: str
    capsys: Any

    def stack(self, name: str, text: str) -> str:
        """Write a stack file; its path."""
        path = self.project / "stacks" / f"Pulumi.{name}.yaml"
        path.write_text(text)
        return str(path)

    def grayling(self, *arguments: str) -> Result:
        try:
            code = run(cli, [*arguments], prog_name="stack", session=Session())
        except SystemExit as end:
            code = end.code or 0
        said = self.capsys.readouterr()
        return Result(int(code), said.out, said.err)

    def on(self, *arguments: str) -> Result:
        """With the cluster."""
        return self.grayling(*arguments, "--kubeconfig", self.kubeconfig)

    def apply(self, stack: str, *more: str) -> Result:
        """Nothing in a fake becomes ready: no waiting."""
        return self.on("apply", stack, "--yes", "--timeout", "0", *more)

    def done(self, work: Callable[[], Any]) -> Any:
        """Something on the server's own thread."""

        async def call() -> Any:
            return work()

        return asyncio.run_coroutine_threadsafe(call(), self.loop).result(5)

    def labels(self) -> set[str]:
        """Everything there is."""
        return {
            "/".join(filter(None, (item["kind"], item["metadata"].get("namespace"), item["metadata"]["name"])))
            for item in self.server.objects.values()
        }


class Discovered(ApiServer):
    """It tells which kinds it has, as the first question of a command is.

    ``meanwhile`` is done before the first request that it fits, once: what somebody else does at that moment.
    """

    meanwhile: tuple[str, Callable[[], Any]] | None = None

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        if self.meanwhile and self.meanwhile[0] in f"{request.method} {request.path}":
            work, self.meanwhile = self.meanwhile[1], None
            work()
        found = [kind for kind in KNOWN.values() if kind.base == request.path]
        if not found or self._fault(request):
            return await super()._handle(request)
        named = [{"name": kind.plural, "kind": kind.kind, "namespaced": kind.namespaced} for kind in found]
        return web.json_response({"resources": named})


class Behind:
    """The server in a thread of its own."""

    def __enter__(self) -> tuple[ApiServer, asyncio.AbstractEventLoop]:
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.server = Discovered()
        asyncio.run_coroutine_threadsafe(self.server.start(), self.loop).result(5)
        return self.server, self.loop

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self.server.stop(), self.loop).result(5)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(5)
        self.loop.close()
