"""The middleware around every answer: who gave it, how long it took, what it counts as, and the fault in force."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from aiohttp import hdrs, web

from shop.faults import InjectedError
from shop.metrics import IN_FLIGHT, answered

if TYPE_CHECKING:
    from aiohttp.typedefs import Handler, Middleware

    from shop.serving import Service

log = logging.getLogger("shop.answers")


def failed(status: int, message: str) -> web.Response:
    """An error as this shop says it."""
    return web.json_response({"error": message}, status=status)


def signed(service: Service) -> Middleware:
    """Wrap every handler: strike it with the fault, count it, sign it with ``X-Version`` and ``X-Pod``."""
    version, pod = service.settings.version, service.settings.pod

    @web.middleware
    async def around(request: web.Request, handler: Handler) -> web.StreamResponse:
        started = time.perf_counter()
        with IN_FLIGHT.track_inprogress():
            response = await _answer(service, request, handler)
        response.headers["X-Version"] = version
        response.headers["X-Pod"] = pod
        if service.draining:
            response.force_close()  # the caller's pool lets go of this connection before we close it
        answered(_method(request), _route(request), response.status)(time.perf_counter() - started)
        return response

    return around


async def _answer(service: Service, request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        await service.faults.strike()
        return await handler(request)
    except InjectedError as error:
        log.error("%s %s failed: %s", request.method, request.path, error)  # noqa: TRY400 - no traceback, it is meant
        return failed(error.status, str(error))
    except web.HTTPException as error:
        return failed(error.status, error.reason)
    except Exception:
        log.exception("%s %s failed", request.method, request.path)
        return failed(500, "internal error")


def _route(request: web.Request) -> str:
    """The route's template: as a label it must have few values, whatever paths strangers try."""
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else "none"


def _method(request: web.Request) -> str:
    return request.method if request.method in hdrs.METH_ALL else "other"
