"""One question in each protocol, and what proves that somebody on the other side reads and answers.

Each takes an open connection and returns when the answer is right. The bytes that come are not trusted: every answer
has a longest length.
"""

from __future__ import annotations

import secrets
import struct
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from components.externals.prober.target import How
from kube.errors import GraylingError

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable

    from components.externals.prober.target import Target

_LONGEST_LINE = 8192
_LONGEST_MESSAGE = 65_536
_SERVER_FAILS = 500
_HEADER = struct.Struct("<4sI")
_SHORTEST_ANSWER, _LONGEST_ANSWER = 16, 8192


class WrongAnswerError(GraylingError):
    """Somebody answered, and not as a system that is well does.

    Attributes:
        outcome: ``status`` for an answer that says no, ``protocol`` for one that is none.
    """

    def __init__(self, outcome: str, said: str) -> None:
        super().__init__(said)
        self.outcome = outcome


async def connected(_: asyncio.StreamReader, _writer: asyncio.StreamWriter, _target: Target) -> None:
    """That it takes connections is all that is asked."""


async def http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, target: Target) -> None:
    """GET, and the status line of the answer; the body stays unread."""
    host = urlsplit(target.url).netloc
    asked = f"GET {target.path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: grayling-prober\r\nConnection: close\r\n\r\n"
    writer.write(asked.encode())
    line = await reader.readuntil(b"\n")
    version, _, rest = line[:_LONGEST_LINE].partition(b" ")
    status = rest[:3]
    if not version.startswith(b"HTTP/") or not status.isdigit():
        raise WrongAnswerError("protocol", f"{line[:40]!r} is no answer of HTTP")
    said = int(status)
    if said not in target.statuses if target.statuses else said >= _SERVER_FAILS:
        raise WrongAnswerError("status", f"answers {said}")


START, END = b"\x0b", b"\x1c\r"
"""What stands around each message of HL7 on the wire."""


async def mllp(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, target: Target) -> None:
    """A network management query (NMQ), which changes nothing, and its acknowledgement.

    One that says "rejected" is an answer too: somebody read the message, and knows whose it was.
    """
    control = secrets.token_hex(8)
    now = time.strftime("%Y%m%d%H%M%S", time.gmtime())
    header = f"MSH|^~\\&|GRAYLING|PROBER|{target.endpoint}||{now}||NMQ^N01|{control}|P|2.3"
    writer.write(START + f"{header}\rQRD|{now}|R|I|{control}|||1^RD|\r".encode() + END)
    frame = await reader.readuntil(END)
    segments = frame[: -len(END)].lstrip(START).decode("latin-1").split("\r")
    answers = [each.split("|") for each in segments if each.startswith("MSA|")]
    if not frame.startswith(START + b"MSH") or not answers:
        raise WrongAnswerError("protocol", "is no acknowledgement of HL7")
    if len(answers[0]) <= 2 or answers[0][2] != control:  # noqa: PLR2004 - MSA-2 is the control id
        raise WrongAnswerError("protocol", "acknowledges another message")


async def opcua(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, target: Target) -> None:
    """Hello and Acknowledge, with which every connection of OPC UA begins (part 6, 7.1.2)."""
    url = target.url.encode()
    body = struct.pack("<5Ii", 0, 65_536, 65_536, 0, 0, len(url)) + url
    writer.write(_HEADER.pack(b"HELF", _HEADER.size + len(body)) + body)
    kind, size = _HEADER.unpack(await reader.readexactly(_HEADER.size))
    if kind not in {b"ACKF", b"ERRF"} or not _SHORTEST_ANSWER <= size <= _LONGEST_ANSWER:
        raise WrongAnswerError("protocol", f"{kind!r} is no answer to a Hello")
    answer = await reader.readexactly(size - _HEADER.size)
    if kind == b"ERRF":
        raise WrongAnswerError("status", f"refuses with {int.from_bytes(answer[:4], 'little'):#010x}")


SPEAKERS: dict[How, Callable[[asyncio.StreamReader, asyncio.StreamWriter, Target], Awaitable[None]]] = {
    How.TCP: connected,
    How.HTTP: http,
    How.MLLP: mllp,
    How.OPCUA: opcua,
}
LONGEST = _LONGEST_MESSAGE
"""Bytes that are read until an answer has to be at its end."""
