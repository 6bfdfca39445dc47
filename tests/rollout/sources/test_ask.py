"""A Prometheus is asked directly or through the API server, and what is no answer is said."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from kube.errors import ClusterUnreachableError, UsageError, error_for
from rollout.sources.ask import DirectAsk, ProxyAsk
from rollout.sources.fetch import FetchError


@pytest.fixture
async def port():
    async def query(request: web.Request) -> web.Response:
        form = await request.post()
        if form["query"] == "hang":
            await asyncio.sleep(5)
        if form["query"] == "html":
            return web.Response(text="<html>", content_type="text/html")
        return web.json_response({"status": "success", "query": form["query"]})

    app = web.Application()
    app.router.add_post("/prefix/api/v1/query", query)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield runner.addresses[0][1]
    await runner.cleanup()


async def test_asked_directly(port, unused_tcp_port):
    async with aiohttp.ClientSession() as session:
        ask = DirectAsk(session, f"http://127.0.0.1:{port}/prefix/")
        assert (await ask("up[3s]", 1))["query"] == "up[3s]"
        with pytest.raises(FetchError, match=r"no answer within 0.1 s"):
            await ask("hang", 0.1)
        with pytest.raises(FetchError, match=r"JSON|Expecting"):
            await ask("html", 1)
        with pytest.raises(FetchError, match="Cannot connect"):
            await DirectAsk(session, f"http://127.0.0.1:{unused_tcp_port}")("up", 1)


class Cluster:
    def __init__(self, error: Exception | None = None) -> None:
        self.error, self.paths = error, []

    async def request(self, method: str, path: str, **rest: Any) -> Any:
        if self.error:
            raise self.error
        self.paths.append((method, path, rest["query"]))
        return {"status": "success"}


async def test_asked_through_the_api_server():
    cluster: Any = Cluster()
    ask = ProxyAsk(cluster, "http://prometheus.monitoring.svc.cluster.local:9090/p/")
    assert await ask("up", 1) == {"status": "success"}
    await ProxyAsk(cluster, "https://prometheus.monitoring")("up", 1)
    assert cluster.paths == [
        ("GET", "/api/v1/namespaces/monitoring/services/prometheus:9090/proxy/p/api/v1/query", {"query": "up"}),
        ("GET", "/api/v1/namespaces/monitoring/services/https:prometheus:443/proxy/api/v1/query", {"query": "up"}),
    ]
    broken: Any = Cluster(ClusterUnreachableError("away"))
    with pytest.raises(FetchError, match="away"):
        await ProxyAsk(broken, "http://prometheus.monitoring:9090")("up", 1)
    refusal = {"status": "error", "errorType": "bad_data", "error": "parse error: unclosed left parenthesis"}
    refusing: Any = Cluster(error_for(400, refusal, "query"))
    assert await ProxyAsk(refusing, "http://prometheus.monitoring:9090")("up(", 1) == refusal
    with pytest.raises(UsageError, match=r"write http://NAME.NAMESPACE:PORT"):
        ProxyAsk(cluster, "http://prometheus:9090")
