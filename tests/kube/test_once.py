"""The client of one look, against servers that answer oddly: the same tree of errors as the other one."""

from __future__ import annotations

import asyncio
import ssl
import threading
from contextlib import contextmanager
from socketserver import BaseRequestHandler, ThreadingTCPServer
from typing import TYPE_CHECKING

import pytest

from kube.connect import Connection
from kube.errors import ClusterUnreachableError, KubeError, NotFoundError, ThrottledError, TooLargeError
from kube.kinds import CONFIG_MAP, NAMESPACE, Kind
from kube.once import Once
from tests.kube.test_torn import http, token

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def answering(*answers: bytes, stall: bool = False) -> Iterator[str]:
    """A server that gives each connection the next of these answers, the last for ever."""
    left, ended = list(answers), threading.Event()

    class Serve(BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(65536)
            self.request.sendall(left.pop(0) if len(left) > 1 else left[0])
            if stall:
                ended.wait(5)

    with ThreadingTCPServer(("127.0.0.1", 0), Serve) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        ended.set()
        server.shutdown()


def once(where: str, **rest: object) -> Once:
    return Once(Connection(where, ssl.create_default_context(), "shop", token), **rest)  # type: ignore[arg-type]


ODD = [
    b"",
    b"nonsense",
    http("200 OK", b"<html>welcome</html>"),
    http("200 OK", b"[" * 100_000),
    http("200 OK", b"\xff\xfe{}"),
    http("200 OK", b'{"kind": ', length=500),
    http("200 OK", b"3"),
    http("200 OK", b"{}"),
    http("200 OK", b'{"metadata": null}'),
    http("200 OK", b'{"items": 3, "metadata": {}}'),
    http("200 OK", b'{"items": [3], "metadata": null}'),
    http("200 OK", b'{"items": [{"metadata": {}}], "metadata": null}'),
    http("502 Bad Gateway", b"<html>", length=500),
    http("503 Service Unavailable", b"[" * 100_000),
    http("503 Service Unavailable", b"\xff\xfe"),
]


@pytest.mark.parametrize("answer", ODD)
async def test_what_is_no_answer_is_never_nothing(answer: bytes) -> None:
    with answering(answer) as where:
        async with once(where) as it:
            with pytest.raises(ClusterUnreachableError, match="get ConfigMap shop/a"):
                await it.get(CONFIG_MAP, "a", "shop")
            with pytest.raises(ClusterUnreachableError, match="list ConfigMap all namespaces"):
                await it.list(CONFIG_MAP)


async def test_a_bad_answer_spoils_none_that_follows() -> None:
    good = http("200 OK", b'{"metadata": {"name": "a"}}')
    with answering(http("200 OK", b'{"kind": ', length=500), good) as where:
        async with once(where) as it:
            with pytest.raises(ClusterUnreachableError):
                await it.get(CONFIG_MAP, "a", "shop")
            assert (await it.get(CONFIG_MAP, "a", "shop"))["metadata"]["name"] == "a"


async def test_errors_are_those_of_the_tree() -> None:
    said = http("429 Too Many Requests", b'{"message": "slow down"}', "Retry-After: 7")
    with answering(said, http("404 Not Found", b"no such page\n"), http("500 Oops", b'["x"]')) as where:
        async with once(where) as it:
            with pytest.raises(ThrottledError, match="slow down") as throttled:
                await it.get(CONFIG_MAP, "a", "shop")
            with pytest.raises(NotFoundError, match=r"no such page$"):
                await it.get(CONFIG_MAP, "a", "shop")
            with pytest.raises(KubeError, match=r'\["x"\]'):
                await it.get(CONFIG_MAP, "a", "shop")
    assert throttled.value.retry_after == 7.0


async def test_an_answer_has_a_budget_of_bytes() -> None:
    body = b'{"items": [], "metadata": {"resourceVersion": "7"}}'
    with answering(http("200 OK", body)) as where:
        async with once(where, most_bytes=len(body)) as it:
            assert (await it.list(CONFIG_MAP)).resource_version == "7"
        async with once(where, most_bytes=len(body) - 1) as it:
            with pytest.raises(TooLargeError, match=f"more than {len(body) - 1} bytes"):
                await it.list(CONFIG_MAP)


async def test_an_answer_that_never_ends_has_a_deadline() -> None:
    with answering(http("200 OK", b'{"items": ', length=500), stall=True) as where:
        async with once(where, seconds=0.2) as it:
            with pytest.raises(ClusterUnreachableError, match="timed out"):
                await it.list(CONFIG_MAP)


async def test_an_answer_that_trickles_has_a_deadline() -> None:
    """Each byte comes in time; the whole does not."""
    begun = threading.Event()

    class Trickle(BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(65536)
            self.request.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
            begun.set()
            for _ in range(1000):
                try:
                    self.request.sendall(b" ")
                except OSError:
                    return
                threading.Event().wait(0.01)

    with ThreadingTCPServer(("127.0.0.1", 0), Trickle) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        async with once(f"http://127.0.0.1:{server.server_address[1]}", seconds=0.3) as it:
            with pytest.raises(ClusterUnreachableError, match=r"not whole after 0\.3 s"):
                await it.list(CONFIG_MAP)
        server.shutdown()


async def test_credentials_that_hang_have_a_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kube.connect.CREDENTIALS_SECONDS", 0.1)

    async def hangs() -> str | None:
        await asyncio.sleep(1000)
        return None

    connection = Connection("http://127.0.0.1:9", ssl.create_default_context(), "shop", hangs)
    async with Once(connection) as it:
        with pytest.raises(ClusterUnreachableError, match=r"credentials cannot be had: no answer within 0\.1 s"):
            await it.get(CONFIG_MAP, "a", "shop")


async def test_nothing_of_a_namespace_is_asked_for_without_one() -> None:
    with answering(http("200 OK", b'{"metadata": {"name": "a"}}')) as where:
        async with once(where) as it:
            with pytest.raises(KubeError, match="ConfigMap: an object of this kind has a namespace"):
                await it.get(CONFIG_MAP, "a")
            assert (await it.get(NAMESPACE, "a"))["metadata"]["name"] == "a"
    assert Kind("v1", "Node", "nodes", namespaced=False).path(None, "n") == "/api/v1/nodes/n"
