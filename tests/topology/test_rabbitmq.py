"""What a management API answers when something is wrong is never taken for an empty broker; passwords by hash."""

from __future__ import annotations

from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from tests.topology.declared import item
from topology.plan import Op, Step
from topology.systems.rabbitmq import RabbitMQSystem, hash_of, said, same_password
from topology.systems.system import Credentials, StepError, UnauthorizedError, UnreachableError

QUEUE = item("queue", "a", "/", type="quorum", durable=True, autoDelete=False, arguments={})


@pytest.fixture
def credentials(tmp_path):
    (tmp_path / "username").write_text("topology\n")
    (tmp_path / "password").write_text("secret")
    return Credentials(tmp_path)


@asynccontextmanager
async def broker(answer, credentials):
    """A system whose API answers every request so."""
    seen = []

    async def handle(request):
        seen.append((request.method, request.raw_path))
        return answer(request)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = site._server.sockets[0].getsockname()[1]
    try:
        yield RabbitMQSystem(f"http://127.0.0.1:{port}", credentials), seen
    finally:
        await runner.cleanup()


@pytest.mark.parametrize(
    ("answer", "error", "told"),
    [
        (lambda _: web.Response(status=401), UnauthorizedError, "does not take the account topology"),
        (lambda _: web.Response(status=503, text="no"), UnreachableError, "127.0.0.1"),
        (lambda _: web.json_response({"error": "x", "reason": "starting"}, status=500), UnreachableError, "starting"),
        (lambda _: web.Response(text="<html>"), UnreachableError, "127.0.0.1"),
        (lambda _: web.json_response({}), UnreachableError, "answers what no RabbitMQ says"),
        (lambda _: web.json_response([]), UnreachableError, "answers what no RabbitMQ says"),
        (lambda _: web.json_response({"vhosts": [None]}), UnreachableError, "answers what no RabbitMQ says"),
        (lambda _: web.Response(status=404), UnreachableError, "404"),
        (lambda _: web.Response(), UnreachableError, "answers what no RabbitMQ says"),
    ],
)
async def test_what_cannot_be_seen_whole_is_not_taken_for_empty(answer, error, told, credentials):
    async with broker(answer, credentials) as (system, _):
        with pytest.raises(error, match=told):
            await system.observe()


async def test_nobody_there_is_told(credentials):
    with pytest.raises(UnreachableError, match=r"127\.0\.0\.1:9"):
        await RabbitMQSystem("http://127.0.0.1:9", credentials).observe()


@pytest.mark.parametrize(("file", "text"), [("username", None), ("password", ""), ("password", "\n")])
async def test_credentials_that_are_missing_or_empty_are_named(file, text, credentials):
    path = credentials.folder / file
    path.unlink()
    if text is not None:
        path.write_text(text)
    with pytest.raises(UnauthorizedError, match=file):
        await RabbitMQSystem("http://127.0.0.1:9", credentials).observe()


async def test_a_step_that_the_broker_refuses_is_told_in_its_words(credentials):
    def no(_request):
        return web.json_response({"error": "bad_request", "reason": "invalid arg\n'x'"}, status=400)

    async with broker(no, credentials) as (system, seen):
        with pytest.raises(StepError, match="invalid arg 'x'"):
            await system.act(Step(Op.CREATE, QUEUE.label, "queue", QUEUE))
    assert seen == [("PUT", "/api/queues/%2F/a")]


@pytest.mark.parametrize(("status", "made"), [(201, True), (204, False)])
async def test_what_was_there_already_is_not_ours(status, made, credentials):
    async with broker(lambda _: web.Response(status=status), credentials) as (system, _):
        assert await system.act(Step(Op.CREATE, QUEUE.label, "queue", QUEUE)) is made


async def test_a_user_without_a_password_is_told(credentials):
    user = item("user", "reports", tags=[])
    with pytest.raises(UnauthorizedError, match="users/reports"):
        RabbitMQSystem("http://127.0.0.1:9", credentials).prepared([user], {})


@given(st.text(min_size=1), st.binary(min_size=4, max_size=4), st.text())
def test_a_hash_is_of_its_password_alone(password, salt, other):
    hashed = hash_of(password, salt)
    assert same_password(password, hashed)
    assert same_password(other, hashed) == (other == password)


@given(st.text())
def test_what_is_no_hash_is_of_no_password(text):
    assert not same_password("secret", text)


@given(
    st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.dictionaries(st.text(), inner))
)
def test_what_a_broker_says_begins_no_line_of_its_own(answer):
    told = said(answer)
    assert told.isprintable()
    assert len(told) <= 400
