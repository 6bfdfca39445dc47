"""One span for each request, sent to a collector by OTLP as JSON; nobody waits for it, and what is too much is dropped.

Where no collector is named there are no spans. The variables are those that OpenTelemetry's libraries read.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import ssl
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import aiohttp
from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp.typedefs import Handler, Middleware

log = logging.getLogger("shop.tracing")
MOST_WAITING = 1000
SERVER = 2
FAILED = 2
_PARENT = 4
"""Parts of a `traceparent`: version, trace, span, flags."""


class Tracer:
    """Keeps spans until they are sent."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._url = env.get("OTEL_EXPORTER_OTLP_ENDPOINT", "")
        self._headers = dict(
            unquote(each).split("=", 1) for each in env.get("OTEL_EXPORTER_OTLP_HEADERS", "").split(",") if "=" in each
        )
        self._authority = env.get("OTEL_EXPORTER_OTLP_CERTIFICATE") or None
        self._service = env.get("OTEL_SERVICE_NAME", "shop")
        self._waiting: asyncio.Queue[dict[str, Any]] = asyncio.Queue(MOST_WAITING)

    def middleware(self) -> Middleware:
        """Times each request."""

        @web.middleware
        async def traced(request: web.Request, handler: Handler) -> web.StreamResponse:
            if not self._url:
                return await handler(request)
            trace, parent = _parent(request.headers.get("traceparent", ""))
            span = {"traceId": trace, "spanId": secrets.token_hex(8), "parentSpanId": parent, "kind": SERVER}
            span |= {"name": f"{request.method} {_route(request)}", "startTimeUnixNano": str(time.time_ns())}
            status = 500
            try:
                answer = await handler(request)
                status = answer.status
                return answer
            finally:
                self._end(span, status)

        return traced

    def _end(self, span: dict[str, Any], status: int) -> None:
        failed = {"status": {"code": FAILED}} if status >= web.HTTPInternalServerError.status_code else {}
        about = [{"key": "http.response.status_code", "value": {"intValue": str(status)}}]
        if not self._waiting.full():
            self._waiting.put_nowait({**span, **failed, "endTimeUnixNano": str(time.time_ns()), "attributes": about})

    async def run(self) -> None:
        """Send until cancelled."""
        if not self._url:
            return
        trusted = await asyncio.to_thread(ssl.create_default_context, cafile=self._authority)
        async with aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=trusted), timeout=aiohttp.ClientTimeout(total=5)
        ) as client:
            while True:
                spans = [await self._waiting.get()]
                while not self._waiting.empty():
                    spans.append(self._waiting.get_nowait())
                await self._send(client, spans)

    async def _send(self, client: aiohttp.ClientSession, spans: list[dict[str, Any]]) -> None:
        named = [{"key": "service.name", "value": {"stringValue": self._service}}]
        body = {"resourceSpans": [{"resource": {"attributes": named}, "scopeSpans": [{"spans": spans}]}]}
        try:
            async with client.post(f"{self._url}/v1/traces", json=body, headers=self._headers) as answer:
                answer.raise_for_status()
        except (OSError, TimeoutError, aiohttp.ClientError) as error:
            log.warning("%d spans were not taken: %s", len(spans), error or type(error).__name__)


def tracer() -> Tracer:
    """As the environment says."""
    return Tracer(os.environ)


def _parent(header: str) -> tuple[str, str]:
    """The trace that the caller began, and its span; a new one where it began none (W3C Trace Context)."""
    parts = header.split("-")
    if len(parts) == _PARENT and len(parts[1]) == 32 and len(parts[2]) == 16:  # noqa: PLR2004 - as the standard has it
        return parts[1], parts[2]
    return secrets.token_hex(16), ""


def _route(request: web.Request) -> str:
    """The pattern, so that not every order has a name of its own."""
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else "unknown"
