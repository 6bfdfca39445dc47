"""How Prometheus is asked: straight at its URL, or through the API server when the run is outside the cluster."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Protocol

import aiohttp
from yarl import URL

from kube.errors import GraylingError, TooLargeError, UsageError
from rollout.api.texts import told
from rollout.sources.budget import MOST_ANSWERED, OverBudgetError
from rollout.sources.fetch import FetchError, TooMuchError, text_of

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
    """Asks at the base URL, by POST, because a query for many namespaces is longer than a URL may be.

    Args:
        session: for all servers.
        base_url: of Prometheus.
        most_bytes: of an answer; what is longer is not read to its end.
    """

    def __init__(self, session: aiohttp.ClientSession, base_url: str, most_bytes: int = MOST_ANSWERED) -> None:
        self._session, self._url = session, URL(base_url.rstrip("/") + "/api/v1/query")
        self._most = most_bytes

    async def __call__(self, query: str, seconds: float, at: float | None = None) -> Any:
        """POST the query; an answer that is an error of Prometheus' own is returned, it says what is wrong."""
        limit = aiohttp.ClientTimeout(total=seconds)
        form, plainly = _form(query, at), {"Accept-Encoding": "identity"}
        try:
            async with self._session.post(
                self._url, data=form, timeout=limit, headers=plainly, allow_redirects=False, auto_decompress=False
            ) as answer:
                return _json(await text_of(answer, self._most))
        except TimeoutError as error:
            raise FetchError(f"{self._url}: no answer within {seconds:g} s") from error
        except OverBudgetError as error:
            raise TooMuchError(f"{self._url}: {told(error)}") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise FetchError(f"{self._url}: {told(str(error) or type(error).__name__)}") from error


def _json(text: str) -> Any:
    """The value.

    Raises:
        ValueError: it is none, or deeper than any answer.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("the answer is deeper than any of Prometheus") from None


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
        except TooLargeError as error:
            raise TooMuchError(told(error)) from error
        except GraylingError as error:
            details = getattr(error, "details", {})
            if details.get("status") == "error":  # Prometheus' own; Kubernetes says Failure
                return details
            raise FetchError(told(error)) from error


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
