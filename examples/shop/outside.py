"""Stand-ins of systems that others run: an ERP that orders and is told, a hospital's system, a plant and its MES.

Those that send do so every few seconds, and again until it is acknowledged.
"""

from __future__ import annotations

import asyncio
import logging
import os
import struct
import time
import uuid
from typing import TYPE_CHECKING

import aiohttp
from aiohttp import web
from yarl import URL

from shop.faults import Faults
from shop.metrics import SENT
from shop.serving import Service, beside
from shop.settings import SettingsError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from shop.settings import Settings

log = logging.getLogger("shop.outside")
EVERY_SECONDS = 5.0
PATIENCE_SECONDS = 10.0
BEGIN, END = b"\x0b", b"\x1c\r"
HL7_PORT = 2575
CONNACK, PUBACK = 0x20, 0x40


async def repeatedly(what: str, send: Callable[[], Awaitable[None]], every: float = EVERY_SECONDS) -> None:
    """Send until cancelled; what fails is told and tried again with the next."""
    while True:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await send()
            SENT.labels("acknowledged").inc()
        except (OSError, TimeoutError, EOFError, aiohttp.ClientError, ValueError) as error:
            SENT.labels("failed").inc()
            log.warning("%s not acknowledged: %s", what, error or type(error).__name__)
        await asyncio.sleep(every)


# ---------------------------------------------------------------------- ERP


def order_as_xml(identity: str, item: str, quantity: int, placed_at: float) -> str:
    """An order in the words of an ERP."""
    inner = {"id": identity, "item": item, "quantity": quantity, "placed_at": placed_at}
    return "<order>" + "".join(f"<{key}>{value}</{key}>" for key, value in inner.items()) + "</order>"


class Erp:
    """Sends orders as XML, and keeps the numbers of those that it is told were taken."""

    def __init__(self, adapter: str) -> None:
        self._adapter = URL(adapter) / "erp" / "orders"
        self.sent: list[str] = []
        self.booked: list[str] = []

    def app(self) -> web.Application:
        """What it serves."""
        app = web.Application()
        app.add_routes(
            [web.get("/", self._shown), web.get("/bookings", self._shown), web.post("/bookings", self._book)]
        )
        return app

    async def send(self) -> None:
        """One order."""
        identity = f"erp-{uuid.uuid4().hex[:12]}"
        body = order_as_xml(identity, "tea", 2, round(time.time(), 3))
        async with (
            aiohttp.ClientSession() as client,
            client.post(self._adapter, data=body, headers={"Content-Type": "application/xml"}) as answer,
        ):
            answer.raise_for_status()
        self.sent = [*self.sent[-99:], identity]

    async def _shown(self, _: web.Request) -> web.Response:
        return web.json_response({"sent": self.sent, "booked": self.booked})

    async def _book(self, request: web.Request) -> web.Response:
        try:
            identity = str((await request.json())["id"])
        except (ValueError, KeyError, TypeError) as error:
            return web.json_response({"error": f"no booking: {error!r}"}, status=400)
        self.booked = [*self.booked[-99:], identity]
        return web.json_response({"id": identity}, status=201)


async def run_erp(settings: Settings) -> None:
    """Until SIGTERM."""
    erp = Erp(needed(os.environ, "ADAPTER_URL"))
    async with beside(repeatedly("order", erp.send)):
        await _service("erp", settings).run(erp.app())


# ---------------------------------------------------------------------- hospital


def admission(number: int, name: str = "Doe^Jane") -> bytes:
    """An HL7 message: a patient came."""
    lines = (f"MSH|^~\\&|HIS|WARD|LAB|H|20260101||ADT^A01|{number}|P|2.5", f"PID|1||{number}||{name}")
    return BEGIN + "".join(f"{line}\r" for line in lines).encode() + END


async def hear(reader: asyncio.StreamReader) -> bytes:
    """One message of MLLP.

    Raises:
        EOFError: the other side went away before its end.
    """
    return await reader.readuntil(END)


def verdict_of(answer: bytes) -> str:
    """``AA`` where a message was taken.

    Raises:
        ValueError: the answer has no word on that.
    """
    line = next((each for each in answer.split(b"\r") if each.startswith(b"MSA|")), None)
    if line is None:
        raise ValueError("the answer has no MSA")
    return line.split(b"|")[1].decode()


