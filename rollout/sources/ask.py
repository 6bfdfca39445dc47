"""How Prometheus is asked: straight at its URL, or through the API server when the run is outside the cluster."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Protocol

import aiohttp
from yarl import URL

from kube.errors import KubeError, UsageError
from rollout.sources.fetch import FetchError

if TYPE_CHECKING:
    from kube.cluster import Cluster

_SERVICE = re.compile(r"(?P<name>[a-z0-9-]+)\.(?P<namespace>[a-z0-9-]+)(\.svc(\..*)?)?")


class Ask(Protocol):
    """One instant query."""

    async def __call__(self, query: str, seconds: float, at: float | None = None) -> Any:
        """Prometheus' JSON answer, within ``seconds``; as of ``at`` (seconds since the epoch), else as of now.

        Raises:
            FetchError: there was none, or it was an error.
        """
        ...


class DirectAsk:
    """Asks at the base URL, by POST, because a query for many namespaces is longer than a URL may be."""

    def __init__(self, session: aiohttp.ClientSession, base_url: str) -> None:
        self._session, self._url = session, URL(base_url.rstrip("/") + "/api/v1/query")

    async def __call__(self, query: str, seconds: float, at: float | None = None) -> Any:
        """POST the query."""
        limit = aiohttp.ClientTimeout(total=seconds)
        try:
            async with self._session.post(self._url, data=_form(query, at), timeout=limit) as answer:
                body = await answer.json(content_type=None)
        except TimeoutError as error:
            raise FetchError(f"{self._url}: no answer within {seconds:g} s") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise FetchError(f"{self._url}: {str(error) or type(error).__name__}") from error
        return body


class ProxyAsk:
    """Asks through the API server's proxy for Services.

    Raises:
        UsageError: the URL names no Service of the cluster (`http://NAME.NAMESPACE:PORT`).
    """

    def __init__(self, cluster: Cluster, base_url: str) -> None:
        url = URL(base_url)
        found = _SERVICE.fullmatch(url.host or "")
        if found is None:
            raise UsageError(f"sources.prometheus: {base_url} names no Service; write http://NAME.NAMESPACE:PORT")
        scheme = "https:" if url.scheme == "https" else ""
        service = f"/api/v1/namespaces/{found['namespace']}/services/{scheme}{found['name']}:{url.port}/proxy"
        self._path = f"{service}{url.path.rstrip('/')}/api/v1/query"
        self._cluster, self._what = cluster, f"query {base_url}"

    async def __call__(self, query: str, seconds: float, at: float | None = None) -> Any:
        """GET the query; through the proxy a POST would need the right to create."""
        try:
            return await self._cluster.request(
                "GET", self._path, query=_form(query, at), what=self._what, seconds=seconds
            )
        except KubeError as error:
            if error.details.get("status") == "error":  # Prometheus' own; Kubernetes says Failure
                return error.details
            raise FetchError(str(error)) from error


def _form(query: str, at: float | None) -> dict[str, str]:
    return {"query": query} if at is None else {"query": query, "time": f"{at:.3f}"}


class MemoryAsk:
    """Answers from memory, for tests.

    Attributes:
        answer: what a query gets: JSON, or the error to raise.
        answers: what some queries get instead.
        asked: every query, in order.
        asked_at: the times they were to be answered as of.
    """

    def __init__(self) -> None:
        self.answer: Any = {"status": "success", "data": {"resultType": "matrix", "result": []}}
        self.answers: dict[str, Any] = {}
        self.asked: list[str] = []
        self.asked_at: list[float | None] = []

    async def __call__(self, query: str, seconds: float, at: float | None = None) -> Any:  # noqa: ARG002 - as in the Protocol
        """The answer."""
        self.asked.append(query)
        self.asked_at.append(at)
        answer = self.answers.get(query, self.answer)
        if isinstance(answer, Exception):
            raise answer
        return answer
