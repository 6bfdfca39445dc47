"""`release watch`, and the waiting that `status -w`, `start --wait` and `run` share."""

from __future__ import annotations

import asyncio
import math
import sys
import time
from contextlib import aclosing
from typing import TYPE_CHECKING

import click

from rollout.cli.options import Where, cluster_options, duration, release_name
from terminal.output import data_writers, emit, output_option

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from kube.cluster import Cluster
    from kube.kinds import Manifest
    from rollout.api.status import Status
    from rollout.client.ending import Awaited, Ending
    from terminal.output import Wanted

PATIENCE = click.option(
    "--patience",
    callback=duration,
    default="1m",
    show_default=True,
    help="End when the API server has refused an object for this long (exit 13).",
)
UNTIL = click.option(
    "--until",
    type=click.Choice(["ended", "promoted"]),
    default="ended",
    show_default=True,
    help="promoted: do not wait for the bake.",
)


@click.command()
@release_name
@cluster_options
@click.option(
    "--timeout", callback=duration, default="1h", show_default=True, help="Give up after this long (exit 10)."
)
@PATIENCE
@UNTIL
@output_option("text", "json", "yaml", "markdown")
def watch(*, name: str, where: Where, timeout: float, patience: float, until: str, wanted: list[Wanted]) -> int:
    """Wait for the outcome.

    Exit 0 promoted, 7 rolled back, 8 rollback incomplete, 9 ended by a person, 10 timeout, 13 an object is refused.
    """
    return asyncio.run(_watch(where, name, timeout, patience, baked=until == "ended", wanted=wanted))


async def _watch(
    where: Where, name: str, timeout_seconds: float, patience_seconds: float, *, baked: bool, wanted: list[Wanted]
) -> int:
    async with where.open() as (cluster, namespace):
        awaited = await what_is_desired(cluster, namespace, name, baked=baked)
        manifest, ending = await wait_for(cluster, namespace, name, awaited, timeout_seconds, patience_seconds)
    return conclude(manifest, ending, wanted)


async def what_is_desired(cluster: Cluster, namespace: str, name: str, *, baked: bool) -> Awaited:
    """The release of the version that the object asks for now."""
    from kube.kinds import GRAY_RELEASE

    return awaited_of(await cluster.get(GRAY_RELEASE, name, namespace), baked=baked)


def awaited_of(manifest: Manifest, *, baked: bool, started: bool = False) -> Awaited:
    """The release of the version that this object asks for; ``started``: that was asked for just now.

    Where the object's spec is not valid, that is the version which the engine goes by.

    Raises:
        UsageError: it is not valid, and no engine has said what it goes by.
    """
    from rollout.api.revision import revision_of
    from rollout.cli.reading import label, shown_spec, spec_of, status_of
    from rollout.client.ending import Awaited

    meta = manifest["metadata"]
    wanted = status_of(manifest).desired_revision
    if wanted and (mistake := shown_spec(manifest).mistake):
        click.echo(f"Warning: {label(manifest)}: {mistake}", err=True)
    else:
        wanted = revision_of(meta["name"], spec_of(manifest))
    return Awaited(wanted, int(meta.get("generation", 0)), baked=baked, started=started)


async def wait_for(
    cluster: Cluster,
    namespace: str,
    name: str,
    awaited: Awaited,
    timeout_seconds: float,
    patience_seconds: float = math.inf,
) -> tuple[Manifest | None, Ending]:
    """Follow a release to its end, showing it meanwhile on stderr; the last state seen, and the end.

    Args:
        cluster: where it is.
        namespace: of the release.
        name: of the release.
        awaited: what is waited for.
        timeout_seconds: after which the wait ends, whatever there is.
        patience_seconds: after which it ends where the API server refuses an object all the time.
    """
    from rollout.cli.reading import status_of
    from rollout.client.ending import ending_of, learn, out_of_patience, out_of_time, refusal_in

    clock = asyncio.get_running_loop().time
    until = clock() + timeout_seconds
    newest: Manifest | None = None
    ending: Ending | None = None
    refused_since: float | None = None

    async def until_the_end() -> AsyncGenerator[Manifest, None]:
        """Each state up to the one that ends the wait."""
        nonlocal newest, ending, refused_since
        known = awaited
        from rollout.client.watch import follow

        async with aclosing(follow(cluster, namespace, name)) as stream:
            async for manifest in stream:
                newest, status = manifest, status_of(manifest)
                known = learn(known, status)
                ending = ending_of(known, status)
                refused_since = (refused_since or clock()) if refusal_in(known, status) else None
                limit.reschedule(until if refused_since is None else min(until, refused_since + patience_seconds))
                yield manifest
                if ending is not None:
                    return

    try:
        async with asyncio.timeout_at(until) as limit, aclosing(until_the_end()) as stream:
            await _show(stream)
    except TimeoutError:
        pass
    status = status_of(newest) if newest else None
    if ending is None and status is not None and refused_since is not None and clock() < until:
        ending = out_of_patience(status, clock() - refused_since, time.time())
    return newest, ending or out_of_time(status, timeout_seconds)


async def look_on(where: Where, name: str) -> None:
    """Show a release until interrupted."""
    from rollout.client.watch import follow

    async with where.open() as (cluster, namespace), aclosing(follow(cluster, namespace, name)) as stream:
        await _show(stream, err=False)


async def _show(stream: AsyncGenerator[Manifest, None], *, err: bool = True) -> None:
    """Live on a terminal, one line a change without."""
    if (sys.stderr if err else sys.stdout).isatty():
        from rich.console import Console

        from rollout.cli.reading import shown_spec
        from rollout.view.live import show

        await show(stream, shown_spec, console=Console(stderr=err))
        return
    from rollout.cli.reading import status_of
    from rollout.view.changes import changes

    before: Status | None = None
    async for manifest in stream:
        after = status_of(manifest)
        for line in changes(before, after, time.time()):
            click.echo(line, err=err)
        before = after


def conclude(manifest: Manifest | None, ending: Ending, wanted: list[Wanted]) -> int:
    """Write the outcome (text: one line; the other forms: the record) and answer the exit code."""
    from rollout.cli.reading import label, shown_spec
    from rollout.records.record import record_of
    from rollout.view.text import coloured

    if manifest is None or ending.release is None:
        _without_record(ending, wanted)
        return ending.code
    meta = manifest["metadata"]
    record = record_of(meta["name"], meta["namespace"], shown_spec(manifest).spec, ending.release)

    def page() -> str:
        from rollout.view.page import markdown

        return markdown(record)

    writers = {**data_writers(record.wire), "markdown": page}
    writers["text"] = lambda: f"{label(manifest)} {coloured(ending.text)}"
    emit(wanted, writers)
    return ending.code


def _without_record(ending: Ending, wanted: list[Wanted]) -> None:
    if any(each.form == "text" for each in wanted):
        click.echo(ending.text)
    else:
        click.echo(f"{ending.text}; there is no record to write", err=True)
