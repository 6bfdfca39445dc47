"""A few reads by a process that then ends: as :class:`kube.cluster.Cluster`, with the standard library alone.

A command that shows one object should not take longer to import an HTTP client than to show it. The requests block:
that is what a process with nothing else to do is for.
"""

from __future__ import annotations

import http.client
import json
from typing import TYPE_CHECKING, Self
from urllib.parse import urlencode, urlsplit

from kube.connect import Connection, connect
from kube.errors import ClusterUnreachableError, NotFoundError, error_for
from kube.kinds import Kind, Manifest, ObjectList

if TYPE_CHECKING:
    from types import TracebackType

SECONDS = 30.0


class Once:
    """An open connection for reading; use it as an async context manager."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.namespace = connection.namespace
        parts = urlsplit(connection.host)
        where = (parts.hostname or "", parts.port)
        self._prefix = parts.path
        self._http: http.client.HTTPConnection = (
            http.client.HTTPSConnection(*where, timeout=SECONDS, context=connection.tls)
            if parts.scheme == "https"
            else http.client.HTTPConnection(*where, timeout=SECONDS)
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
        """
        return await self._read(kind.path(namespace, name), f"get {kind.kind} {namespace}/{name}")

    async def find(self, kind: Kind, name: str, namespace: str | None = None) -> Manifest | None:
        """One object, or None where there is none."""
        try:
            return await self.get(kind, name, namespace)
        except NotFoundError:
            return None

    async def list(self, kind: Kind, namespace: str | None = None, *, labels: str = "") -> ObjectList:
        """All objects of a kind, in one namespace or (None) in all of them."""
        query = f"?{urlencode({'labelSelector': labels})}" if labels else ""
        body = await self._read(kind.path(namespace) + query, f"list {kind.kind} {namespace or 'all namespaces'}")
        items = body.get("items") or []
        for item in items:
            item.setdefault("apiVersion", kind.api_version)
            item.setdefault("kind", kind.kind)
        return ObjectList(items, body.get("metadata", {}).get("resourceVersion", ""))

    async def _read(self, path: str, what: str) -> Manifest:
        token = await self.connection.bearer()
        headers = {"Accept": "application/json", **({"Authorization": token} if token else {})}
        try:
            self._http.request("GET", self._prefix + path, headers=headers)
            answer = self._http.getresponse()
            status, text = answer.status, answer.read()
        except (OSError, http.client.HTTPException) as error:
            said = str(error) or type(error).__name__
            raise ClusterUnreachableError(f"{what}: no answer from {self.connection.host}: {said}") from error
        body = _parsed(text)
        if status >= http.HTTPStatus.BAD_REQUEST:
            raise error_for(status, body, what)
        return body


def _parsed(text: bytes) -> Manifest:
    try:
        body = json.loads(text)
    except ValueError:
        body = {"message": text.decode(errors="replace").strip()[:500]}
    return body if isinstance(body, dict) else {"value": body}
