"""One GrayRelease as it changes: what every waiting command reads, without ever polling."""

from __future__ import annotations

import asyncio
import random
import time
from typing import TYPE_CHECKING

from kube.errors import ClusterUnreachableError, KubeError, NotFoundError
from kube.kinds import GRAY_RELEASE, Manifest

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from kube.cluster import Cluster

GONE, INTERNAL = 410, 500
LIVED = 5.0
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0


async def follow(
    cluster: Cluster,
    namespace: str,
    name: str,
    *,
    patience_seconds: float = 60.0,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    monotonic: Callable[[], float] = time.monotonic,
) -> AsyncGenerator[Manifest, None]:
    """The object as it is, then again after each change, for ever.

    An API server that restarts, is busy, or answers with an error of its own is waited for.

    Raises:
        NotFoundError: there is no such object, or it was deleted meanwhile.
        ClusterUnreachableError: no answer for `patience_seconds`.
    """
    broken_since: float | None = None
    pause = FIRST_PAUSE
    while True:
        began, asked = monotonic(), 0.0
        try:
            async for found in _follow_once(cluster, namespace, name):
                broken_since = None
                yield found
        except KubeError as error:
            if not is_passing(error):
                raise
            broken_since = monotonic() if broken_since is None else broken_since
            if monotonic() - broken_since >= patience_seconds:
                raise
            asked = getattr(error, "retry_after", 0.0)
        pause = FIRST_PAUSE if monotonic() - began >= LIVED else pause
        await sleep(max(asked, pause * (0.5 + random.random())))  # noqa: S311 - no secret
        pause = min(LONGEST_PAUSE, 2 * pause)


def is_passing(error: KubeError) -> bool:
    """Whether waiting can cure it: no answer, too many requests, a server that is not well, a watch that is too old."""
    return isinstance(error, ClusterUnreachableError) or error.status == GONE or error.status >= INTERNAL


async def _follow_once(cluster: Cluster, namespace: str, name: str) -> AsyncGenerator[Manifest, None]:
    found = await cluster.get(GRAY_RELEASE, name, namespace)
    yield found
    version = found["metadata"]["resourceVersion"]
    stream = cluster.watch(GRAY_RELEASE, namespace, resource_version=version, fields=f"metadata.name={name}")
    async for event in stream:
        if event.type == "BOOKMARK" or event.object["metadata"]["name"] != name:
            continue
        if event.type == "DELETED":
            raise NotFoundError(f"GrayRelease {namespace}/{name} was deleted", status=404)
        yield event.object
