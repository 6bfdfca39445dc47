"""Whether what a command asks for was taken back on evidence: asked of the cluster before anything is written."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from pathlib import Path

    from kube.kinds import Manifest
    from rollout.api.pair import Pair
    from rollout.api.remembered import Lists
    from rollout.api.status import Status


async def reasons(cluster: Lists, namespace: str, pair: Pair, project: Path | None = None) -> list[str]:
    """Why a pair stays out; none where it may come in. A project's kept records are asked too."""
    from rollout.api.kept_records import memory_in_records, records_of
    from rollout.api.remembered import remembered

    notes: list[str] = []
    memory = await remembered(cluster, [namespace], notes)
    if project is not None:
        memory = memory.joined(memory_in_records(records_of(project)))
    for note in notes:
        click.echo(f"Warning: {note}", err=True)
    known = memory.against(pair)
    return [*memory.unreadable, *([f"{known.told()}; {known.way_out()}"] if known else ())]


async def insist(manifest: Manifest, cluster: Lists, namespace: str, project: Path | None = None) -> None:
    """Go no further with a GrayRelease that was taken back on evidence; one that serves already changes nothing.

    Raises:
        StaysOutError: it was, or nobody can say whether it was.
    """
    from rollout.api.remembered import StaysOutError
    from rollout.api.taken_back import pair_in
    from rollout.cli.reading import status_of

    meta = {"namespace": namespace, **manifest["metadata"]}
    placed = {**manifest, "metadata": meta}
    pair = pair_in(placed)
    if pair is None or (manifest.get("status") and serves(placed, status_of(manifest))):
        return
    if found := await reasons(cluster, meta["namespace"], pair, project):
        told = "".join(f"\n  {each}" for each in found)
        raise StaysOutError(f"GrayRelease {meta['namespace']}/{meta['name']}: refused, and nothing was changed{told}")


def serves(manifest: Manifest, status: Status) -> bool:
    """Whether what a GrayRelease asks for is what serves."""
    from rollout.cli.desire import revision_in

    return status.stable is not None and status.stable.revision == revision_in(manifest)
