"""How a pod is reached: straight at its address from inside the cluster, through the API server from outside."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

import aiohttp
from yarl import URL

from kube.errors import GraylingError, KubeError

if TYPE_CHECKING:
    from kube.cluster import Cluster

TOO_LARGE = 16 * 2**20


class FetchError(GraylingError):
    """A pod could not be read: no answer, not in time, or an error."""


class Fetch(Protocol):
    """One GET of a pod's page."""

    async def __call__(self, namespace: str, pod: str, ip: str, port: int, path: str, seconds: float) -> str:
        """The text at ``path`` (with its query, already percent-encoded), within ``seconds``.

        Raises:
            FetchError: it could not be had.
        """
        ...


class DirectFetch:
    """Reads pods at their own address over a shared session, so that connections stay open between passes."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def __call__(self, namespace: str, pod: str, ip: str, port: int, path: str, seconds: float) -> str:
        """GET from the pod's address; redirects are not followed, they may lead anywhere."""
        host = f"[{ip}]" if ":" in ip else ip
        where = f"GET {namespace}/{pod} http://{host}:{port}{path.partition('?')[0]}"
        url, limit = URL(f"http://{host}:{port}{path}", encoded=True), aiohttp.ClientTimeout(total=seconds)
        try:
            async with self._session.get(url, timeout=limit, allow_redirects=False) as answer:
                body = await _body(answer)
        except TimeoutError as error:
            raise FetchError(f"{where}: no answer within {seconds:g} s") from error
        except (aiohttp.ClientError, OSError, UnicodeDecodeError) as error:
            raise FetchError(f"{where}: {error or type(error).__name__}") from error
        if answer.status != 200:  # noqa: PLR2004 - HTTP
            raise FetchError(f"{where}: answers {answer.status}")
        return body


async def _body(answer: aiohttp.ClientResponse) -> str:
    if (answer.content_length or 0) > TOO_LARGE:
        raise aiohttp.ClientPayloadError(f"{answer.content_length} bytes are no page of metrics")
    return (await answer.read()).decode()


class ProxyFetch:
    """Reads pods through the API server's proxy; for a run outside the cluster, a few milliseconds slower."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    async def __call__(self, namespace: str, pod: str, ip: str, port: int, path: str, seconds: float) -> str:  # noqa: ARG002 - the API server knows the address
        """GET through ``pods/…/proxy``."""
        try:
            return await self._cluster.pod_text(namespace, pod, port, path, seconds=seconds)
        except (KubeError, aiohttp.ClientError, TimeoutError, UnicodeDecodeError) as error:
            said = str(error) or type(error).__name__
            raise FetchError(f"{namespace}/{pod}:{port}: {said}") from error


class LogFetch:
    """Reads what a pod's container wrote; the path is a query of its ``log``, address and port are of no use."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    async def __call__(self, namespace: str, pod: str, ip: str, port: int, path: str, seconds: float) -> str:  # noqa: ARG002 - as in the Protocol
        """GET through ``pods/…/log``."""
        try:
            return await self._cluster.log_text(namespace, pod, path, seconds=seconds)
        except (KubeError, aiohttp.ClientError, TimeoutError, UnicodeDecodeError) as error:
            said = str(error) or type(error).__name__
            raise FetchError(f"log of {namespace}/{pod}: {said}") from error


class MemoryFetch:
    """Pages from memory.

    Attributes:
        pages: text, or the error to raise, by ``(pod, port)``; what is not there refuses the connection.
        delays: seconds an answer takes, by pod.
        asked: every ``(pod, port, path)`` asked for, in order.
    """

    def __init__(self) -> None:
        self.pages: dict[tuple[str, int], str | Exception] = {}
        self.delays: dict[str, float] = {}
        self.asked: list[tuple[str, int, str]] = []

    async def __call__(self, namespace: str, pod: str, ip: str, port: int, path: str, seconds: float) -> str:  # noqa: ARG002 - as in the Protocol
        """The page, after its delay."""
        self.asked.append((pod, port, path))
        await asyncio.sleep(self.delays.get(pod, 0.0))
        page = self.pages.get((pod, port), FetchError(f"{pod}:{port}: connection refused"))
        if isinstance(page, Exception):
            raise page
        return page
