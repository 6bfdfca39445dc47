"""``grayling review preview``."""

from __future__ import annotations

import gc
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from review.reports.forms import FORMS
from terminal.numbers import FAILURE_SHARE, REQUESTS_PER_SECOND
from terminal.output import output_option

if TYPE_CHECKING:
    from collections.abc import Iterator

    from components.deploy.target import Target
    from terminal.output import Wanted

LEAST = 4000
"""Characters: room for the summary, whatever is in it."""
LONGEST = 64_000
NARROWEST, WIDEST = 40, 120


@contextmanager
def nothing_collected() -> Iterator[None]:
    """Without the collector of cycles: a preview is a million values without one, and looking costs a third."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@click.command("preview")
@click.argument("stack", required=False, default="")
@click.option("--from", "source", metavar="FILE", default="", help="Preview that Pulumi wrote, .gz too; - is stdin.")
@click.option("--probe", "probe_file", metavar="FILE", default="", help="Probe made beside that preview.")
@click.option("--base", metavar="REF", default="", help="Commit to compare with.")
@click.option("--kubeconfig", help="File with the cluster's address and credentials.")
@click.option("--context", help="Cluster to ask; grayling-NAME is the sandbox of that name.")
@click.option("--offline", is_flag=True, help="Ask no cluster.")
@click.option("--destroy", is_flag=True, help="Show the end of STACK, as `stack destroy` brings it.")
@click.option("--rps", type=REQUESTS_PER_SECOND, default=100, show_default=True, help="Traffic.")
@click.option(
    "--error-rate",
    type=FAILURE_SHARE,
    default=0.001,
    show_default=True,
    help="Failure share of a healthy version.",
)
@click.option(
    "--limit", type=click.IntRange(min=LEAST), default=LONGEST, show_default=True, help="Characters of Markdown."
)
@click.option("--detailed-exitcode", is_flag=True, help="Exit with 3 when something would change, or nobody knows.")
@output_option(*FORMS)
def preview(
    *,
    stack: str,
    source: str,
    probe_file: str,
    base: str,
    kubeconfig: str | None,
    context: str | None,
    offline: bool,
    destroy: bool,
    rps: float,
    error_rate: float,
    limit: int,
    detailed_exitcode: bool,
    wanted: list[Wanted],
) -> int:
    """Show what a change to STACK will do: risks first, what goes, the releases it starts, what it asks for.

    With --from it reads what `pulumi preview --json` wrote; else it makes a preview of its own, by a dry run on the
    cluster, or with --offline between two commits.
    """
    from components.deploy.target import Target
    from review.cli.reviewing import report_of, rule_texts
    from review.cli.sources import Wish, looked_at
    from review.reports.forms import writers
    from review.reports.making import document_of
    from review.reports.releases import Expected
    from terminal.exits import ExitCode
    from terminal.output import emit

    target: Target = Target(kubeconfig, context)
    width = max(NARROWEST, min(shutil.get_terminal_size((80, 24)).columns, WIDEST))
    with nothing_collected():
        changes = looked_at(Wish(stack, source, probe_file, base, target, offline, destroy))
        report, prices = report_of(changes, stack, base)
        review = document_of(report, prices=prices, traffic=Expected(rps, error_rate))
        emit(wanted, writers(review, limit=limit, width=width, rules=rule_texts()))
    unsure = any(doubt.fatal for doubt in changes.doubts)
    return ExitCode.CHANGES if detailed_exitcode and (changes.changes or unsure) else ExitCode.DONE
