from __future__ import annotations

import socket

import aiohttp
import pytest

from rollout.engine.serve import serve_metrics


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


async def ask(port: int, path: str) -> tuple[int, str, str]:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{port}{path}") as answer,
    ):
        return answer.status, answer.content_type, await answer.text()


async def test_metrics_are_prometheus_text():
    port = free_port()
    async with serve_metrics(port, lambda: True):
        code, kind, text = await ask(port, "/metrics")
    assert (code, kind) == (200, "text/plain")
    assert "# TYPE grayling_reaction_seconds histogram" in text


async def test_alive_but_not_ready_while_watches_are_down():
    port, up = free_port(), [False]
    async with serve_metrics(port, lambda: up[0]):
        assert (await ask(port, "/healthz"))[0] == 200
        assert await ask(port, "/readyz") == (503, "text/plain", "watches are down\n")
        up[0] = True
        assert await ask(port, "/readyz") == (200, "text/plain", "ready\n")


async def test_the_port_is_free_again_afterwards():
    port = free_port()
    async with serve_metrics(port, lambda: True):
        pass
    with pytest.raises(aiohttp.ClientConnectionError):
        await ask(port, "/healthz")
    async with serve_metrics(port, lambda: True):
        assert (await ask(port, "/healthz"))[0] == 200


async def test_without_a_port_nothing_listens():
    async with serve_metrics(None, lambda: True):
        pass
