"""Looks again and again, and tells Prometheus what was seen."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, generate_latest

from components.externals.prober.probe import OUTCOMES, look_at

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from components.externals.prober.probe import Look
    from components.externals.prober.target import Target


class Board:
    """The metrics of one prober; what was never seen has no series."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._up = self._gauge("external_up", "1 where the system answered as it should")
        self._took = self._gauge("external_latency_seconds", "Until the answer was there, where one came")
        self._ends = self._gauge("external_certificate_expires_timestamp_seconds", "End of the certificate")
        labels = ["endpoint", "outcome"]
        self._looks = Counter("external_looks", "Looks by how they went", labels, registry=self.registry)

    def _gauge(self, name: str, about: str) -> Gauge:
        return Gauge(name, about, ["endpoint"], registry=self.registry)

    def begin(self, target: Target) -> None:
        """Counters start at 0, so that the first failure is an increase."""
        for outcome in OUTCOMES:
            self._looks.labels(target.endpoint, outcome)

    def take(self, target: Target, look: Look) -> None:
        """What a look saw; a latency is of an answer, so it goes when none comes."""
        self._looks.labels(target.endpoint, look.outcome).inc()
        self._up.labels(target.endpoint).set(look.well)
        if look.well:
            self._took.labels(target.endpoint).set(look.seconds)
        else:
            with suppress(KeyError):
                self._took.remove(target.endpoint)
        if look.expires is not None:
            self._ends.labels(target.endpoint).set(look.expires)


async def watch(targets: Sequence[Target], port: int, say: Callable[[str], None]) -> None:
    """Serve metrics on a port, and look at every target until cancelled."""
    board = Board()
    runner = web.AppRunner(_face(board), access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "0.0.0.0", port).start()  # noqa: S104 - Prometheus comes from outside the pod
        async with asyncio.TaskGroup() as group:
            for target in targets:
                group.create_task(_looking(target, board, say))
    finally:
        await runner.cleanup()


async def _looking(target: Target, board: Board, say: Callable[[str], None]) -> None:
    before = ""
    board.begin(target)
    while True:
        look = await look_at(target)
        board.take(target, look)
        if look.outcome != before:
            say(f"{target.endpoint} {target.url}: {look.outcome}{f': {look.said}' if look.said else ''}")
        before = look.outcome
        await asyncio.sleep(max(0.0, target.every - look.seconds))


def _face(board: Board) -> web.Application:
    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(board.registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def alive(_: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    app = web.Application()
    app.router.add_get("/metrics", metrics)
    app.router.add_get("/healthz", alive)
    return app
