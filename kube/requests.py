"""One request to the API server and its answer: connections, credentials, deadlines, and one tree of errors."""

from __future__ import annotations

import copy
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Self

import aiohttp

from kube.answers import MOST_BYTES, MOST_ERROR_BYTES, body_in, refusal_in, said
from kube.errors import ClusterUnreachableError, TooLargeError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from kube.connect import Connection
    from kube.kinds import Kind, Manifest

SECONDS = 30.0
"""For one request, where nothing else is said."""
SILENCE_SECONDS = 75.0
"""The server ends a watch after a minute; one that is silent for longer is dead."""


class Requests:
    """Sends requests over an open connection; what :class:`kube.cluster.Cluster` is built on."""

    def __init__(
        self, connection: Connection, session: aiohttp.ClientSession, urgent: aiohttp.ClientSession | None = None
    ) -> None:
        self.connection = connection
        self.namespace = connection.namespace
        self._session, self._urgent = session, urgent or session
        self._before_change: Callable[[], Awaitable[None]] | None = None

    def guarded(self, before_change: Callable[[], Awaitable[None]]) -> Self:
        """The same connections; ``before_change`` is awaited before each request that changes something."""
        made = copy.copy(self)
        made._before_change = before_change  # noqa: SLF001 - its own
        return made

    async def request(
        self,
        method: str,
        path: str,
        *,
        what: str,
        query: dict[str, str] | None = None,
        body: Any = None,
        content_type: str = "application/json",
        seconds: float = SECONDS,
        urgent: bool = False,
    ) -> Manifest:
        """One JSON request.

        Args:
            method: of HTTP.
            path: as :meth:`kube.kinds.Kind.path` makes it.
            what: names the request in errors.
            query: parameters.
            body: is sent as JSON.
            content_type: of the body.
            seconds: after which the request is given up.
            urgent: over connections that nothing else may use up.

        Raises:
            KubeError: or one of its children, as the server's answer says.
        """
        if self._before_change and method != "GET":
            await self._before_change()
        headers = {"Content-Type": content_type} if body is not None else {}
        data = json.dumps(body).encode() if body is not None else None
        async with self._open(method, path, query or {}, data, headers, seconds, what, urgent=urgent) as response:
            raw = await self._whole(response, what, MOST_BYTES)
        return body_in(raw, what)

    async def _text(self, url: str, what: str, seconds: float, most_bytes: int) -> str:
        plain = {"Accept-Encoding": "identity"}
        async with self._open("GET", url, {}, None, plain, seconds, what) as response:
            return (await self._whole(response, what, most_bytes)).decode(errors="replace")

    async def _whole(self, response: aiohttp.ClientResponse, what: str, most_bytes: int) -> bytearray:
        read = bytearray()
        async for chunk in response.content.iter_any():
            read += chunk
            if len(read) > most_bytes:
                raise TooLargeError(f"{what}: more than {most_bytes} bytes are no answer to read")
        return read

    @asynccontextmanager
    async def _open(
        self, method: str, path: str, query: dict[str, str], data: bytes | None, headers: dict[str, str],
        seconds: float | None, what: str, *, urgent: bool = False,
    ) -> AsyncIterator[aiohttp.ClientResponse]:  # fmt: skip
        """An answer that says yes, while it is read."""
        token = await self.connection.authorization(what)
        sent = {**headers, **({"Authorization": token} if token else {})}
        timeout = aiohttp.ClientTimeout(total=seconds, sock_connect=5.0, sock_read=seconds or SILENCE_SECONDS)
        session = self._urgent if urgent else self._session
        try:
            response = await session.request(
                method, self.connection.host + path, params=query, data=data, headers=sent, timeout=timeout
            )
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise ClusterUnreachableError(f"{what}: no answer from {self.connection.host}: {said(error)}") from error
        try:
            if response.status >= 400:  # noqa: PLR2004 - HTTP
                raw = await response.content.read(MOST_ERROR_BYTES)
                raise refusal_in(response.status, raw, what, response.headers.get("Retry-After"))
            yield response
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise ClusterUnreachableError(f"{what}: the answer cannot be read: {said(error)}") from error
        finally:
            response.release()


def named(verb: str, kind: Kind, namespace: str | None, name: str = "") -> str:
    """How errors name a request: ``get Pod shop/cart``."""
    where = f"{namespace}/{name}" if namespace and name else (name or namespace or "all namespaces")
    return f"{verb} {kind.kind} {where}"
