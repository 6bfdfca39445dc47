"""Arguments that the commands of ``grayling stack`` share, and how they ask."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kube.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable

    from components.stack.stackfile import StackFile
    from kube.kinds import Manifest

DEFAULT = "local"
STACK = click.argument("stack", default=lambda: os.environ.get("GRAYLING_STACK", DEFAULT))
ONLY = click.option("--only", multiple=True, metavar="PATTERN", help="A component's name, or Kind/name; * fits any.")
TIMEOUT = click.option("--timeout", default=300.0, show_default=True, help="Seconds that an object may take.")
YES = click.option("--yes", "-y", is_flag=True, help="Do not ask; needed where there is no terminal.")
RECORDS = click.option(
    "--record",
    "records",
    multiple=True,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="FILE",
    help="A kept record whose version stays out, besides those in .grayling/records of the project.",
)
_OVERLAY = "components.stack.overlay"
OVERLAY = click.option(
    "--overlay",
    metavar="FILE",
    expose_value=False,
    callback=lambda context, _option, value: context.meta.update({_OVERLAY: value}),
    help="Changes for a smaller cluster (docs/how-to/stacks.md); the stack is called STACK-NAME then.",
)
_CLUSTER = (
    click.option("--kubeconfig", help="File with the cluster's address and credentials."),
    click.option("--context", help="Context in it; grayling-NAME is the sandbox of that name."),
)


def on_cluster(command: Callable[..., Any]) -> Callable[..., Any]:
    """Which cluster."""
    for option in _CLUSTER:
        command = option(command)
    return command


def find_stack(stack: str) -> StackFile:
    """The stack file of that name or path, under the overlay that the command line names."""
    from components.stack.stackfile import find

    file, overlay = find(stack), click.get_current_context().meta.get(_OVERLAY)
    if overlay is None:
        return file
    from components.stack.overlay import laid_over

    return laid_over(file, Path(overlay))


def kept_by(file: StackFile, more: Iterable[Path]) -> list[Path]:
    """The records that a project keeps, and those that the command line names."""
    from rollout.api.kept_records import records_of

    return [*records_of(file.project), *more]


def not_asked(manifests: Iterable[Manifest]) -> None:
    """Say that no cluster was asked what it took back, where something of that could be declared."""
    from components.deploy.taken_back import NOT_ASKED

    if any(item["kind"] == "GrayRelease" for item in manifests):
        say(NOT_ASKED)


def say(line: str) -> None:
    """One line of what happens."""
    click.echo(line, err=True)


def may_ask(yes: bool, what: str) -> None:  # noqa: FBT001 - a flag handed through
    """Before anything is looked at.

    Raises:
        UsageError: nobody could be asked, and nobody said yes.
    """
    if not yes and not sys.stdin.isatty():
        raise UsageError(f"{what}: there is no terminal to ask on; pass --yes")


def confirm(yes: bool, what: str, details: Iterable[str]) -> None:  # noqa: FBT001
    """Say what will happen where, and go on only with a yes."""
    for line in details:
        say(f"  {line}")
    if not yes:
        click.confirm(f"{what}?", abort=True, err=True)


def run(work: Coroutine[Any, Any, Any]) -> Any:
    """Until it is done."""
    return asyncio.run(work)
