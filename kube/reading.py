"""Reading objects: one, many, and their changes as they come."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aiohttp

from kube.answers import WatchEvent, event_in, list_in, object_in, said
from kube.errors import ClusterUnreachableError, NotFoundError
from kube.requests import SECONDS, Requests, named

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from kube.kinds import Kind, Manifest, ObjectList


class Reading(Requests):
    """Get, find, list and watch."""

    async def get(
        self, kind: Kind, name: str, namespace: str | None = None, *, seconds: float = SECONDS, urgent: bool = False
    ) -> Manifest:
        """One object.

        Args:
            kind: of the object.
            name: of the object.
            namespace: of the object; None for kinds without.
            seconds: after which the request is given up.
            urgent: over connections that nothing else may use up.

        Raises:
            NotFoundError: there is none.
        """
        what = named("get", kind, namespace, name)
        found = await self.request("GET", kind.path(namespace, name), what=what, seconds=seconds, urgent=urgent)
        return object_in(found, what)

    async def find(
        self, kind: Kind, name: str, namespace: str | None = None, *, seconds: float = SECONDS, urgent: bool = False
    ) -> Manifest | None:
        """One object, or None where there is none."""
        try:
            return await self.get(kind, name, namespace, seconds=seconds, urgent=urgent)
        except NotFoundError:
            return None

    async def list(
        self,
        kind: Kind,
        namespace: str | None = None,
        *,
        labels: str = "",
        fields: str = "",
        seconds: float = SECONDS,
        urgent: bool = False,
    ) -> ObjectList:
        """All objects of a kind, in one namespace or (None) in all of them."""
        query = {key: value for key, value in (("labelSelector", labels), ("fieldSelector", fields)) if value}
        what = named("list", kind, namespace)
        path = kind.path(namespace)
        body = await self.request("GET", path, query=query, what=what, seconds=seconds, urgent=urgent)
        return list_in(body, kind, what)

    async def watch(
        self,
        kind: Kind,
        namespace: str | None = None,
        *,
        resource_version: str = "",
        labels: str = "",
        fields: str = "",
        seconds: int = 60,
    ) -> AsyncIterator[WatchEvent]:
        """Changes from ``resource_version`` on, until the server closes after about ``seconds``.

        Raises:
            KubeError: status 410 when the version is too old: list again.
            ClusterUnreachableError: the connection broke.
        """
        query = {"watch": "1", "allowWatchBookmarks": "true", "timeoutSeconds": str(seconds)}
        chosen = (("resourceVersion", resource_version), ("labelSelector", labels), ("fieldSelector", fields))
        query |= {key: value for key, value in chosen if value}
        what = named("watch", kind, namespace)
        async with self._open("GET", kind.path(namespace), query, None, {}, None, what) as response:
            try:
                async for line in response.content:
                    yield event_in(line, what)
            except (aiohttp.ClientError, OSError, ValueError) as error:
                raise ClusterUnreachableError(f"{what}: {said(error)}") from error
