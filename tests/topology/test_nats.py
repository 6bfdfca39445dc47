"""What a NATS says, as items and requests; and what does not speak as a NATS is never taken for an empty one."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.topology.declared import item
from topology.api.nats import parted, placed
from topology.plan import Found, Op, Step
from topology.systems.nats import NatsSystem, lower
from topology.systems.nats_wire import connected
from topology.systems.system import Credentials, StepError, UnauthorizedError, UnreachableError

INFO = b'INFO {"headers":true}\r\n'
STREAM = {"name": "orders", "subjects": ["orders.>"], "max_age": 5, "mirror_direct": True}
EMPTY = {"total": 0, "streams": []}


@pytest.fixture
def credentials(tmp_path):
    (tmp_path / "username").write_text("topology\n")
    (tmp_path / "password").write_text("secret")
    return Credentials(tmp_path)


@asynccontextmanager
async def answering(*answers, greeting=INFO, welcome=b"PONG\r\n"):
    """A server that answers each question with the next of these; what it was asked is in the list."""
    asked = []

    async def serve(reader, writer):
        writer.write(greeting)
        while line := await reader.readline():
            if line.startswith(b"CONNECT"):
                asked.append(json.loads(line.partition(b" ")[2]))
            elif line.startswith(b"SUB"):
                inbox = line.split()[1]
            elif line.startswith(b"PING"):
                writer.write(b"PING\r\n" + welcome)
            elif line.startswith(b"PUB"):
                _, subject, _, size = line.split()
                asked.append((subject.decode(), json.loads((await reader.readexactly(int(size) + 2)).strip())))
                answer = answers[len([each for each in asked if isinstance(each, tuple)]) - 1]
                body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                whole = (
                    body if body.startswith((b"-ERR", b"HMSG")) else b"MSG %b 1 %d\r\n%b\r\n" % (inbox, len(body), body)
                )
                writer.write(whole)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"nats://127.0.0.1:{server.sockets[0].getsockname()[1]}", asked
    finally:
        server.close()


@pytest.mark.parametrize(
    ("answers", "server", "error", "told"),
    [
        ((), {"greeting": b"HTTP/1.1 400\r\n"}, UnreachableError, "answers what no NATS says: HTTP/1.1 400"),
        ((), {"greeting": b"", "welcome": b""}, UnreachableError, "127.0.0.1"),
        (
            (),
            {"welcome": b"-ERR 'Authorization Violation'\r\n"},
            UnauthorizedError,
            "does not take the account topology: Authorization Violation",
        ),
        ((), {"welcome": b"-ERR 'maximum connections exceeded'\r\n"}, UnreachableError, "maximum connections exceeded"),
        ((b"-ERR 'Permissions Violation for Publish to \"x\"'\r\n",), {}, UnauthorizedError, "Permissions Violation"),
        ((b"HMSG _INBOX.x 1 16 16\r\nNATS/1.0 503\r\n\r\n\r\n",), {}, UnreachableError, "JetStream does not answer"),
        ((b"{",), {}, UnreachableError, "answers what no NATS says"),
        (([],), {}, UnreachableError, "answers what no NATS says"),
        (({},), {}, UnreachableError, "answers what no NATS says"),
        (({"error": {"description": "JetStream not enabled"}},), {}, UnreachableError, "JetStream not enabled"),
        (({**EMPTY, "missing": ["orders"]},), {}, UnreachableError, r"nothing known of \['orders'\]"),
        ((*[{"total": 9, "streams": []}] * 100,), {}, UnreachableError, "does not end"),
        (({"total": 1, "streams": [{}]},), {}, UnreachableError, "answers what no NATS says"),
    ],
)
async def test_what_cannot_be_seen_whole_is_not_taken_for_empty(answers, server, error, told, credentials, monkeypatch):
    monkeypatch.setattr("topology.systems.nats_wire.SECONDS", 1.0)
    async with answering(*answers, **server) as (address, _):
        with pytest.raises(error, match=told):
            await NatsSystem(address, credentials).observe()


async def test_nobody_there_is_told(credentials):
    with pytest.raises(UnreachableError, match=r"127\.0\.0\.1:9"):
        await NatsSystem("nats://127.0.0.1:9", credentials).observe()


async def test_who_is_not_encrypted_gets_no_password(credentials):
    """A server that says that it needs no encryption is not believed."""
    async with answering() as (address, asked):
        secure = address.replace("nats:", "tls:")
        with pytest.raises(UnreachableError):
            async with connected(secure, credentials.trust(secure), "topology", "secret"):
                pass
    assert asked == []


async def test_pages_are_read_to_the_end_and_each_account_has_a_user_of_its_own(credentials):
    (credentials.folder / "accounts").mkdir()
    (credentials.folder / "accounts" / "billing").write_text("secret")
    consumers = [
        {"name": "printer", "config": {"durable_name": "printer", "filter_subject": "orders.new"}},
        {"name": "x1", "config": {"name": "x1"}},
    ]
    answers = (
        {"total": 2, "streams": [{"config": {"name": "KV_prices", "subjects": ["$KV.prices.>"]}}]},
        {"total": 2, "streams": [{"config": STREAM}]},
        {"total": 2, "consumers": consumers},
        EMPTY,
    )
    async with answering(*answers) as (address, asked):
        found = await NatsSystem(address, credentials).observe()
    assert list(found) == ["bucket prices", "stream orders", "consumer printer @orders"]
    assert found["consumer printer @orders"].settings["filter_subjects"] == ["orders.new"]
    assert [each["user"] for each in asked if isinstance(each, dict)] == ["topology", "topology-billing"]
    assert asked[2] == ("$JS.API.STREAM.LIST", {"offset": 1})


async def test_a_change_keeps_what_nothing_is_declared_of(credentials):
    found = Found("stream", {}, "orders", handle=json.dumps({**STREAM, "metadata": {"_nats.ver": "2", "team": "a"}}))
    async with answering({}) as (address, asked):
        await NatsSystem(address, credentials).act(
            Step(Op.CHANGE, "stream orders", "stream", item("stream", "orders", max_age=9), found)
        )
    assert asked[1] == ("$JS.API.STREAM.UPDATE.orders", {**STREAM, "max_age": 9, "metadata": {"team": "a"}})


@pytest.mark.parametrize(
    ("filters", "told"),
    [([], {}), (["a"], {"filter_subject": "a"}), (["a", "b"], {"filter_subjects": ["a", "b"]})],
)
async def test_a_consumer_has_one_filter_or_several_or_none(filters, told, credentials):
    found = Found("consumer", {}, "printer", "billing/orders", json.dumps({"filter_subject": "old"}))
    wanted = item("consumer", "printer", "billing/orders", filter_subjects=filters)
    async with answering({}) as (address, asked):
        await NatsSystem(address, credentials).act(Step(Op.CHANGE, wanted.label, "consumer", wanted, found))
    whole = {"durable_name": "printer", "name": "printer", "metadata": {}, **told}
    body = {"stream_name": "orders", "config": whole, "action": "update"}
    assert asked[1] == ("$JS.API.CONSUMER.CREATE.orders.printer", body)
    assert asked[0]["user"] == "topology-billing"


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"code": 400, "description": "subjects overlap\nhere"}, StepError),
        ({"code": 503, "description": "no leader"}, UnreachableError),
    ],
)
async def test_a_step_that_the_server_refuses_is_told_in_its_words(error, kind, credentials):
    wanted = item("stream", "orders", subjects=["a"])
    async with answering({"error": error}) as (address, _):
        with pytest.raises(kind, match=error["description"].replace("\n", " ")):
            await NatsSystem(address, credentials).act(Step(Op.CREATE, wanted.label, "stream", wanted))


async def test_what_is_gone_already_is_gone(credentials):
    there = Found("bucket", {}, "prices")
    async with answering({"error": {"code": 404, "description": "stream not found"}}) as (address, asked):
        assert not await NatsSystem(address, credentials).act(Step(Op.DELETE, "bucket prices", "bucket", None, there))
    assert asked[1][0] == "$JS.API.STREAM.DELETE.KV_prices"


@given(st.integers(-1, 5), st.integers(-1, 5))
def test_less_is_kept_where_a_limit_is_lower_or_new(was, now):
    def room(number):
        return float("inf") if number <= 0 else number

    assert lower(was, now) == (room(now) < room(was))


@given(st.sampled_from(["", "billing"]), st.from_regex(r"[A-Za-z0-9_-]{1,9}", fullmatch=True))
def test_a_name_is_parted_as_it_was_placed(account, name):
    assert parted(placed(account, name)) == (account, name)
