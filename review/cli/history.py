"""``grayling review log``: every reviewed change of a stack, how it was let in, and how it ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from review.cli.looking import Asked, about_a_stack, cluster_of, run
from terminal.output import data_writers, emit, output_option

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from review.approval.record import Record
    from terminal.output import Wanted

_UNITS = (("cpu", 1000, "CPU"), ("memory", 2**30, "GiB memory"), ("storage", 2**30, "GiB storage"))


@click.command("log")
@about_a_stack
@output_option("text", "json", "yaml")
def log_command(*, wanted: Sequence[Wanted], **asked: Any) -> None:
    """List the changes of STACK that were carried out, newest first; with --context also those the cluster keeps."""
    from review.approval.record import kept, read

    ask = Asked(**asked)
    file = ask.file()
    found = {record.id: record for record in kept(file.project, file.stack)}
    if ask.context or ask.kubeconfig:
        texts = run(_on_cluster(ask, file))
        there = [read(text.encode(), f"change record {place} of the cluster") for place, text in enumerate(texts, 1)]
        found |= {record.id: record for record in there}
    records = [found[key] for key in sorted(found, reverse=True)]
    data = data_writers(lambda: [record.wire() for record in records])
    emit(wanted, {"text": lambda: "\n".join(map(_line, records)) or f"no change of {file.stack} is kept here", **data})


async def _on_cluster(ask: Asked, file: Any) -> list[str]:
    async with cluster_of(ask, file) as (_, kept, _name):
        return list(await kept.records())


def _line(record: Record) -> str:
    people = f" by {', '.join(sorted(record.approvals))}" if record.approvals else ""
    lane = f"EMERGENCY ({'; '.join(record.reasons)}) " if record.emergency else ""
    counts = ", ".join(f"{count} {op}" for op, count in record.impact.get("counts", {}).items() if count)
    told = record.told.splitlines()[0] if record.told else ""
    when = record.created.strftime("%Y-%m-%d %H:%M:%S")
    return (
        f"{when}  {record.result:<6} {lane}{record.digest[:12]} {record.risk.get('assessment', '')}, let in: "
        f"{record.how}{people}; {counts or 'nothing'}{_cost(record.cost)}; {told}"
    )


def _cost(cost: Mapping[str, Any]) -> str:
    """What is asked for more or less, in one breath."""
    parts = [f"{cost[key] / size:+g} {unit}" for key, size, unit in _UNITS if cost.get(key)]
    if cost.get("money"):
        parts.append(f"{cost['money']:+.2f} {cost.get('currency', '')} a month")
    return f"; {', '.join(parts)}" if parts else ""