class Hospital:
    """Tells of patients over MLLP, and acknowledges what it is told."""

    def __init__(self, address: str) -> None:
        host, _, port = address.rpartition("//")[2].rpartition(":")
        self._host, self._port = host, int(port)
        self._number = int(time.time())

    async def send(self) -> None:
        """One patient.

        Raises:
            ValueError: it was not taken.
        """
        self._number += 1
        reader, writer = await asyncio.open_connection(self._host, self._port)
        try:
            writer.write(admission(self._number))
            said = verdict_of(await hear(reader))
        finally:
            writer.close()
        if said != "AA":
            raise ValueError(f"patient {self._number} was refused: {said}")

    async def listen(self) -> None:
        """Acknowledge until cancelled."""
        async with await asyncio.start_server(self._answer, "0.0.0.0", HL7_PORT) as server:
            await server.serve_forever()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                await hear(reader)
                writer.write(BEGIN + b"MSH|^~\\&|HIS|WARD|LAB|H|20260101||ACK|1|P|2.5\rMSA|AA|1\r" + END)
        except (EOFError, OSError):
            writer.close()


async def run_hospital(settings: Settings) -> None:
    """Until SIGTERM."""
    his = Hospital(needed(os.environ, "ADAPTER_HL7_ADDRESS"))
    async with beside(repeatedly("patient", his.send), his.listen()):
        await _service("his", settings).run()


# ---------------------------------------------------------------------- MES


class Mes:
    """Is told of machines that run hot, and keeps the last hundred."""

    def __init__(self) -> None:
        self.alarms: list[dict[str, object]] = []

    def app(self) -> web.Application:
        """What it serves."""
        app = web.Application()
        app.add_routes([web.get("/", self._shown), web.get("/alarms", self._shown), web.post("/alarms", self._take)])
        return app

    async def _shown(self, _: web.Request) -> web.Response:
        return web.json_response({"alarms": self.alarms})

    async def _take(self, request: web.Request) -> web.Response:
        try:
            told = await request.json()
            alarm = {"machine": str(told["machine"]), "celsius": float(told["celsius"])}
        except (ValueError, KeyError, TypeError) as error:
            return web.json_response({"error": f"no alarm: {error!r}"}, status=400)
        self.alarms = [*self.alarms[-99:], alarm]
        return web.json_response(alarm, status=201)


async def run_mes(settings: Settings) -> None:
    """Until SIGTERM."""
    await _service("mes", settings).run(Mes().app())


# ---------------------------------------------------------------------- sensors


def text(value: str) -> bytes:
    """As MQTT writes one: its length, then itself."""
    return struct.pack(">H", len(value.encode())) + value.encode()


def packet(kind: int, body: bytes) -> bytes:
    """A packet of MQTT 3.1.1: its kind, its length in sevens of bits, and what it holds."""
    size, head = len(body), bytes([kind])
    while True:
        size, rest = divmod(size, 128)
        head += bytes([rest | (128 if size else 0)])
        if not size:
            return head + body


class Sensors:
    """Tell a temperature, and wait for the broker's word that it has it (QoS 1)."""

    def __init__(self, url: str) -> None:
        self._url = URL(url)
        self._degrees = 60.0

    async def send(self) -> None:
        """One value.

        Raises:
            ValueError: the broker said no.
        """
        self._degrees = 60.0 + (self._degrees - 59.7) % 5
        reader, writer = await asyncio.open_connection(self._url.host, self._url.port)
        try:
            account = text(self._url.user or "") + text(self._url.password or "")
            writer.write(packet(0x10, text("MQTT") + bytes([4, 0xC2, 0, 30]) + text("") + account))
            await self._answered(reader, CONNACK)
            message = f'{{"machine": "press", "celsius": {self._degrees:.1f}}}'
            writer.write(packet(0x32, text("plant/press/temperature") + b"\0\1" + message.encode()))
            await self._answered(reader, PUBACK)
        finally:
            writer.close()

    async def _answered(self, reader: asyncio.StreamReader, kind: int) -> None:
        head = await reader.readexactly(2)
        body = await reader.readexactly(head[1])
        if head[0] != kind or (kind == CONNACK and body[1]):
            raise ValueError(f"the broker said {head.hex()} {body.hex()}")


async def run_sensors(settings: Settings) -> None:
    """Until SIGTERM."""
    sensors = Sensors(needed(os.environ, "MQTT_URL"))
    async with beside(repeatedly("value", sensors.send)):
        await _service("sensors", settings).run()


def needed(env: Mapping[str, str], name: str) -> str:
    """A variable that a stand-in cannot do without.

    Raises:
        SettingsError: it is not there.
    """
    if not env.get(name):
        raise SettingsError(f"{name}: is not there; name the member under `uses` that brings it")
    return env[name]


def _service(name: str, settings: Settings) -> Service:
    return Service(name, settings, Faults("v1"), lambda: "")
