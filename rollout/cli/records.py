"""`release history` and `release record`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import click

from rollout.cli.options import Where, cluster_options, release_name
from rollout.cli.replay import alpha_option, judged, policy_in, policy_option, recording_in, table
from terminal.output import as_json, data_writers, emit, output_option

if TYPE_CHECKING:
    from pathlib import Path

    from kube.once import Once
    from rollout.records.record import Record
    from terminal.output import Wanted


@click.command()
@release_name
@cluster_options
@output_option("text", "json", "yaml")
@click.option("--replay", "again", is_flag=True, help="Judge those that were recorded (spec.recording) again.")
@policy_option
@alpha_option
def history(
    *, name: str, where: Where, wanted: list[Wanted], again: bool, policy_file: Path | None, alpha: float | None
) -> None:
    """Past releases of a service, the newest first."""
    if again:
        _replay(where, name, wanted, policy_file, alpha)
        return
    if policy_file is not None or alpha is not None:
        raise click.UsageError("--policy and --alpha are for judging again; add --replay.")
    found = asyncio.run(_kept(where, name))
    if not found:
        click.echo(f"{name} has no releases on record.", err=True)
    writers = data_writers(lambda: [each.wire() for each in found])
    writers["text"] = lambda: _table(found) if found else ""
    emit(wanted, writers)


def _replay(where: Where, name: str, wanted: list[Wanted], policy_file: Path | None, alpha: float | None) -> None:
    """Judge the recordings of a service again, the newest first."""
    policy = policy_in(policy_file) if policy_file else None
    known, recordings = [], []
    for each, lines in asyncio.run(_recorded(where, name)):
        outcome = each.outcome.value if each.outcome else "in flight"
        known.append({"id": each.id, "outcome": outcome, "to": each.to_version.image})
        what = f"recording of {each.id}"
        recordings.append((what, recording_in(lines.splitlines(), what)))
    rows = [one | found for one, found in zip(known, judged(recordings, policy, alpha), strict=True)]
    if not rows:
        click.echo(f"{name} has no recordings; releases are recorded with spec.recording: true.", err=True)
    emit(wanted, {**data_writers(lambda: rows), "text": lambda: table(rows, ("id", "outcome", "to")) if rows else ""})


def _table(records: list[Record]) -> str:
    from rollout.api.durations import about
    from rollout.api.status import timestamp
    from rollout.view.text import coloured, columns
    from rollout.view.words import ABSENT, clipped, number, or_absent

    rows = [["ID", "STARTED", "LASTED", "OUTCOME", "TO", "EXCESS FAILURES", "BY", "REASON"]]
    for each in records:
        lasted = ABSENT if each.duration_seconds is None else about(each.duration_seconds)
        outcome = each.outcome.value if each.outcome else "in flight"
        row = [each.id, timestamp(each.started_at)[:19] + "Z", lasted, coloured(outcome), each.to_version.image]
        row += [
            number(each.excess_failed_requests),
            or_absent(each.requested_by),
            clipped(or_absent(each.outcome_reason), 80),
        ]
        rows.append(row)
    return "\n".join(columns(rows)) + "\n"


@click.command()
@click.argument("name", required=False)
@click.argument("release_id", metavar="[ID]", required=False)
@cluster_options
@output_option("markdown", "json", "yaml")
@click.option("--schema", is_flag=True, help="Print the JSON Schema of records instead.")
@click.option("--recording", is_flag=True, help="Print what its judge was shown instead (JSON Lines).")
def record(
    *,
    name: str | None,
    release_id: str | None,
    where: Where,
    wanted: list[Wanted],
    schema: bool,
    recording: bool,
) -> None:
    """The record of a release: the newest one that ended, or the one whose ID begins so."""
    if schema:
        from rollout.records.record import schema as schema_of

        click.echo(as_json(schema_of()))
        return
    if name is None:
        raise click.UsageError("Missing argument 'NAME'.")
    if recording:
        click.echo(_recording(asyncio.run(_recorded(where, name)), name, release_id), nl=False)
        return
    chosen = choose(asyncio.run(_kept(where, name)), name, release_id)

    def page() -> str:
        from rollout.view.page import markdown

        return markdown(chosen)

    writers: dict[str, Any] = {**data_writers(chosen.wire), "json": chosen.json_text, "markdown": page}
    emit(wanted, writers)


def choose(records: list[Record], name: str, release_id: str | None) -> Record:
    """One of the records.

    Raises:
        UsageError: none fits, or the ID is not clear.
    """
    from kube.errors import UsageError

    if not records:
        raise UsageError(f"{name} has no releases on record")
    if release_id is None:
        return next((each for each in records if each.outcome), records[0])
    fitting = [each for each in records if each.id.startswith(release_id)]
    if len(fitting) != 1:
        told = "is not clear" if fitting else "is not on record"
        raise UsageError(f"release {release_id} of {name} {told}; there are {', '.join(each.id for each in records)}")
    return fitting[0]


def _recording(recorded: list[tuple[Record, str]], name: str, release_id: str | None) -> str:
    """One of the recordings.

    Raises:
        UsageError: there is none, or the ID is not clear.
    """
    from kube.errors import UsageError

    if not recorded:
        raise UsageError(f"{name} has no recordings; releases are recorded with spec.recording: true")
    chosen = choose([each for each, _ in recorded], name, release_id)
    return next(lines for each, lines in recorded if each is chosen)


async def _recorded(where: Where, name: str) -> list[tuple[Record, str]]:
    """Records of the releases that have a recording, with its lines, the newest first."""
    from kube.kinds import CONFIG_MAP
    from rollout.records.recorder import RECORDING_LABEL, config_map_name, lines_in

    async with where.read() as (cluster, namespace):
        records = await records_of(cluster, namespace, name)
        listed = await cluster.list(CONFIG_MAP, namespace, labels=f"{RECORDING_LABEL}={name}")
    kept = {item["metadata"]["name"]: item for item in listed.items}
    found = []
    for each in records:
        item = kept.get(config_map_name(name, each.id))
        try:
            found += [(each, lines_in(item))] if item else []
        except ValueError as error:
            click.echo(str(error), err=True)
    return found


async def _kept(where: Where, name: str) -> list[Record]:
    async with where.read() as (cluster, namespace):
        return await records_of(cluster, namespace, name)


async def records_of(cluster: Once, namespace: str, name: str) -> list[Record]:
    """Every record of a service, the newest first; what the status knows and no ConfigMap keeps is among them."""
    from kube.kinds import CONFIG_MAP, GRAY_RELEASE
    from rollout.cli.reading import shown_spec, status_of
    from rollout.records.record import RECORD_LABEL, record_in, record_of

    listed, manifest = await asyncio.gather(
        cluster.list(CONFIG_MAP, namespace, labels=f"{RECORD_LABEL}={name}"),
        cluster.find(GRAY_RELEASE, name, namespace),
    )
    found = {}
    for item in listed.items:
        try:
            kept = record_in(item)
        except ValueError as error:
            click.echo(f"ConfigMap {item['metadata']['name']} holds no record: {error}", err=True)
            continue
        found[kept.id] = kept
    if manifest is not None:
        status = status_of(manifest)
        for release in (status.last, status.release):
            if release is not None and release.id not in found:
                found[release.id] = record_of(name, namespace, shown_spec(manifest).spec, release)
    return sorted(found.values(), key=lambda each: each.started_at, reverse=True)
