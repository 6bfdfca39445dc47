"""``grayling stack``: an environment from its stack file, seen, compared, applied and taken down.

stdout is data, stderr is what happens; nothing is asked without a terminal.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kube.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from components.session import Target
    from components.stackfile import StackFile

DEFAULT = "local"
CHANGES_PRESENT = 3
STACK = click.argument("stack", default=lambda: os.environ.get("GRAYLING_STACK", DEFAULT))
_OVERLAY = "components.overlay"
OVERLAY = click.option(
    "--overlay",
    metavar="FILE",
    expose_value=False,
    callback=lambda context, _option, value: context.meta.update({_OVERLAY: value}),
    help="Changes for a smaller cluster (docs/stacks.md); the stack is called STACK-NAME then.",
)
_CLUSTER = (
    click.option("--kubeconfig", help="File with the cluster's address and credentials."),
    click.option("--context", help="Context in it; grayling-NAME is the sandbox of that name."),
)
_ONLY = click.option("--only", multiple=True, metavar="PATTERN", help="A component's name, or Kind/name; * fits any.")
_TIMEOUT = click.option("--timeout", default=300.0, show_default=True, help="Seconds that an object may take.")
_YES = click.option("--yes", "-y", is_flag=True, help="Do not ask.")


def _on_cluster(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in _CLUSTER:
        command = option(command)
    return command


@click.group("stack")
def cli() -> None:
    """Declare an environment: render, compare, apply, destroy."""


@cli.command("render")
@STACK
@OVERLAY
@click.option("-o", "--output", default="yaml", show_default=True, help="yaml, json, or a folder to write files to.")
@_ONLY
def render_command(stack: str, output: str, only: Sequence[str]) -> None:
    """Write the objects of STACK, without a cluster."""
    from components.render import as_json, as_yaml, write_folder
    from components.session import rendered

    manifests = rendered(_find(stack), only)
    if output in {"yaml", "json"}:
        click.echo(as_yaml(manifests) if output == "yaml" else as_json(manifests), nl=False)
        return
    written = write_folder(manifests, Path(output))
    _say(f"{len(written)} files in {output}")


@cli.command("validate")
@STACK
@OVERLAY
def validate_command(stack: str) -> None:
    """Read STACK and say everything that is wrong with it."""
    from components.session import rendered

    file = _find(stack)
    _say(f"{file.source}: {len(rendered(file))} objects, no mistakes")


@cli.command("apply")
@STACK
@OVERLAY
@_on_cluster
@_ONLY
@_TIMEOUT
@_YES
@click.option("--prune/--no-prune", default=True, show_default=True, help="Delete what the stack no longer declares.")
@click.option("--force-conflicts", is_flag=True, help="Take fields that another writer owns.")
def apply_command(
    stack: str,
    kubeconfig: str | None,
    context: str | None,
    only: Sequence[str],
    timeout: float,
    yes: bool,  # noqa: FBT001 - an option
    prune: bool,  # noqa: FBT001
    force_conflicts: bool,  # noqa: FBT001
) -> None:
    """Bring STACK to a cluster, layer by layer, and wait until it is ready."""
    from components.apply import Applier
    from components.session import connected, inventory_of, rendered
    from components.waiting import Patience

    file = _find(stack)
    manifests = rendered(file, only)
    _confirm(yes, f"apply {len(manifests)} objects of stack {file.stack}")

    async def work() -> str:
        """Apply and count."""
        async with connected(_target(kubeconfig, context)) as cluster:
            applier = Applier(cluster, inventory_of(file), _say, Patience(timeout), force_conflicts)
            return (await applier.apply(manifests, prune=prune and not only)).summary()

    _say(_run(work()))


@cli.command("diff")
@STACK
@OVERLAY
@_on_cluster
@_ONLY
@click.option("--detailed-exitcode", is_flag=True, help="Exit with 3 when something would change.")
def diff_command(
    stack: str,
    kubeconfig: str | None,
    context: str | None,
    only: Sequence[str],
    detailed_exitcode: bool,  # noqa: FBT001
) -> None:
    """Show what `apply` would change; secrets are hidden."""
    from components.difference import differences
    from components.session import connected, inventory_of, rendered

    file = _find(stack)
    manifests = rendered(file, only)

    async def work() -> list[Any]:
        """Compare."""
        async with connected(_target(kubeconfig, context)) as cluster:
            return await differences(cluster, inventory_of(file), manifests, prune=not only)

    changes = _run(work())
    for change in changes:
        click.echo(f"{change.op} {change.label}")
        if change.text:
            click.echo("\n".join(f"  {line}" for line in change.text.splitlines()))
    _say(f"{len(changes)} of {len(manifests)} objects differ" if changes else "no difference")
    if any(change.op == "error" for change in changes):
        sys.exit(1)
    if changes and detailed_exitcode:
        sys.exit(CHANGES_PRESENT)


@cli.command("destroy")
@STACK
@OVERLAY
@_on_cluster
@_TIMEOUT
@_YES
def destroy_command(stack: str, kubeconfig: str | None, context: str | None, timeout: float, yes: bool) -> None:  # noqa: FBT001
    """Delete everything that STACK put on the cluster, but the data its tier retains."""
    from components.session import connected, destroy, inventory_of
    from components.waiting import Patience

    file = _find(stack)
    _confirm(yes, f"destroy stack {file.stack}")

    async def work() -> str:
        """Delete and count."""
        async with connected(_target(kubeconfig, context)) as cluster:
            report = await destroy(cluster, inventory_of(file), Patience(timeout), _say)
            kept = report.labels("kept")
            return f"{report.count('deleted')} deleted" + (f"; kept: {', '.join(kept)}" if kept else "")

    _say(_run(work()))


@cli.group("secret")
def secret_group() -> None:
    """Secrets in stack files, as Pulumi's passphrase provider keeps them."""


@secret_group.command("set")
@STACK
@click.argument("path", metavar="SECRET.KEY")
def secret_set(stack: str, path: str) -> None:
    """Seal the value read from stdin as key KEY of Secret SECRET."""
    from components.versions import set_secret

    file = _find(stack)
    try:
        value = sys.stdin.buffer.read().decode().removesuffix("\n")
    except UnicodeDecodeError:
        raise UsageError(
            f"{path}: the value on stdin is no text in UTF-8; encode it, for example with base64"
        ) from None
    set_secret(file, path, value)
    _say(f"{file.source}: grayling:secrets.{path} is set")


def _find(stack: str) -> StackFile:
    from components.stackfile import find

    file, overlay = find(stack), click.get_current_context().meta.get(_OVERLAY)
    if overlay is None:
        return file
    from components.overlay import laid_over

    return laid_over(file, Path(overlay))


def _target(kubeconfig: str | None, context: str | None) -> Target:
    from components.session import Target

    return Target(kubeconfig, context)


def _say(line: str) -> None:
    click.echo(line, err=True)


def _confirm(yes: bool, what: str) -> None:  # noqa: FBT001 - a flag handed through
    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageError(f"{what}: there is no terminal to ask on; pass --yes")
    click.confirm(f"{what}?", abort=True, err=True)


def _run(work: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(work)
