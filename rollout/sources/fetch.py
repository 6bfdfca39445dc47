"""How a pod is reached: straight at its address from inside the cluster, through the API server from outside."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Protocol

import aiohttp
from yarl import URL

from kube.errors import GraylingError
from rollout.api.paths import checked
from rollout.api.texts import clean, told
from rollout.sources.budget import MOST_BYTES, OverBudgetError, over

if TYPE_CHECKING:
    from kube.cluster import Cluster


class FetchError(GraylingError):
    """A pod could not be read: no answer, not in time, or an error."""


class TooMuchError(FetchError):
    """The answer is more than is read of anybody; who asks for less gets one."""


class Fetch(Protocol):
    """One GET of a pod's page."""

    async def __call__(self, namespace: str, pod: str, ip: str, port: int, path: str, seconds: float) -> str:
        """The text at ``path`` (with its query, already percent-encoded), within ``seconds``.

        Raises:
            FetchError: it could not be had.
        """
        ...


class DirectFetch:
    """Reads pods at their own address over a shared session, so that connections stay open between passes.

    Args:
        session: for all pods.
        most_bytes: of a page; what is longer is not read to its end.
    """

    def __init__(self, session: aiohttp.ClientSession, most_bytes: int = MOST_BYTES) -> None:
        self._session, self._most = session, most_bytes

    async def __call__(self, namespace: str, pod: str, ip: str, port: int, path: str, seconds: float) -> str:
        """GET from the pod's address; redirects are not followed, they may lead anywhere."""
        page = path.partition("?")[0]
        where = f"GET {namespace}/{pod} http://{f'[{ip}]' if ':' in ip else ip}:{port}{page}"
        limit = aiohttp.ClientTimeout(total=seconds)
        try:
            url = _url(ip, port, path)
            async with self._session.get(
                url, timeout=limit, allow_redirects=False, headers=_PLAINLY, auto_decompress=False
            ) as answer:
                if answer.status != 200:  # noqa: PLR2004 - HTTP
                    raise FetchError(f"{where}: answers {answer.status}")
                return await text_of(answer, self._most)
        except TimeoutError as error:
            raise FetchError(f"{where}: no answer within {seconds:g} s") from error
        except (aiohttp.ClientError, OSError, ValueError, OverBudgetError) as error:
            raise FetchError(f"{where}: {told(str(error) or type(error).__name__)}") from error


async def text_of(answer: aiohttp.ClientResponse, most: int) -> str:
    """The text, read piece by piece, of at most so many bytes; letters that are none are replaced.

    Raises:
        OverBudgetError: it is too long, or packed, so that nobody can say how long it is.
    """
    packed = answer.headers.get("Content-Encoding", "identity").strip().lower()
    if packed != "identity":
        raise OverBudgetError(f"the page is packed ({clean(packed, 20)}), which was not asked for")
    if (answer.content_length or 0) > most:
        raise over("bytes", answer.content_length or 0, most)
    read = bytearray()
    async for piece in answer.content.iter_any():
        read += piece
        if len(read) > most:
            answer.close()
            raise over("bytes or more", len(read), most)
    return read.decode(errors="replace")


_PLAINLY = {"Accept-Encoding": "identity"}


def _url(ip: str, port: int, path: str) -> URL:
    """The page's address, made of its parts.

    Raises:
        ValueError: the path is none of a page.
    """
    page, _, query = checked_target(path).partition("?")
    return URL.build(scheme="http", host=ip, port=port, path=page, query_string=query, encoded=True)


def checked_target(target: str) -> str:
    """A page and its query as they are sent; a query may be as long as it has to be.

    Raises:
        ValueError: the path is none of a page, or the query has letters that no query has.
    """
    page, mark, query = target.partition("?")
    checked(page, query=False)
    if _NO_QUERY.search(query):
        raise ValueError(f"path: {target[:80]!r} has a query that is not percent-encoded")
    return page + mark + query


_NO_QUERY = re.compile(r"[^!-~]|[#\\\"<>^`{|}]")


class ProxyFetch:
    """Reads pods through the API server's proxy; for a run outside the cluster, a few milliseconds slower."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    async def __call__(self, namespace: str, pod: str, ip: str, port: int, path: str, seconds: float) -> str:  # noqa: ARG002 - the API server knows the address
        """GET through ``pods/…/proxy``."""
        try:
            text = await self._cluster.pod_text(namespace, pod, port, checked_target(path), seconds=seconds)
        except (GraylingError, aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise FetchError(f"{namespace}/{pod}:{port}: {told(str(error) or type(error).__name__)}") from error
        if len(text) > MOST_BYTES:
            raise FetchError(f"{namespace}/{pod}:{port}: {over('bytes', len(text), MOST_BYTES)}")
        return text


class LogFetch:
    """Reads what a pod's container wrote; the path is a query of its ``log``, address and port are of no use."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    async def __call__(self, namespace: str, pod: str, ip: str, port: int, path: str, seconds: float) -> str:  # noqa: ARG002 - as in the Protocol
        """GET through ``pods/…/log``."""
        try:
            return await self._cluster.log_text(namespace, pod, path, seconds=seconds)
        except (GraylingError, aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise FetchError(f"log of {namespace}/{pod}: {told(str(error) or type(error).__name__)}") from error


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
