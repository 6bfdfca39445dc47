"""One cluster: what can be read, written and asked of pods, over one pool of connections."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import aiohttp

from kube.connect import connect
from kube.pods import Pods
from kube.reading import Reading
from kube.writing import Writing

if TYPE_CHECKING:
    from types import TracebackType


class Cluster(Reading, Writing, Pods):
    """An open connection; make it with :meth:`open`, use it as an async context manager."""

    @classmethod
    async def open(cls, *, kubeconfig: str | None = None, context: str | None = None) -> Cluster:
        """Connect as :func:`kube.connect.connect` finds it; no request is made yet."""
        found = await connect(kubeconfig, context)
        usual, urgent = (aiohttp.TCPConnector(ssl=found.tls, limit=limit) for limit in (200, 20))
        return cls(found, *(aiohttp.ClientSession(connector=each, read_bufsize=2**21) for each in (usual, urgent)))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Drop every connection."""
        await self._session.close()
        await self._urgent.close()
