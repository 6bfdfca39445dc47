"""The life of a service: ports open first, dependencies whenever they come, and on SIGTERM no request is lost."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from aiohttp import web

from shop.admin import Admin
from shop.faults import CRASHING_VERSION
from shop.metrics import INFO

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine

    from shop.faults import Faults
    from shop.settings import Settings

log = logging.getLogger("shop.serving")
KEEP_ALIVE_SECONDS = 3700.0  # a gateway lets go of an idle connection after an hour: it closes first, never we
IN_FLIGHT_SECONDS = 15.0  # longer than any answer takes, shorter than Kubernetes' patience (30 s) less the drain


class Service:
    """What both services share: the fault in force, whether we are draining, and the servers.

    ``waiting`` names the dependency readiness still waits for; once it was empty it is not asked again, so that a
    broker that goes away later does not take every pod out of service at once.
    """

    def __init__(self, name: str, settings: Settings, faults: Faults, waiting: Callable[[], str]) -> None:
        self.settings, self.faults = settings, faults
        self.draining = False
        self._waiting = waiting
        self._was_ready = False
        self._runners: list[web.AppRunner] = []
        INFO.labels(settings.version, name).set(1)

    def not_ready_because(self) -> str:
        """Empty while ready."""
        if self.draining:
            return "draining"
        reason = "" if self._was_ready else self._waiting()
        self._was_ready = self._was_ready or not reason
        return reason

    async def run(self, app: web.Application | None = None) -> None:
        """Serve the admin port, and ``app`` where there is one, until SIGTERM or SIGINT; then drain and close."""
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        if app is not None:
            await self._serve(app, self.settings.http_port)
        await self._serve(Admin(self.faults, self.not_ready_because).app(), self.settings.admin_port)
        if self.settings.version == CRASHING_VERSION:
            asyncio.get_running_loop().call_later(self.settings.crash_after_seconds, _crash)
        await stop.wait()
        await self._drain()

    async def _serve(self, app: web.Application, port: int) -> None:
        runner = web.AppRunner(
            app, access_log=None, shutdown_timeout=IN_FLIGHT_SECONDS, keepalive_timeout=KEEP_ALIVE_SECONDS
        )
        await runner.setup()
        await web.TCPSite(runner, "0.0.0.0", port, backlog=1024).start()
        self._runners.append(runner)
        log.info("listening on port %d", port)

    async def _drain(self) -> None:
        """Stop being ready, serve on until everybody has heard, then finish what is in flight and close."""
        self.draining = True
        log.info("draining for %g s", self.settings.drain_seconds)
        await asyncio.sleep(self.settings.drain_seconds)
        for runner in self._runners:  # the admin port goes last
            await runner.cleanup()
        log.info("closed")


@asynccontextmanager
async def beside(*work: Coroutine[None, None, None]) -> AsyncIterator[None]:
    """Run ``work`` while the body runs; where one of it breaks, everything stops: better restarted than half alive."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(each) for each in work]
        yield
        for task in tasks:
            task.cancel()


def _crash() -> None:
    log.critical("version %s exits now", CRASHING_VERSION)
    os._exit(1)
