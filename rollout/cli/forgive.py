"""`release forgive`: what was taken back on evidence may come in again, because a person says so and why."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rollout.cli.options import Where, cluster_options, release_name
from terminal.people import PEOPLE, whoami

if TYPE_CHECKING:
    from rollout.api.taken_back import Forgiven, TakenBack

_RECORD = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.command()
@release_name
@cluster_options
@click.option("--release", "release_id", default="", metavar="ID", help="Which of several; the beginning is enough.")
@click.option("--record", "record", type=_RECORD, help="Write it into this kept record instead; no cluster is asked.")
@click.option("--by", envvar=PEOPLE, default=whoami, help="Who says so; your login name if not given.")
@click.option("--reason", required=True, help="Why it may come in again; kept with what it was taken back for.")
def forgive(*, name: str, where: Where, release_id: str, record: Path | None, by: str, reason: str) -> None:
    """Let a pair of image and configuration in again that was taken back on evidence.

    The next release of it is judged like any other, and says in its journal who let it in and why.
    """
    word = _word(by, reason)
    if record is not None:
        click.echo(_in_file(record, name, word))
        return
    entry = asyncio.run(_in_cluster(where, name, release_id, word))
    click.echo(f"{entry.namespace}/{name}: {entry.image} may come in again (taken back by release {entry.release})")


def _word(by: str, reason: str) -> Forgiven:
    from kube.errors import UsageError
    from rollout.api.taken_back import MOST_TEXT, Forgiven
    from rollout.api.texts import clean, told

    if not reason.strip():
        raise UsageError("--reason: is empty; say why it may come in again")
    return Forgiven(by=clean(by), reason=told(reason, MOST_TEXT), at=time.time())


def _in_file(path: Path, name: str, word: Forgiven) -> str:
    from kube.errors import UsageError
    from rollout.api.kept_records import forgive as written
    from rollout.api.kept_records import read_record

    try:
        found = read_record(path)
        if found.name != name:
            raise UsageError(f"--record {path}: is of {found.name}, not of {name}")
        written(path, word)
    except ValueError as error:
        raise UsageError(f"--record {error}") from error
    except OSError as error:
        raise UsageError(f"--record {path}: cannot be written: {error.strerror}") from error
    return f"{path}: {found.to.image} may come in again (taken back by release {found.id})"


async def _in_cluster(where: Where, name: str, release_id: str, word: Forgiven) -> TakenBack:
    from rollout.client.forgiving import forgive as written

    async with where.open() as (cluster, namespace):
        return await written(cluster, namespace, name, release_id, word)
