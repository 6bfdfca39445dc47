"""`stack promote`: what was proven in one environment becomes one change of another one's stack file."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from terminal.output import data_writers, emit, output_option
from terminal.people import person_options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from review.promotion.note import Promoted
    from review.promotion.promote import Asked, Promotion
    from terminal.output import Wanted


@click.command("promote")
@click.option("--from", "source", required=True, metavar="STACK", help="Where it was proven.")
@click.option("--to", "target", required=True, metavar="STACK", help="Whose stack file is changed.")
@click.option("--only", multiple=True, metavar="SERVICE", help="This service alone; repeatable.")
@click.option("--kubeconfig", metavar="FILE", help="Kubeconfig of the source's cluster.")
@click.option("--context", metavar="NAME", help="Its context; the one that the source's stack file names if not given.")
@click.option(
    "--record",
    "records",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A record that CI kept, instead of asking the cluster; repeatable.",
)
@click.option("--records", "kept", is_flag=True, help="The same with all of .grayling/records.")
@click.option("--allow-unproven", metavar="REASON", default="", help="Versions promoted without proof may go on too.")
@click.option("--dry-run", is_flag=True, help="Show the change, and write nothing.")
@person_options
@output_option("text", "json", "yaml")
def promote_command(
    *,
    source: str,
    target: str,
    only: tuple[str, ...],
    kubeconfig: str | None,
    context: str | None,
    records: tuple[Path, ...],
    kept: bool,
    allow_unproven: str,
    dry_run: bool,
    by: str,
    reason: str,
    wanted: list[Wanted],
) -> None:
    """Write what was proven in one stack into the file of another one: images, configuration, and the evidence.

    Refused (exit 13) is what has no record of success, or was changed since; nothing is written then.
    """
    from components.deploy.target import Target
    from components.stack.stackfile import find
    from review.promotion.promote import Asked, carry_out, planned

    there = find(target)
    files = _files(records, kept=kept, where=(kubeconfig, context), project=there.project)
    asked = Asked(
        source=find(source).as_it_is(),
        target=there,
        only=only,
        cluster=Target(kubeconfig, context),
        records=files,
        by=by,
        reason=reason,
        allow_unproven=allow_unproven,
    )
    promotion = asyncio.run(planned(asked, time.time()))
    place = carry_out(asked, promotion) if promotion.note and not dry_run else None
    _tell(asked, promotion, place, wanted)


def _files(
    records: Sequence[Path], *, kept: bool, where: tuple[str | None, str | None], project: Path
) -> list[Path] | None:
    """The files to read; None where the cluster is asked."""
    from kube.errors import UsageError
    from review.promotion.settings import FOLDER

    if not records and not kept:
        return None
    if any(where):
        raise UsageError("--record and --records read files, --context and --kubeconfig ask a cluster: give one kind")
    return [*records, *(sorted((project / FOLDER / "records").glob("*.json")) if kept else ())]


def _tell(asked: Asked, promotion: Promotion, place: Path | None, wanted: list[Wanted]) -> None:
    for line in promotion.notes:
        click.echo(line, err=True)
    diff = promotion.diff(asked.target.source)

    def data() -> dict[str, Any]:
        """The note, and what became of it."""
        note = promotion.note.wire() if promotion.note else None
        return {"promotion": note, "notes": list(promotion.notes), "diff": diff, "written": place is not None}

    emit(wanted, {**data_writers(data), "text": lambda: _text(asked, promotion, place)})


def _text(asked: Asked, promotion: Promotion, place: Path | None) -> str:
    target = asked.target
    if promotion.note is None:
        return f"nothing to do: {target.stack} has everything that {asked.source.stack} has\n"
    lines = [line for each in promotion.note.services for line in _lines(each)]
    if not promotion.note.still_runs:
        lines.append("read from files: whether these versions still run there was not asked")
    if place is None:
        return "\n".join([*lines, "", promotion.diff(target.source)])
    lines += [f"written: {target.source}, {place.relative_to(target.project)}", "", "next:"]
    lines += [f"  grayling review preview {target.stack}", f"  grayling review approve {target.stack} --digest …"]
    return "\n".join([*lines, f"  grayling stack apply {target.stack}", ""])


def _lines(each: Promoted) -> list[str]:
    proof = each.proof
    lines = [f"{each.service}: {each.was} -> {each.image}"]
    unproven = "" if proof.proven else ", not proven,"
    lines.append(f"  promoted{unproven} by release {proof.release} of {proof.revision} ({proof.place})")
    lines.append(f"  writes {', '.join(each.changed)}")
    if not each.digest:
        lines.append("  by tag: no digest is known; whoever moves the tag moves what comes in")
    if each.own:
        lines.append(f"  stays as it is, named under own: {', '.join(each.own)}")
    return lines
