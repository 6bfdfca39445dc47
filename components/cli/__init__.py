"""``grayling stack``: an environment from its stack file, seen, compared, applied and taken down.

stdout is data, stderr is what happens; nothing is asked without a terminal.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from components.cli.cluster import (
    adopt_command,
    apply_command,
    definitions_group,
    destroy_command,
    diff_command,
    hand_over_command,
)
from components.cli.contracts import contracts_command
from components.cli.manual import manual_command
from components.cli.options import (
    ONLY,
    OVERLAY,
    STACK,
    find_stack,
    not_asked,
    say,
)
from components.cli.policy import policy_command
from kube.errors import UsageError
from terminal.lazy import LazyGroup
from terminal.output import Wanted, data_writers, emit, output_option

if TYPE_CHECKING:
    from collections.abc import Sequence


@click.group("stack", cls=LazyGroup)
def cli() -> None:
    """Declare an environment: render, compare, apply, destroy."""


@cli.command("render")
@STACK
@OVERLAY
@click.option("-o", "--output", default="yaml", show_default=True, help="yaml, json, or a folder to write files to.")
@ONLY
@click.option("--with-secrets", is_flag=True, help="Write the values of Secrets too, readable by you alone.")
@click.option("--no-policy", is_flag=True, help="Write them although they break rules of the house.")
def render_command(*, stack: str, output: str, only: Sequence[str], with_secrets: bool, no_policy: bool) -> None:
    """Write the objects of STACK, without a cluster."""
    from components.deploy.folder import write_folder
    from components.deploy.render import as_json, as_yaml, without_values
    from components.deploy.session import rendered, selected
    from components.policy.project import insist_on_policy

    file = find_stack(stack)
    everything = rendered(file)
    if not no_policy:
        insist_on_policy(file, everything)
    manifests = selected(everything, only)
    not_asked(manifests)
    if not with_secrets:
        manifests, left = without_values(manifests)
        if left:
            say(f"left out: {', '.join(left)}; their values would stand in plain text: --with-secrets writes them")
    if output in {"yaml", "json"}:
        click.echo(as_yaml(manifests) if output == "yaml" else as_json(manifests), nl=False)
        return
    written = write_folder(manifests, Path(output), file.stack)
    say(f"{len(written)} files in {output}")


@cli.command("validate")
@STACK
@OVERLAY
def validate_command(stack: str) -> None:
    """Read STACK and say everything that is wrong with it."""
    from components.deploy.session import (
        SKETCHES,
        check_engine,
        engine_of,
        rendered,
    )
    from components.deploy.target import place_of
    from components.policy.project import insist_on_policy

    file = find_stack(stack)
    manifests = rendered(file)
    try:
        check_engine(file.source, engine_of(file), manifests)
    except UsageError as error:
        if file.section("environment").get("tier") not in SKETCHES:
            raise
        say(f"{error}\n(a warning in this tier: `diff`, `apply` and `pulumi up` refuse it)")
    place_of(file)
    verdict = insist_on_policy(file, manifests)
    not_asked(manifests)
    if verdict.advised:
        say(f"rules of the house advise {len(verdict.advised)} things: `grayling stack policy` lists them")
    say(f"{file.source}: {len(manifests)} objects, no mistakes")


@cli.command("kinds")
@output_option("text", "json", "yaml", "markdown")
def kinds_command(*, wanted: Sequence[Wanted]) -> None:
    """List what a stack can declare, how far each kind goes here, and the tests that show it."""
    from components.stack.kinds import as_data, as_markdown, as_text

    emit(wanted, {**data_writers(as_data), "text": as_text, "markdown": as_markdown})


@cli.group("secret")
def secret_group() -> None:
    """Secrets in stack files, as Pulumi's passphrase provider keeps them."""


@secret_group.command("set")
@STACK
@click.argument("path", metavar="SECRET.KEY")
def secret_set(stack: str, path: str) -> None:
    """Seal the value read from stdin as key KEY of Secret SECRET."""
    from components.stack.versions import set_secret

    file = find_stack(stack)
    try:
        value = sys.stdin.buffer.read().decode().removesuffix("\n")
    except UnicodeDecodeError:
        raise UsageError(
            f"{path}: the value on stdin is no text in UTF-8; encode it, for example with base64"
        ) from None
    set_secret(file, path, value)
    say(f"{file.source}: grayling:secrets.{path} is set")


_ON_CLUSTER: tuple[Any, ...] = (
    apply_command,
    diff_command,
    destroy_command,
    adopt_command,
    hand_over_command,
    definitions_group,
    contracts_command,
    policy_command,
    manual_command,
)
for _command in _ON_CLUSTER:
    cli.add_command(_command)
