"""``grayling review drift``: what is live and not as it was applied, with the writer of each field."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from components.cli.options import OVERLAY, STACK, find_stack, on_cluster, say
from review.reports.forms import FORMS
from terminal.exits import ExitCode
from terminal.output import data_writers, emit, output_option

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from components.stack.stackfile import StackFile
    from review.drift.look import Seen
    from terminal.output import Wanted

SCHEMA = "grayling.drift/1"
OWN = frozenset({"text", "json", "yaml"})
"""Forms in which drift is told as drift, and not as the change that puts it right."""
NO_DRIFT = "everything is as applied: there is nothing to approve"
NO_DIGEST = (
    "a look at drift tries nothing on the cluster, and an approval binds what was tried. To put it back: "
    "`grayling review preview {0}` gives the digest of exactly that, then `review approve` and "
    "`stack apply {0} --force-conflicts`. To keep it: write it into the stack file"
)


@click.command("drift")
@STACK
@OVERLAY
@on_cluster
@click.option("--against", metavar="COMMIT", default="", help="Hold it against the stack as this commit declares it.")
@click.option("--ignore-manager", multiple=True, metavar="NAME", help="A writer whose fields are not told; repeatable.")
@click.option("--detailed-exitcode", is_flag=True, help="Exit with 3 when something is not as applied.")
@output_option(*FORMS)
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
    forms = report_forms(file, seen, name) if {each.form for each in wanted} - OWN else {}
    emit(wanted, {**forms, "text": lambda: as_text(data), **data_writers(lambda: data)})
    if any(doubt.fatal for doubt in seen.doubts):
        sys.exit(ExitCode.ERROR)
    if seen.drift and detailed_exitcode:
        sys.exit(ExitCode.CHANGES)


def report_forms(file: StackFile, seen: Seen, cluster: str) -> dict[str, Callable[[], str]]:
    """The forms of a report: what putting it right would change, with the risks of that."""
    from components.stack.project import project_name
    from review.approval.statement import now
    from review.cli.preview import LONGEST, NARROWEST
    from review.cli.reviewing import rule_texts
    from review.drift.drift import as_changes
    from review.model.report import Report
    from review.reports.forms import writers
    from review.reports.making import document_of
    from review.risks.find import risks_of

    found = as_changes(seen.drift, stack=file.stack, unchanged=seen.unchanged, cluster=cluster, doubts=seen.doubts)
    changes = replace(found, project=project_name(file.project))
    why = NO_DIGEST.format(file.stack) if seen.drift else NO_DRIFT
    risks = risks_of(changes, waivers=(), today=now().date())
    report = Report(changes, risks, now().isoformat(timespec="seconds"), unbound=why)
    return writers(document_of(report), limit=LONGEST, width=NARROWEST, rules=rule_texts())


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
            by = ", ".join(filter(None, (field["manager"], field.get("time")))) or "writer not known"
            lines.append(f"  {field['path']}: {_short(field['live'])} instead of {_short(field['applied'])}  ({by})")
    count = len(data["objects"])
    lines.append(f"{count} of {count + data['asApplied']} objects are not as applied" if count else "all as applied")
    if count:
        lines.append(f"put it back: grayling stack apply {data['stack']} --force-conflicts; keep it: write it there")
    return "\n".join(lines)


def _short(value: Any) -> str:
    text = "nothing" if value is None else str(value)
    return text if len(text) <= 60 else f"{text[:57]}…"  # noqa: PLR2004 - a line of a terminal holds two
