"""Whatever an API server, or what stands before it, answers: one tree of errors, and no path that leads elsewhere."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import aiohttp
import pytest

from kube.cache import FIRST_SECONDS, MOST_SECONDS, Reflector
from kube.cluster import Cluster
from kube.connect import Connection
from kube.errors import (
    ClusterUnreachableError,
    ForbiddenError,
    InvalidError,
    KubeError,
    ThrottledError,
    TooLargeError,
    error_for,
)
from kube.kinds import CONFIG_MAP, DEPLOYMENT, POD, Kind
from tests.fakes.apiserver import running

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


async def token() -> str | None:
    return "Bearer x"


@asynccontextmanager
async def answering(answer: bytes) -> AsyncIterator[Cluster]:
    """A server that gives every request this answer and hangs up."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    where = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    connection = Connection(where, ssl.create_default_context(), "shop", token)
    async with server, Cluster(connection, aiohttp.ClientSession()) as cluster:
        yield cluster


def http(status: str, body: bytes, *headers: str, length: int | None = None) -> bytes:
    told = "\r\n".join([f"HTTP/1.1 {status}", f"Content-Length: {len(body) if length is None else length}", *headers])
    return told.encode() + b"\r\n\r\n" + body


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"nonsense",
        http("502 Bad Gateway", b"<html>", length=500),
        http("502 Bad Gateway", b"\xff\xfe", "Content-Type: text/html; charset=utf-8"),
        http("200 OK", b'{"kind": "Pod", ', length=500),
        http("200 OK", b"\xff\xfe{}"),
        http("200 OK", b"<html>welcome</html>"),
        http("200 OK", b"{}"),
        http("200 OK", b"3"),
        http("200 OK", b'{"metadata": null}'),
        http("200 OK", b"[" * 100_000),
        http("200 OK", b"\x1f\x8bnot really", "Content-Encoding: gzip"),
    ],
)
async def test_what_is_no_answer_is_an_error_of_the_tree(answer: bytes):
    async with answering(answer) as cluster:
        with pytest.raises(ClusterUnreachableError, match="get Pod shop/p"):
            await cluster.get(POD, "p", "shop")


@pytest.mark.parametrize("line", [b"{}", b"[]", b'{"type": 3, "object": {}}', b'{"type": "ADDED", "object": {}}', b"x"])
async def test_a_line_that_is_no_event_ends_the_watch_with_an_error(line: bytes):
    async with answering(http("200 OK", line + b"\n")) as cluster:
        with pytest.raises(KubeError):
            async for _ in cluster.watch(POD, "shop"):
                pass


@pytest.mark.parametrize(
    "error",
    [FileNotFoundError("token"), RuntimeError("plugin aws failed"), UnicodeDecodeError("utf-8", b"\xff", 0, 1, "x")],
)
async def test_credentials_that_cannot_be_had_are_told(error: Exception):
    async def broken() -> str | None:
        raise error

    async with answering(http("200 OK", b"{}")) as cluster:
        cluster.connection.bearer = broken
        with pytest.raises(ClusterUnreachableError, match="the credentials cannot be had"):
            await cluster.get(POD, "p", "shop")


@pytest.mark.looptime
async def test_a_plugin_that_hangs_has_a_deadline():
    async def hangs() -> str | None:
        await asyncio.sleep(10_000)
        return None

    connection = Connection("http://127.0.0.1:9", ssl.create_default_context(), "shop", hangs)
    async with Cluster(connection, aiohttp.ClientSession()) as cluster:
        with pytest.raises(ClusterUnreachableError, match="no answer within 25 s"):
            await cluster.get(POD, "p", "shop")


async def test_a_server_that_wants_to_be_left_alone_says_for_how_long():
    answer = http("429 Too Many Requests", b'{"message": "slow down"}', "Retry-After: 7")
    async with answering(answer) as cluster:
        with pytest.raises(ThrottledError, match="slow down") as told:
            await cluster.get(POD, "p", "shop")
    assert told.value.retry_after == 7.0
    assert isinstance(error_for(503, {}, "x", "3"), ThrottledError)
    for odd in ("-1", "soon", "9" * 400, ""):
        found = error_for(429, {}, "x", odd)
        assert isinstance(found, ThrottledError)
        assert found.retry_after == 0.0


def test_what_is_too_large_is_told_apart():
    assert isinstance(error_for(413, {}, "x"), TooLargeError)
    assert isinstance(error_for(500, {"message": "etcdserver: request is too large"}, "x"), TooLargeError)


# ---------------------------------------------------------------------- paths


