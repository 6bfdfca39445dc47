"""The engine's small HTTP face: `/metrics`, `/healthz` (the process lives) and `/readyz` (its watches are up)."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from rollout.engine.metrics import REGISTRY

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from prometheus_client import CollectorRegistry


@asynccontextmanager
async def serve_metrics(
    port: int | None, ready: Callable[[], bool], registry: CollectorRegistry = REGISTRY
) -> AsyncIterator[None]:
    """Serve while the context is open; no port, no server."""
    if port is None:
        yield
        return
    app = web.Application()
    app.router.add_get("/metrics", _metrics(registry))
    app.router.add_get("/healthz", _alive)
    app.router.add_get("/readyz", _ready(ready))
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "0.0.0.0", port).start()  # noqa: S104 - Prometheus comes from outside the pod
    try:
        yield
    finally:
        await runner.cleanup()


def _metrics(registry: CollectorRegistry) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    return answer


async def _alive(_: web.Request) -> web.Response:
    return web.Response(text="ok\n")


def _ready(ready: Callable[[], bool]) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def answer(_: web.Request) -> web.Response:
        up = ready()
        return web.Response(text="ready\n" if up else "watches are down\n", status=200 if up else 503)

    return answer
