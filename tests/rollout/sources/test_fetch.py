from __future__ import annotations

import asyncio
import gzip

import aiohttp
import pytest
from aiohttp import web

from kube.errors import ClusterUnreachableError
from rollout.sources.fetch import DirectFetch, FetchError, MemoryFetch, ProxyFetch

PACKED = gzip.compress(bytes(2**24))


@pytest.fixture
async def port():
    async def page(request: web.Request) -> web.Response:
        return web.Response(text=request.query.get("filter", "plain"))

    async def moved(_: web.Request) -> web.Response:
        raise web.HTTPFound("/metrics")

    async def slow(_: web.Request) -> web.Response:
        await asyncio.sleep(5)
        return web.Response()

    async def binary(_: web.Request) -> web.Response:
        return web.Response(body=b"m \xff 5")

    async def packed(_: web.Request) -> web.Response:
        return web.Response(body=PACKED, headers={"Content-Encoding": "gzip"})

    async def endless(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        for _ in range(64):
            await answer.write(bytes(2**10))
        return answer

    app = web.Application()
    handlers = {"/metrics": page, "/moved": moved, "/slow": slow, "/binary": binary}
    for path, handler in (handlers | {"/packed": packed, "/endless": endless}).items():
        app.router.add_get(path, handler)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield runner.addresses[0][1]
    await runner.cleanup()


@pytest.fixture
async def direct():
    async with aiohttp.ClientSession() as session:
        yield DirectFetch(session)


async def test_a_page_with_its_query_as_it_was_encoded(port, direct):
    text = await direct("shop", "a", "127.0.0.1", port, "/metrics?usedonly&filter=%5E%28a%7Cb%29%5C.c%24", 1)
    assert text == "^(a|b)\\.c$"


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("/none", "answers 404"),
        ("/moved", "answers 302"),
        ("/slow", "no answer within 0.2 s"),
        ("/packed", "packed \\(gzip\\)"),
    ],
)
async def test_what_is_no_page_is_told(port, direct, path, says):
    with pytest.raises(FetchError, match=rf"GET shop/a http://127.0.0.1:{port}{path}.*{says}"):
        await direct("shop", "a", "127.0.0.1", port, path, 0.2)


async def test_nobody_there(direct, unused_tcp_port):
    with pytest.raises(FetchError, match="Cannot connect"):
        await direct("shop", "a", "127.0.0.1", unused_tcp_port, "/metrics", 1)
    with pytest.raises(FetchError, match=r"\[::1\]"):
        await direct("shop", "a", "::1", unused_tcp_port, "/metrics", 1)


async def test_what_is_too_large_is_not_read_whether_it_says_so_or_not(port):
    async with aiohttp.ClientSession() as session:
        direct = DirectFetch(session, most_bytes=4)
        with pytest.raises(FetchError, match=r"shop/a .*/metrics: 5 bytes; at most 4 are read"):
            await direct("shop", "a", "127.0.0.1", port, "/metrics", 1)
        with pytest.raises(FetchError, match="bytes or more; at most 4 are read"):
            await direct("shop", "a", "127.0.0.1", port, "/endless", 1)


async def test_letters_that_are_none_are_replaced(port, direct):
    assert await direct("shop", "a", "127.0.0.1", port, "/binary", 1) == "m \ufffd 5"


@pytest.mark.parametrize(
    "path",
    [
        "metrics",
        "@10.0.0.9/metrics",
        "//10.0.0.9/metrics",
        "/a/../b",
        "/..",
        "/a//b",
        "/%2e%2e/b",
        "/a b",
        "/a\n",
        "/a?b c",
        "/a#b",
    ],
)
async def test_a_path_that_leaves_the_pod_is_never_asked_for(direct, path):
    with pytest.raises(FetchError, match="path: "):
        await direct("shop", "a", "127.0.0.1", 1, path, 1)
    proxy = Proxy("text")
    with pytest.raises(FetchError, match="path: "):
        await ProxyFetch(proxy)("shop", "a", "10.0.0.1", 9000, path, 1)  # type: ignore[arg-type]
    assert proxy.asked == ()


async def test_a_page_from_the_api_server_has_the_same_limit():
    with pytest.raises(FetchError, match="8,388,609 bytes; at most 8,388,608"):
        await ProxyFetch(Proxy("x" * (2**23 + 1)))("shop", "a", "10.0.0.1", 9000, "/metrics", 1)  # type: ignore[arg-type]


class Proxy:
    def __init__(self, answer: str | Exception) -> None:
        self.answer, self.asked = answer, ()

    async def pod_text(self, namespace: str, pod: str, port: int, path: str, *, seconds: float) -> str:
        self.asked = (namespace, pod, port, path, seconds)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


async def test_through_the_api_server():
    proxy = Proxy("text")
    assert await ProxyFetch(proxy)("shop", "a", "10.0.0.1", 9000, "/metrics", 1) == "text"  # type: ignore[arg-type]
    assert proxy.asked == ("shop", "a", 9000, "/metrics", 1)


@pytest.mark.parametrize("error", [ClusterUnreachableError("gone"), TimeoutError(), aiohttp.ClientPayloadError("cut")])
async def test_through_an_api_server_that_does_not(error):
    with pytest.raises(FetchError, match=r"shop/a:9000: (gone|TimeoutError|cut)"):
        await ProxyFetch(Proxy(error))("shop", "a", "10.0.0.1", 9000, "/metrics", 1)  # type: ignore[arg-type]


async def test_from_memory():
    fetch = MemoryFetch()
    fetch.pages["a", 1] = "text"
    assert await fetch("shop", "a", "", 1, "/x", 1) == "text"
    with pytest.raises(FetchError, match="refused"):
        await fetch("shop", "b", "", 1, "/x", 1)
    assert fetch.asked == [("a", 1, "/x"), ("b", 1, "/x")]