@pytest.mark.parametrize("name", ["", ".", "..", "../secrets", "a/b", "a?b", "a#b", "a b", "\n", "é"])
@pytest.mark.parametrize("kind", [DEPLOYMENT, CONFIG_MAP, Kind("v1", "Namespace", "namespaces", namespaced=False)])
def test_a_name_that_is_none_makes_no_path(kind: Kind, name: str):
    with pytest.raises(InvalidError, match="is none: give the name of one object"):
        kind.path("shop", name)
    if kind.namespaced:
        with pytest.raises(InvalidError):
            kind.path(name, "fine")


async def test_nothing_is_asked_of_a_server_by_an_empty_name():
    async with running() as server, server.cluster() as cluster:
        server.put({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "shop"}})
        for name in ("", "..", "a/../../secrets"):
            for ask in (cluster.delete, cluster.get, cluster.find):
                with pytest.raises(InvalidError):
                    await ask(CONFIG_MAP, name, "shop")
        assert server.find("ConfigMap", "a") is not None
        assert server.writes == []


@pytest.mark.parametrize(
    "path",
    [
        "metrics",
        "",
        "/../../../kube-system/secrets",
        "/a/../b",
        "//x/..",
        "@host/x",
        "/a\r\nX: y",
        "/a b",
        "/é",
        "/./x",
        "/%2e%2e/secrets",
        "/a%2Fb",
    ],
)
async def test_a_path_stays_in_its_pod(path: str):
    async with answering(http("200 OK", b"fine")) as cluster:
        assert await cluster.pod_text("shop", "p", 80, "/metrics?name=a..b") == "fine"
        with pytest.raises(InvalidError, match="stays in the pod"):
            await cluster.pod_text("shop", "p", 80, path)


async def test_a_page_has_a_budget():
    async with answering(http("200 OK", b"x" * 2000)) as cluster:
        assert len(await cluster.pod_text("shop", "p", 80, "/", most_bytes=2000)) == 2000
        with pytest.raises(TooLargeError, match="more than 1999 bytes"):
            await cluster.pod_text("shop", "p", 80, "/", most_bytes=1999)


async def test_bytes_that_are_no_text_are_read_nevertheless():
    async with answering(http("200 OK", b"a 1\n\xff\xfe 2\n")) as cluster:
        assert (await cluster.pod_text("shop", "p", 80, "/")).startswith("a 1\n")


# ---------------------------------------------------------------------- mirrors


class Clock:
    """Virtual time; a sleep moves it, and is noted."""

    def __init__(self) -> None:
        self.now, self.pauses = 0.0, []

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds
        if len(self.pauses) >= 12:
            raise asyncio.CancelledError


def mirror(cluster: Cluster, clock: Clock) -> Reflector:
    return Reflector(cluster, POD, "shop", sleep=clock.sleep, monotonic=lambda: clock.now, chance=lambda: 0.5)


async def pauses(answer: bytes) -> list[float]:
    clock = Clock()
    async with answering(answer) as cluster:
        with pytest.raises(asyncio.CancelledError):
            await mirror(cluster, clock).run()
    return clock.pauses


@pytest.mark.parametrize(
    "answer",
    [
        http("403 Forbidden", b'{"message": "no"}'),
        http("502 Bad Gateway", b"<html>", length=500),
        http("200 OK", b'{"items": [{}, {"metadata": null}, 3], "metadata": {}}'),
        http("200 OK", b'{"items": 3, "metadata": 4}'),
    ],
)
async def test_pauses_grow_to_a_bound(answer: bytes):
    found = await pauses(answer)
    assert found[0] == pytest.approx(FIRST_SECONDS)
    assert found == sorted(found)
    assert found[-1] == pytest.approx(MOST_SECONDS)


async def test_a_mirror_heeds_the_server():
    assert min(await pauses(http("429 Too Many Requests", b"{}", "Retry-After: 9"))) >= 9.0


async def test_a_watch_that_is_denied_is_not_asked_for_ten_times_a_second():
    clock = Clock()
    async with running() as server, server.cluster() as cluster:
        server.put({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "shop"}})
        known = cluster.watch

        async def denied(*_: object, **__: object) -> AsyncIterator[object]:
            raise ForbiddenError("cannot watch", status=403)
            yield

        cluster.watch = denied  # type: ignore[method-assign,assignment]
        with pytest.raises(asyncio.CancelledError):
            await mirror(cluster, clock).run()
        assert clock.pauses[-1] == pytest.approx(MOST_SECONDS)
        cluster.watch = known  # type: ignore[method-assign]
