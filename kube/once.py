"""A few reads by a process that then ends: as :class:`kube.cluster.Cluster`, with the standard library alone.

A command that shows one object should not take longer to import an HTTP client than to show it. The requests block:
that is what a process with nothing else to do is for.
"""

from __future__ import annotations

import http.client
import time
from typing import TYPE_CHECKING, Self
from urllib.parse import urlencode, urlsplit

from kube.answers import MOST_BYTES, MOST_ERROR_BYTES, body_in, list_in, object_in, refusal_in, said
from kube.connect import Connection, connect
from kube.errors import ClusterUnreachableError, NotFoundError, TooLargeError

if TYPE_CHECKING:
    from types import TracebackType

    from kube.kinds import Kind, Manifest, ObjectList

SECONDS = 30.0
_CHUNK = 2**20


class Once:
    """An open connection for reading; use it as an async context manager."""

    def __init__(self, connection: Connection, *, seconds: float = SECONDS, most_bytes: int = MOST_BYTES) -> None:
        self.connection = connection
        self.namespace = connection.namespace
        self._seconds, self._most_bytes = seconds, most_bytes
        parts = urlsplit(connection.host)
        where = (parts.hostname or "", parts.port)
        self._prefix = parts.path
        self._http: http.client.HTTPConnection = (
            http.client.HTTPSConnection(*where, timeout=seconds, context=connection.tls)
            if parts.scheme == "https"
            else http.client.HTTPConnection(*where, timeout=seconds)
        )

    @classmethod
    async def open(cls, *, kubeconfig: str | None = None, context: str | None = None) -> Once:
        """Connect as :func:`kube.connect.connect` finds it; no request is made yet."""
        return cls(await connect(kubeconfig, context))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._http.close()

    async def get(self, kind: Kind, name: str, namespace: str | None = None) -> Manifest:
        """One object.

        Raises:
            NotFoundError: there is none.
            KubeError: or another of the tree.
        """
        what = f"get {kind.kind} {namespace}/{name}"
        return object_in(await self._read(kind.path(namespace, name), what), what)

    async def find(self, kind: Kind, name: str, namespace: str | None = None) -> Manifest | None:
        """One object, or None where there is none."""
        try:
            return await self.get(kind, name, namespace)
        except NotFoundError:
            return None

    async def list(self, kind: Kind, namespace: str | None = None, *, labels: str = "") -> ObjectList:
        """All objects of a kind, in one namespace or (None) in all of them."""
        query = f"?{urlencode({'labelSelector': labels})}" if labels else ""
        what = f"list {kind.kind} {namespace or 'all namespaces'}"
        return list_in(await self._read(kind.path(namespace) + query, what), kind, what)

    async def _read(self, path: str, what: str) -> Manifest:
        token = await self.connection.authorization(what)
        headers = {"Accept": "application/json", **({"Authorization": token} if token else {})}
        try:
            self._http.request("GET", self._prefix + path, headers=headers)
            raw = self._whole(self._http.getresponse(), what)
        except (OSError, ValueError, http.client.HTTPException) as error:
            self._http.close()
            raise ClusterUnreachableError(f"{what}: no answer from {self.connection.host}: {said(error)}") from error
        except Exception:
            self._http.close()  # what was not read to its end cannot be followed by another request
            raise
        return body_in(raw, what)

    def _whole(self, answer: http.client.HTTPResponse, what: str) -> bytearray:
        """All of an answer that says yes, as far as it is not too large and does not trickle for ever."""
        if answer.status >= http.HTTPStatus.BAD_REQUEST:
            raise refusal_in(answer.status, answer.read(MOST_ERROR_BYTES), what, answer.getheader("Retry-After"))
        read, until = bytearray(), time.monotonic() + self._seconds
        while chunk := answer.read1(_CHUNK):
            read += chunk
            if len(read) > self._most_bytes:
                raise TooLargeError(f"{what}: more than {self._most_bytes} bytes are no answer to read")
            if time.monotonic() > until:
                raise TimeoutError(f"it is not whole after {self._seconds:g} s")
        left = answer.length
        answer.close()
        if left:
            raise http.client.IncompleteRead(bytes(read[-20:]), left)
        return read
