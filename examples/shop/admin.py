"""The admin port: liveness, readiness, metrics, and the switch that breaks the pod at a known moment."""

from __future__ import annotations

import json
import logging
import os
import time
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from shop.faults import FaultError

if TYPE_CHECKING:
    from collections.abc import Callable

    from shop.faults import Faults

log = logging.getLogger("shop.admin")
CRASH_EXIT_CODE = 3


class Admin:
    """``waiting()`` names what readiness still waits for; empty means ready. Liveness never asks it."""

    def __init__(self, faults: Faults, waiting: Callable[[], str]) -> None:
        self._faults, self._waiting = faults, waiting

    def app(self) -> web.Application:
        """The application to serve on the admin port."""
        app = web.Application()
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/readyz", self._readyz)
        app.router.add_get("/metrics", self._metrics)
        app.router.add_post("/fault", self._fault)
        return app

    async def _healthz(self, _: web.Request) -> web.Response:
        return web.json_response({"alive": True})

    async def _readyz(self, _: web.Request) -> web.Response:
        reason = "a fault was switched on" if self._faults.now.unready else self._waiting()
        return web.json_response({"ready": not reason, "waiting_for": reason}, status=503 if reason else 200)

    async def _metrics(self, _: web.Request) -> web.Response:
        return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def _fault(self, request: web.Request) -> web.StreamResponse:
        try:
            wished = self._faults.now.changed(await request.json())
        except FaultError as error:
            return web.json_response({"error": str(error)}, status=400)
        except json.JSONDecodeError as error:
            return web.json_response({"error": f"body: not JSON: {error}"}, status=400)
        self._faults.now = replace(wished, crash=False)
        at = time.time()
        log.warning("fault switched to %s", wished)
        response = web.json_response({"at": round(at, 6), "fault": asdict(wished)})
        if wished.crash:
            await response.prepare(request)
            await response.write_eof()
            os._exit(CRASH_EXIT_CODE)  # as a crash does it: nobody is asked, nothing is drained
        return response
