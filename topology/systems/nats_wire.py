"""One connection to a NATS: encrypted where it is said, logged in, one question at a time.

The protocol is a few lines of text. The client nats-py is left out: where a server says that it is not encrypted, it
sends the password all the same.
"""

from __future__ import annotations

import asyncio
import json
import os
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from topology.systems.system import StepError, UnauthorizedError, UnreachableError, printable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping
    from ssl import SSLContext

SECONDS = 15.0
"""After which an answer is given up."""

API = "$JS.API."
MOST_BYTES = 64 * 2**20
"""Of an answer."""

_PAGES = 100
_NOT_FOUND = 404
_BUSY = (408, 503)
_NO_ACCOUNT = ("authorization", "authentication", "permissions violation")
"""How a server begins to say that it is the user that is wrong."""


@dataclass(slots=True)
class Wire:
    """A connection that is logged in, once :func:`connected` gives it."""

    address: str
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    user: str
    inbox: str

    async def log_in(self, context: SSLContext | None, host: str, password: str) -> None:
        """Encrypt, say who this is, and listen to answers.

        Raises:
            UnauthorizedError: the user is not taken.
            UnreachableError: this is no NATS.
        """
        greeting = await self._line()
        if not greeting.startswith(b"INFO "):
            raise UnreachableError(f"{self.address} answers what no NATS says: {_text(greeting)}")
        if context is not None:
            await self.writer.start_tls(context, server_hostname=host)
        told = {"verbose": False, "pedantic": False, "headers": True, "no_responders": True, "lang": "python"}
        account = {"user": self.user, "pass": password, "name": self.user, "version": "1", "protocol": 1}
        self.writer.write(f"CONNECT {json.dumps({**told, **account})}\r\nSUB {self.inbox} 1\r\nPING\r\n".encode())
        await self.writer.drain()
        while await self._said() != b"PONG":
            pass

    async def _line(self) -> bytes:
        found = await self.reader.readline()
        if not found.endswith(b"\n"):
            raise EOFError("the connection ended")
        return found.strip()

    async def _said(self) -> bytes:
        """The next line that is an answer."""
        while True:
            line = await self._line()
            if line.startswith(b"-ERR"):
                raise self._refused(_text(line).removeprefix("-ERR").strip(" '"))
            if line.upper() == b"PING":
                self.writer.write(b"PONG\r\n")
            elif not line.startswith((b"INFO", b"+OK")):
                return line

    def _refused(self, said: str) -> UnauthorizedError | UnreachableError:
        if said.lower().startswith(_NO_ACCOUNT):
            return UnauthorizedError(f"{self.address} does not take the account {self.user}: {said}")
        return UnreachableError(f"{self.address}: {said}")

    async def ask(self, subject: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """What JetStream says, errors too.

        Raises:
            UnauthorizedError: the user may not ask this.
            UnreachableError: there is no answer, or it cannot be read.
        """
        told = json.dumps(body).encode()
        with _failures(self.address):
            async with asyncio.timeout(SECONDS):
                self.writer.write(f"PUB {API}{subject} {self.inbox} {len(told)}\r\n".encode() + told + b"\r\n")
                await self.writer.drain()
                found = json.loads(await self._answer())
        if not isinstance(found, dict):
            raise UnreachableError(f"{self.address} answers what no NATS says: {printable(str(found))}")
        return found

    async def _answer(self) -> bytes:
        """The body of the next message; one with headers alone says that nobody listens."""
        words = (await self._said()).split()
        size = int(words[-1])
        if words[0] not in {b"MSG", b"HMSG"} or not 0 <= size <= MOST_BYTES:
            raise ValueError(_text(b" ".join(words)))
        whole = (await self.reader.readexactly(size + 2))[:-2]
        body = whole[int(words[-2]) :] if words[0] == b"HMSG" else whole
        if not body:
            raise UnreachableError(f"{self.address}: JetStream does not answer there")
        return body

    async def read(self, subject: str, key: str) -> list[Any]:
        """A list, page by page.

        Raises:
            UnreachableError: it could not be read whole.
        """
        found: list[Any] = []
        for _ in range(_PAGES):
            page = await self.ask(subject, {"offset": len(found)})
            if "error" in page:
                raise UnreachableError(f"{self.address}: {subject}: {_why(page['error'])}")
            if page.get("missing"):
                raise UnreachableError(f"{self.address}: {subject}: nothing known of {printable(str(page['missing']))}")
            found += page[key] or []
            if len(found) >= page["total"]:
                return found
        raise UnreachableError(f"{self.address}: {subject}: it does not end after {len(found)}")

    async def write(self, subject: str, body: Mapping[str, Any], *, gone: bool = False) -> None:
        """A request that changes something; ``gone``: it is fine if there is nothing to change.

        Raises:
            StepError: the server said no.
            UnreachableError: it cannot now.
        """
        wrong = (await self.ask(subject, body)).get("error")
        if wrong is None or (gone and wrong.get("code") == _NOT_FOUND):
            return
        if wrong.get("code") in _BUSY:
            raise UnreachableError(f"{self.address}: {_why(wrong)}")
        raise StepError(_why(wrong))


@asynccontextmanager
async def connected(address: str, context: SSLContext | None, user: str, password: str) -> AsyncIterator[Wire]:
    """A connection of this user to one server.

    Args:
        address: ``nats://host:port``.
        context: whom to trust; None: not encrypted.
        user: who this is.
        password: of the user.

    Raises:
        UnauthorizedError: the user is not taken.
        UnreachableError: nobody answers.
    """
    host, _, port = address.partition("://")[2].rpartition(":")
    writer = None
    try:
        with _failures(address):
            async with asyncio.timeout(SECONDS):
                reader, writer = await asyncio.open_connection(host, int(port), limit=2**20)
                wire = Wire(address, reader, writer, user, f"_INBOX.{os.urandom(12).hex()}")
                await wire.log_in(context, host, password)
        yield wire
    finally:
        if writer is not None:
            writer.close()


@contextmanager
def _failures(address: str) -> Iterator[None]:
    """What goes wrong on the way, as one error."""
    try:
        yield
    except (TimeoutError, OSError, EOFError) as error:
        raise UnreachableError(f"{address}: {printable(str(error)) or 'no answer in time'}") from error
    except (ValueError, IndexError) as error:
        raise UnreachableError(f"{address} answers what no NATS says: {printable(str(error))}") from error


def _text(line: bytes) -> str:
    return printable(line.decode(errors="replace"))


def _why(error: Mapping[str, Any]) -> str:
    return printable(str(error.get("description") or error))
