"""As much HTTP/1.1 as a load generator needs: one request at a time on a kept connection, bodies counted, not kept.

A full client costs about 300 microseconds of processor time per request; this one costs a fifth of that, so that the
generator can share two cores with the cluster it measures.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

BODILESS = {204, 304}


class Reply:
    """The head of an answer: ``headers`` has lower-case names.

    Raises:
        ValueError: it is no HTTP/1.
    """

    __slots__ = ("headers", "status")

    def __init__(self, head: bytes) -> None:
        lines = head.decode("latin-1").split("\r\n")
        if not lines[0].startswith("HTTP/1."):
            raise ValueError(repr(lines[0][:40]))
        self.status = int(lines[0][9:12])
        self.headers = {
            name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:]) if name
        }


class Connection(asyncio.Protocol):
    """One kept connection. ``ask`` sends; the callback gets the reply, or None and why there is none."""

    def __init__(self) -> None:
        self.open = False
        self.used = 0
        self._transport: asyncio.Transport | None = None
        self._done: Callable[[Reply | None, str], None] | None = None
        self._buffer = bytearray()
        self._reply: Reply | None = None

    def ask(self, payload: bytes, done: Callable[[Reply | None, str], None]) -> None:
        """Send one request; ``done`` is called once, from the event loop."""
        self._done, self._reply = done, None
        self.used += 1
        if self._transport is None or not self.open:
            self._finish("connection closed")
            return
        self._transport.write(payload)

    def close(self, why: str = "given up") -> None:
        """Close at once; a request in flight ends with ``why``."""
        self.open = False
        if self._transport is not None:
            self._transport.abort()
        self._finish(why)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by asyncio."""
        self._transport, self.open = transport, True  # type: ignore[assignment]  # a stream's is a Transport

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by asyncio."""
        self.open = False
        self._finish(str(exc or "connection closed before the answer was whole"))

    def data_received(self, data: bytes) -> None:
        """Called by asyncio."""
        self._buffer += data
        try:
            whole = self._whole()
        except ValueError as error:
            self.close(f"not HTTP: {error}")
            return
        if whole:
            self._finish("")

    def _whole(self) -> bool:
        if self._reply is None:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return False
            self._reply = Reply(bytes(self._buffer[:end]))
            del self._buffer[: end + 4]
        return self._body_is_whole(self._reply)

    def _body_is_whole(self, reply: Reply) -> bool:
        if reply.status in BODILESS:
            return True
        if "chunked" in reply.headers.get("transfer-encoding", ""):
            return self._skip_chunks()
        length = int(reply.headers.get("content-length", "0"))
        if len(self._buffer) < length:
            return False
        del self._buffer[:length]
        return True

    def _skip_chunks(self) -> bool:
        """Drop whole chunks from the buffer; true after the last one (trailers are not supported)."""
        while (end := self._buffer.find(b"\r\n")) >= 0:
            size = int(bytes(self._buffer[:end]).split(b";")[0], 16)
            if len(self._buffer) < end + size + 4:
                return False
            del self._buffer[: end + size + 4]
            if size == 0:
                return True
        return False

    def _finish(self, why: str) -> None:
        done, self._done = self._done, None
        reply, self._reply = self._reply, None
        if why:
            reply = None
        elif reply is not None and reply.headers.get("connection", "").lower() == "close":
            self.open = False
            if self._transport is not None:
                self._transport.close()
        if done is not None:
            done(reply, why)
