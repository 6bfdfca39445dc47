"""Stand-ins of the outside speak what those systems speak, and the shop tells its spans."""

from __future__ import annotations

import asyncio
import json
from xml.etree import ElementTree as ET

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from shop import outside
from shop.settings import SettingsError
from shop.tracing import Tracer


@pytest.fixture
async def served():
    """A server of these routes; its address."""
    servers = []

    async def serve(*routes):
        app = web.Application()
        app.add_routes(routes)
        server = TestServer(app)
        await server.start_server()
        servers.append(server)
        return str(server.make_url("")).rstrip("/")

    yield serve
    for each in servers:
        await each.close()


async def test_the_erp_sends_xml_and_keeps_what_it_is_told(served):
    got = []

    async def take(request):
        got.append(ET.fromstring(await request.text()))  # noqa: S314 - our own
        return web.Response()

    erp = outside.Erp(await served(web.post("/erp/orders", take)))
    await erp.send()
    assert {each.tag for each in got[0]} == {"id", "item", "quantity", "placed_at"}
    async with TestClient(TestServer(erp.app())) as client:
        assert (await client.post("/bookings", json={"id": got[0].find("id").text})).status == 201
        assert (await client.post("/bookings", data="no")).status == 400
        assert (await client.post("/bookings", json=[1])).status == 400
        told = await (await client.get("/bookings")).json()
    assert told == {"sent": erp.sent, "booked": erp.sent}


async def test_the_mes_keeps_the_alarms_that_it_is_told():
    mes = outside.Mes()
    alarm = {"machine": "press", "celsius": 63.5}
    async with TestClient(TestServer(mes.app())) as client:
        assert (await client.post("/alarms", json={**alarm, "since": "now"})).status == 201
        for wrong in ({"machine": "press"}, {**alarm, "celsius": "hot"}, [1]):
            assert (await client.post("/alarms", json=wrong)).status == 400
        assert await (await client.get("/alarms")).json() == {"alarms": [alarm]}


async def test_an_order_that_is_refused_counts_as_not_sent(served):
    async def refuse(_):
        return web.Response(status=422)

    erp = outside.Erp(await served(web.post("/erp/orders", refuse)))
    with pytest.raises(aiohttp.ClientResponseError):
        await erp.send()
    assert erp.sent == []


async def mllp(verdict):
    """A listener that answers each message so, and what it heard."""
    heard = []

    async def answer(reader, writer):
        heard.append(await outside.hear(reader))
        writer.write(outside.BEGIN + f"MSH|x\rMSA|{verdict}|1\r".encode() + outside.END)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    return server, heard, f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


@pytest.mark.parametrize("scheme", ["", "tcp://"])
async def test_the_hospital_waits_for_the_acknowledgement(scheme):
    server, heard, address = await mllp("AA")
    async with server:
        await outside.Hospital(scheme + address).send()
    assert heard[0].startswith(b"\x0bMSH|^~\\&|HIS")


async def test_a_patient_who_is_refused_is_told():
    server, _, address = await mllp("AE")
    async with server:
        with pytest.raises(ValueError, match="was refused: AE"):
            await outside.Hospital(address).send()


def test_an_answer_without_a_word_on_it():
    with pytest.raises(ValueError, match="no MSA"):
        outside.verdict_of(b"\x0bMSH|x\r\x1c\r")


async def broker(code):
    """A broker for one client: says ``code`` to its name, and has what is published."""
    heard = []

    async def serve(reader, writer):
        first = await reader.readexactly(2)
        heard.append(await reader.readexactly(first[1]))
        writer.write(bytes([outside.CONNACK, 2, 0, code]))
        if not code:
            head = await reader.readexactly(2)
            heard.append(await reader.readexactly(head[1]))
            writer.write(bytes([outside.PUBACK, 2, 0, 1]))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    return server, heard, f"mqtt://sensors:pa%40ss@127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def test_sensors_say_who_they_are_and_wait_for_the_broker():
    server, heard, url = await broker(0)
    async with server:
        await outside.Sensors(url).send()
    assert heard[0].endswith(outside.text("sensors") + outside.text("pa@ss"))
    topic = outside.text("plant/press/temperature")
    assert heard[1].startswith(topic + b"\0\1")
    assert json.loads(heard[1][len(topic) + 2 :])["machine"] == "press"


async def test_a_broker_that_says_no():
    server, _, url = await broker(5)
    async with server:
        with pytest.raises(ValueError, match="the broker said"):
            await outside.Sensors(url).send()


def test_long_packets_say_their_length_in_sevens_of_bits():
    assert outside.packet(0x30, b"x" * 321)[:3] == bytes([0x30, 0xC1, 0x02])


def test_what_is_missing_is_named():
    with pytest.raises(SettingsError, match="ADAPTER_URL: is not there; name the member under `uses`"):
        outside.needed({}, "ADAPTER_URL")


async def test_a_request_becomes_a_span_of_the_callers_trace(served):
    got = asyncio.Queue()

    async def take(request):
        got.put_nowait((request.headers["Authorization"], await request.json()))
        return web.json_response({})

    url = await served(web.post("/v1/traces", take))
    said = {"OTEL_EXPORTER_OTLP_ENDPOINT": url, "OTEL_EXPORTER_OTLP_HEADERS": "Authorization=Bearer%20abc"}
    tracer = Tracer({**said, "OTEL_SERVICE_NAME": "checkout"})

    async def fail(_):
        raise RuntimeError

    app = web.Application(middlewares=[tracer.middleware()])
    app.add_routes([web.get("/orders/{id}", lambda _: _done()), web.get("/fails", fail)])
    sending = asyncio.create_task(tracer.run())
    async with TestClient(TestServer(app)) as client:
        await client.get("/orders/7", headers={"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"})
        who, body = await got.get()
        await client.get("/fails", headers={"traceparent": "nonsense"})
        _, failed = await got.get()
    sending.cancel()
    assert who == "Bearer abc"
    (resource,) = body["resourceSpans"]
    assert resource["resource"]["attributes"][0]["value"]["stringValue"] == "checkout"
    (span,) = resource["scopeSpans"][0]["spans"]
    assert (span["name"], span["traceId"], span["parentSpanId"]) == ("GET /orders/{id}", "a" * 32, "b" * 16)
    assert int(span["endTimeUnixNano"]) >= int(span["startTimeUnixNano"])
    assert "status" not in span
    (other,) = failed["resourceSpans"][0]["scopeSpans"][0]["spans"]
    assert other["status"] == {"code": 2}
    assert len(other["traceId"]) == 32
    assert other["parentSpanId"] == ""


async def test_a_collector_that_is_away_delays_nobody():
    tracer = Tracer({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"})
    app = web.Application(middlewares=[tracer.middleware()])
    app.add_routes([web.get("/", lambda _: _done())])
    sending = asyncio.create_task(tracer.run())
    async with TestClient(TestServer(app)) as client:
        assert [(await client.get("/")).status for _ in range(3)] == [200] * 3
    assert not sending.done()
    sending.cancel()


async def test_without_a_collector_there_are_no_spans():
    tracer = Tracer({})
    await tracer.run()  # ends at once
    app = web.Application(middlewares=[tracer.middleware()])
    app.add_routes([web.get("/", lambda _: _done())])
    async with TestClient(TestServer(app)) as client:
        assert (await client.get("/")).status == 200


async def _done():
    return web.json_response({})
