"""The ci group of the command line; every command is imported when it runs."""

from __future__ import annotations

import click

from terminal.lazy import LazyGroup

COMMANDS = {
    "init": ("review.ci.init:init", "Write the pipeline for the stacks that there are."),
    "comment": ("review.ci.comment:comment", "Keep one comment on a pull request, edited in place."),
}


@click.group(cls=LazyGroup, lazy=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Bring changes in from a pipeline: preview, approvals, apply, watch, drift."""
