"""``grayling review drift``: what is live and not as it was applied, with the writer of each field."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any

import click

from components.cli.options import OVERLAY, STACK, find_stack, on_cluster, say
from terminal.exits import ExitCode
from terminal.output import data_writers, emit, output_option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from review.drift.look import Seen
    from terminal.output import Wanted

SCHEMA = "grayling.drift/1"


@click.command("drift")
@STACK
@OVERLAY
@on_cluster
@click.option("--against", metavar="COMMIT", default="", help="Hold it against the stack as this commit declares it.")
@click.option("--ignore-manager", multiple=True, metavar="NAME", help="A writer whose fields are not told; repeatable.")
@click.option("--detailed-exitcode", is_flag=True, help="Exit with 3 when something is not as applied.")
@output_option("text", "json", "yaml")
def drift_command(
    *,
    stack: str,
    kubeconfig: str | None,
    context: str | None,
    against: str,
    ignore_manager: Sequence[str],
    detailed_exitcode: bool,
    wanted: Sequence[Wanted],
) -> None:
    """Hold what is live of STACK against what was applied last; read-only."""
    from components.deploy.session import inventory_of, rendered
    from components.deploy.target import Target, place_of, reached
    from review.drift.look import look
    from review.reading.at_commit import render_at

    file = find_stack(stack).as_it_is()
    declared = render_at(against, project=file.project, stack_file=file.path) if against else rendered(file)

    async def work() -> tuple[Seen, str]:
        """Read and compare."""
        async with reached(Target(kubeconfig, context), place_of(file)) as (cluster, name):
            seen = await look(cluster, inventory_of(file), declared, against=against, ignored=ignore_manager)
            return seen, name

    seen, name = asyncio.run(work())
    say(f"cluster: {name}")
    data = as_data(seen, stack=file.stack, cluster=name)
    emit(wanted, {"text": lambda: as_text(data), **data_writers(lambda: data)})
    if any(doubt.fatal for doubt in seen.doubts):
        sys.exit(ExitCode.ERROR)
    if seen.drift and detailed_exitcode:
        sys.exit(ExitCode.CHANGES)


def as_data(seen: Seen, *, stack: str, cluster: str) -> dict[str, Any]:
    """The drift as plain data."""
    return {
        "schema": SCHEMA,
        "stack": stack,
        "cluster": cluster,
        "asApplied": seen.unchanged,
        "trust": [doubt.text for doubt in seen.doubts],
        "objects": [
            {
                "object": str(each.change.ref),
                "is": {"create": "gone", "delete": "not applied", "update": "changed"}[each.change.ops[0].value],
                "fields": [
                    {"path": edit.text, "live": edit.before, "applied": edit.after, **_writer(each.writers, edit.text)}
                    for edit in each.change.edits
                ],
            }
            for each in seen.drift
        ],
    }


def _writer(writers: Any, path: str) -> dict[str, Any]:
    found = writers.get(path)
    if found is None:
        return {"manager": None}
    return {"manager": found.manager, "operation": found.operation, "time": found.time}


def as_text(data: dict[str, Any]) -> str:
    """The drift for a person."""
    lines = [f"note: {text}" for text in data["trust"]]
    for each in data["objects"]:
        lines.append(f"{each['object']}: {each['is']}")
        for field in each["fields"]:
            by = f"  ({field['manager']}, {field['time']})" if field["manager"] else "  (writer not known)"
            lines.append(f"  {field['path']}: {_short(field['live'])} instead of {_short(field['applied'])}{by}")
    count = len(data["objects"])
    lines.append(f"{count} of {count + data['asApplied']} objects are not as applied" if count else "all as applied")
    if count:
        lines.append(f"put it back: grayling stack apply {data['stack']} --force-conflicts; keep it: write it there")
    return "\n".join(lines)


def _short(value: Any) -> str:
    text = "nothing" if value is None else str(value)
    return text if len(text) <= 60 else f"{text[:57]}…"  # noqa: PLR2004 - a line of a terminal holds two
