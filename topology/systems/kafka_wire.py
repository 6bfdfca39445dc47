"""One connection to a Kafka: encrypted, logged in, one question at a time, in the words of its protocol.

The words are kafka-python's schemas. Its client is left out: it tries a password that is wrong until its time is up,
and then says that nobody answers.
"""

from __future__ import annotations

import asyncio
import struct
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kafka.errors import for_code
from kafka.net.sasl.scram import ScramClient
from kafka.protocol.metadata import ApiVersionsRequest
from kafka.protocol.sasl import SaslAuthenticateRequest, SaslHandshakeRequest

from topology.systems.system import StepError, TopologyError, UnauthorizedError, UnreachableError, printable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from ssl import SSLContext

SECONDS = 15.0
"""After which an answer is given up."""

MOST_BYTES = 64 * 2**20
"""Of an answer."""

NAME = "grayling-topology"
MECHANISM = "SCRAM-SHA-512"
_VERSIONS = 3
"""Of the question which versions there are: any broker with KRaft takes it."""

_INNER = "Request Request("
"""How a broker begins to print all that it knows of a request, before what it has to say."""

_FORBIDDEN = frozenset({29, 30, 31, 53, 58})
_UNREADABLE = (ValueError, IndexError, KeyError, TypeError, AttributeError, AssertionError, OverflowError, struct.error)


@dataclass(slots=True)
class Wire:
    """A connection that is logged in, once :func:`connected` gives it."""

    address: str
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    versions: dict[int, tuple[int, int]] = field(default_factory=dict)
    _asked: int = 0

    async def ask(self, request: Any) -> Any:
        """The answer to a request, in the newest version that both sides know.

        Raises:
            UnreachableError: there is none, or it cannot be read.
        """
        low, high = self.versions.get(request.API_KEY, (0, -1))
        version = min(high, request.max_version)
        if version < max(low, request.valid_versions[0]):
            raise UnreachableError(f"{self.address}: this version of Kafka knows no {request.name}")
        return await self._ask(request, version)

    async def _ask(self, request: Any, version: int) -> Any:
        self._asked += 1
        try:
            async with asyncio.timeout(SECONDS):
                request.API_VERSION = version
                request.with_header(correlation_id=self._asked, client_id=NAME)
                self.writer.write(request.encode(header=True, framed=True))
                await self.writer.drain()
                size = int.from_bytes(await self.reader.readexactly(4), "big")
                if not 0 < size <= MOST_BYTES:
                    raise UnreachableError(f"{self.address} answers what no Kafka says: {size} bytes")
                body = await self.reader.readexactly(size)
                found = request.header.get_response_class().decode(body, version=version, header=True)
        except (TimeoutError, OSError, EOFError) as error:
            raise UnreachableError(f"{self.address}: {_words(error) or 'no answer in time'}") from error
        except _UNREADABLE as error:
            raise UnreachableError(f"{self.address} answers what no Kafka says: {error!r}") from error
        if found.header.correlation_id != self._asked:
            raise UnreachableError(f"{self.address} answers another question than was asked")
        return found

    async def log_in(self, user: str, password: str) -> None:
        """Ask for versions, and say who this is.

        Raises:
            UnauthorizedError: the account is not taken.
            UnreachableError: there is no answer.
        """
        named = ApiVersionsRequest(client_software_name=NAME, client_software_version="1")
        known = checked(await self._ask(named, _VERSIONS), self.address)
        self.versions = {each.api_key: (each.min_version, each.max_version) for each in known.api_keys}
        answer = await self.ask(SaslHandshakeRequest(mechanism=MECHANISM))
        if answer.error_code:
            raise UnauthorizedError(f"{self.address} takes no {MECHANISM}, but {', '.join(answer.mechanisms)}")
        scram = ScramClient(user, password, MECHANISM)
        try:
            scram.process_server_first_message(await self._authenticate(user, scram.first_message()))
            scram.process_server_final_message(await self._authenticate(user, scram.final_message()))
        except _UNREADABLE as error:
            raise UnreachableError(f"{self.address} does not prove who it is: {error!r}") from error

    async def _authenticate(self, user: str, message: bytes) -> bytes:
        answer = await self.ask(SaslAuthenticateRequest(auth_bytes=message))
        if answer.error_code:
            raise UnauthorizedError(f"{self.address} does not take the account {user}: {said(answer)}")
        return bytes(answer.auth_bytes)


@asynccontextmanager
async def connected(address: str, context: SSLContext | None, user: str, password: str) -> AsyncIterator[Wire]:
    """A connection of this user to one broker.

    Args:
        address: ``kafka://host:port``.
        context: whom to trust; None: not encrypted.
        user: who this is.
        password: of the user.

    Raises:
        UnauthorizedError: the account is not taken.
        UnreachableError: nobody answers.
    """
    host, _, port = address.partition("://")[2].rpartition(":")
    try:
        async with asyncio.timeout(SECONDS):
            reader, writer = await asyncio.open_connection(host, int(port), ssl=context)
    except (TimeoutError, OSError, ValueError) as error:
        raise UnreachableError(f"{address}: {_words(error) or 'no answer in time'}") from error
    try:
        wire = Wire(address, reader, writer)
        await wire.log_in(user, password)
        yield wire
    finally:
        writer.close()


def checked(answer: Any, what: str, error: type[TopologyError] = UnreachableError) -> Any:
    """An answer, or a part of one, that says no error.

    Raises:
        UnauthorizedError: the account may not do this.
        UnreachableError: it says that it cannot now.
        TopologyError: it says another; ``error`` tells which of these that is.
    """
    code = answer.error_code
    if not code:
        return answer
    told = f"{what}: {said(answer)}"
    if code in _FORBIDDEN:
        raise UnauthorizedError(told)
    if error is not StepError or for_code(code).retriable:
        raise UnreachableError(told)
    raise error(said(answer))


def said(answer: Any) -> str:
    """What an answer gives as the reason, short and printable."""
    known = for_code(answer.error_code)
    told = getattr(answer, "error_message", None) or getattr(known, "message", "") or known.__name__
    return printable(told.rpartition(") ")[2] if told.startswith(_INNER) else told)


def _words(error: BaseException) -> str:
    return printable(str(error))
