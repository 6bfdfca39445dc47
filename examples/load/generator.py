"""Requests on schedule: a slow or dead server changes the answers, never when the next request leaves."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self, TextIO

from load.answers import Answer, Summary, summarise
from load.target import Target, checked_target
from load.wire import Connection, Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from pathlib import Path

SWEEP_SECONDS = 0.2
LAST_ANSWERS_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Request:
    """What to send; a path of "" means the path of the load's URL."""

    method: str = "GET"
    path: str = ""
    body: Any = None

    def to_bytes(self, target: Target) -> bytes:
        """The request on the wire."""
        body = b"" if self.body is None else json.dumps(self.body).encode()
        kind = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n" if body else ""
        head = f"{self.method} {self.path or target.path} HTTP/1.1\r\nHost: {target.host}\r\nAccept: */*\r\n{kind}\r\n"
        return head.encode() + body


class Load:
    """A steady load while the ``async with`` block runs, for ``seconds`` at most.

    Args:
        url: ``http://HOST:PORT/PATH``; the host must be this machine, or in a private network named in ``allow``.
        host: what to write in the ``Host`` header.
        rate: requests a second, at even distances.
        seconds: the end of the load whatever happens.
        requests: sent in turn.
        timeout: seconds until a request without an answer is given up.
        connections: requests in flight at most; one that finds no room is recorded as failed, not delayed.
        out: a file that gets one JSON line per answer, at most a fraction of a second late.
        on_answer: called with each answer.
        allow: networks (CIDR) beyond this machine.
    """

    def __init__(
        self,
        url: str,
        *,
        host: str = "",
        rate: float = 100.0,
        seconds: float = 600.0,
        requests: Sequence[Request] = (Request(),),
        timeout: float = 10.0,
        connections: int = 512,
        out: Path | None = None,
        on_answer: Callable[[Answer], None] = lambda _: None,
        allow: Collection[str] = (),
    ) -> None:
        self.answers: list[Answer] = []
        self._url, self._host, self._allow = url, host, allow
        self._rate, self._seconds, self._timeout, self._room = rate, seconds, timeout, connections
        self._requests, self._out, self._on_answer = requests, out, on_answer
        self._file: TextIO | None = None
        self._idle: list[Connection] = []
        self._flying: set[_Flight] = set()
        self._quiet = asyncio.Event()  # nothing is in flight
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self._target = await checked_target(self._url, self._host, self._allow)
        self._payloads = [(request, request.to_bytes(self._target)) for request in self._requests]
        self._file = self._out.open("w") if self._out else None
        self._quiet.set()
        self._epoch = time.time() - asyncio.get_running_loop().time()
        self._tasks = [asyncio.create_task(self._arrive()), asyncio.create_task(self._sweep())]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._tasks[0].cancel()
        with suppress(TimeoutError):
            async with asyncio.timeout(LAST_ANSWERS_SECONDS):
                await self._quiet.wait()
        self._tasks[1].cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for flight in list(self._flying):
            flight.give_up("still unanswered at the end")
        for connection in self._idle:
            connection.close()
        if self._file:
            self._file.close()

    def now(self) -> float:
        """Seconds since the epoch, on a clock that does not jump during the load."""
        return self._epoch + asyncio.get_running_loop().time()

    async def finished(self) -> None:
        """Wait until ``seconds`` are over."""
        with suppress(asyncio.CancelledError):
            await asyncio.shield(self._tasks[0])

    def summary(self) -> Summary:
        """The numbers so far."""
        return summarise(self.answers)

    async def _arrive(self) -> None:
        start = self.now()
        for number in range(max(1, int(self._seconds * self._rate))):
            due = start + number / self._rate
            if (early := due - self.now()) > 0:
                await asyncio.sleep(early)
            self._depart(number, due)

    def _depart(self, number: int, due: float) -> None:
        request, payload = self._payloads[number % len(self._payloads)]
        flight = _Flight(self, payload, due, again=request.method == "GET")
        if len(self._flying) >= self._room:
            flight.give_up("no room: too many requests in flight")
            return
        self._flying.add(flight)
        self._quiet.clear()
        while self._idle:
            connection = self._idle.pop()
            if connection.open:
                flight.leave(connection)
                return
        flight.connect()

    async def _sweep(self) -> None:
        """Give up what waits too long, and let a reader of the file see it soon."""
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            limit = self.now() - self._timeout
            for flight in [flight for flight in self._flying if flight.due < limit]:
                flight.give_up(f"no answer in {self._timeout:g} s")
            if self._file:
                self._file.flush()

    async def dial(self) -> Connection:
        """A new connection."""
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(Connection, self._target.address, self._target.port)
        return connection

    def landed(self, flight: _Flight, answer: Answer) -> None:
        """Take one answer, and the connection it came on for the next request."""
        self._flying.discard(flight)
        if not self._flying:
            self._quiet.set()
        if flight.connection is not None and flight.connection.open:
            self._idle.append(flight.connection)
        self.answers.append(answer)
        if self._file:
            self._file.write(answer.to_json() + "\n")
        self._on_answer(answer)


class _Flight:
    """One request under way."""

    __slots__ = ("_again", "_dialling", "_load", "_over", "_payload", "_retried", "_sent", "connection", "due")

    def __init__(self, load: Load, payload: bytes, due: float, *, again: bool) -> None:
        self._load, self._payload, self.due, self._again = load, payload, due, again
        self.connection: Connection | None = None
        self._dialling: asyncio.Task[None] | None = None
        self._retried = self._over = False
        self._sent = load.now()

    def connect(self) -> None:
        """Send on a new connection."""
        self._dialling = asyncio.create_task(self._dial())

    async def _dial(self) -> None:
        try:
            connection = await self._load.dial()
        except OSError as error:
            self._end(None, f"connect: {error}")
        else:
            self.leave(connection)

    def leave(self, connection: Connection) -> None:
        """Send."""
        self.connection = connection
        connection.ask(self._payload, self._arrived)

    def give_up(self, why: str) -> None:
        """End it without an answer."""
        self._again = False
        if self._dialling is not None:
            self._dialling.cancel()
        if self.connection is not None:
            self.connection.close(why)
        self._end(None, why)

    def _arrived(self, reply: Reply | None, why: str) -> None:
        """A kept connection may die of old age just as we use it: a GET is then sent once more, as any client does."""
        if reply is None and self._again and self.connection is not None and self.connection.used > 1:
            self._again, self._retried = False, True
            self.connect()
        else:
            self._end(reply, why)

    def _end(self, reply: Reply | None, why: str) -> None:
        if self._over:
            return
        self._over = True
        status, headers = (reply.status, reply.headers) if reply else (0, {})
        version, pod = headers.get("x-version", ""), headers.get("x-pod", "")
        answer = Answer(self.due, self._sent, self._load.now(), status, why, version, pod, self._retried)
        self._load.landed(self, answer)
