"""Systems that others run, as small as they can be and still speak their protocol: ran by tests here and as pods."""

from __future__ import annotations

import asyncio
import struct
import sys

# What asyncua 2.1.0 answers to a Hello.
ACKNOWLEDGE = bytes.fromhex("41434b461c00000000000000ffff0000ffff00000000400641060000")


async def http(reader, writer):
    """Always well, but at /broken, and never at /silent."""
    asked = await reader.readuntil(b"\r\n\r\n")
    if b" /silent " in asked:
        await asyncio.sleep(3600)
    status = b"503 Service Unavailable" if b" /broken " in asked else b"401 Unauthorized"
    writer.write(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\n\r\n")


async def mllp(reader, writer):
    """Rejects what it does not know, as a receiver of HL7 does: the acknowledgement names the message."""
    frame = await reader.readuntil(b"\x1c\r")
    header = frame.lstrip(b"\x0b").split(b"\r")[0].split(b"|")
    writer.write(b"\x0bMSH|^~\\&|HIS|WARD|||20260101||ACK|1|P|2.3\rMSA|AR|" + header[9] + b"|unknown type\r\x1c\r")


async def opcua(reader, writer):
    """Acknowledges a Hello that names an address, and refuses one that does not."""
    kind, size = struct.unpack("<4sI", await reader.readexactly(8))
    body = await reader.readexactly(size - 8)
    named = kind == b"HELF" and body[24:].startswith(b"opc.tcp://")
    refused = b"ERRF" + struct.pack("<IIi", 16, 0x80830000, -1)
    writer.write(ACKNOWLEDGE if named else refused)


async def tcp(_reader, _writer):
    """Takes connections."""


async def serve(speak, port=0, host="127.0.0.1", ssl=None):
    """A server of one of them; it answers once and hangs up."""

    async def once(reader, writer):
        try:
            await speak(reader, writer)
            await writer.drain()
        finally:
            writer.close()

    return await asyncio.start_server(once, host, port, ssl=ssl)


async def main():
    """``NAME:PORT`` each, for ever."""
    servers = []
    for each in sys.argv[1:]:
        name, _, port = each.partition(":")
        servers.append(await serve(globals()[name], int(port), "0.0.0.0"))  # noqa: S104 - in a pod
    await asyncio.gather(*(server.serve_forever() for server in servers))


if __name__ == "__main__":
    asyncio.run(main())
