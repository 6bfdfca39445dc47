"""Options that many commands share: which cluster, which namespace."""

from __future__ import annotations

import functools
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from kube.cluster import Cluster
    from kube.once import Once


@dataclass(frozen=True, slots=True)
class Where:
    """A cluster and a namespace, as the flags say."""

    kubeconfig: str | None = None
    context: str | None = None
    namespace: str | None = None

    @asynccontextmanager
    async def open(self) -> AsyncIterator[tuple[Cluster, str]]:
        """The open cluster and the namespace: of the flag, or the context's own."""
        from kube.cluster import Cluster

        async with await Cluster.open(kubeconfig=self.kubeconfig, context=self.context) as cluster:
            yield cluster, self.namespace or cluster.namespace

    @asynccontextmanager
    async def read(self) -> AsyncIterator[tuple[Once, str]]:
        """The same for a command that only reads and then ends; it opens in a fraction of the time."""
        from kube.once import Once

        async with await Once.open(kubeconfig=self.kubeconfig, context=self.context) as cluster:
            yield cluster, self.namespace or cluster.namespace


def cluster_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--kubeconfig``, ``--context`` and ``-n``; the command gets one :class:`Where` as `where`."""

    @click.option("--kubeconfig", metavar="FILE", help="Kubeconfig to use instead of KUBECONFIG or ~/.kube/config.")
    @click.option("--context", metavar="NAME", help="Context of the kubeconfig, or grayling-<sandbox>.")
    @click.option("-n", "--namespace", metavar="NAME", help="Namespace; the context's own if not given.")
    @functools.wraps(function)
    def with_where(*, kubeconfig: str | None, context: str | None, namespace: str | None, **rest: Any) -> Any:
        return function(where=Where(kubeconfig, context, namespace), **rest)

    return with_where


def duration(ctx: click.Context, param: click.Parameter, value: str | None) -> float | None:
    """Callback of options that take a duration as the YAML does (90s, 5m, 1h30m): seconds."""
    from rollout.api.durations import seconds_of

    try:
        return None if value is None else seconds_of(value)
    except ValueError as error:
        raise click.BadParameter(f"{value!r} {error}", ctx, param) from error


def release_name(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the NAME argument; completion asks the cluster."""
    return click.argument("name", shell_complete=_names)(function)


def _names(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    import asyncio
    import contextlib

    from kube.errors import GraylingError
    from kube.kinds import GRAY_RELEASE

    async def ask() -> list[str]:
        given = ctx.params
        async with Where(given.get("kubeconfig"), given.get("context"), given.get("namespace")).read() as (
            cluster,
            where,
        ):
            listed = await cluster.list(GRAY_RELEASE, where)
        return [item["metadata"]["name"] for item in listed.items]

    with contextlib.suppress(GraylingError):
        return [name for name in asyncio.run(ask()) if name.startswith(incomplete)]
    return []
