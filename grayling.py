"""The command line: every room brings its own group, and none is imported before it is called."""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

from terminal.exits import Session, run
from terminal.lazy import LazyGroup

ROOMS = {
    "stack": ("components.cli:cli", "Declare environments: render, diff, apply, destroy."),
    "release": ("rollout.cli:cli", "Bring versions in gradually, watch them, take them back."),
    "review": ("review.cli:cli", "Read what a change will do, and approve exactly that."),
    "ci": ("review.ci.cli:cli", "Bring changes in from a pipeline: workflows, and the comment on a change."),
    "sandbox": ("sandbox.cli:cli", "A real one-node Kubernetes on this machine."),
}

MOUNTED = {
    "stack": {
        "promote": (
            "review.promotion.commands:promote_command",
            "Carry what was proven in one stack to another.",
        ),
        "waves": ("review.promotion.waves.commands:waves_group", "Apply stacks cluster by cluster, wave after wave."),
    }
}
"""Commands that one room brings into the group of another one, which may not import it."""


class Rooms(LazyGroup):
    """The groups of the rooms, each with what other rooms mount in it."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the group; what is mounted in it is imported when it is called."""
        command = super().get_command(ctx, cmd_name)
        if isinstance(command, LazyGroup):
            command.lazy.update(_mounted(cmd_name))
        return command


def _mounted(group: str) -> dict[str, tuple[str, str]]:
    return {name: entry for name, entry in MOUNTED.get(group, {}).items() if find_spec(entry[0].partition(".")[0])}


def rooms() -> dict[str, tuple[str, str]]:
    """The groups whose room is installed, found without importing any."""
    return {name: entry for name, entry in ROOMS.items() if _has_cli(entry[0].partition(":")[0])}


def _has_cli(module: str) -> bool:
    package, *below = module.split(".")
    spec = find_spec(package)
    places = (Path(place, *below) for place in (spec.submodule_search_locations if spec else None) or ())
    return any(place.with_suffix(".py").exists() or (place / "__init__.py").exists() for place in places)


def _version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:  # noqa: FBT001 - click's own order
    if not wanted or ctx.resilient_parsing:
        return
    from importlib.metadata import PackageNotFoundError, version

    try:
        found = version("grayling")
    except PackageNotFoundError:
        found = "(not installed: run from a checkout)"
    click.echo(f"grayling {found}")
    ctx.exit()


@click.group(cls=Rooms, lazy=rooms(), context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show the version.")
@click.option("--debug", is_flag=True, help="Show tracebacks (or set GRAYLING_DEBUG).")
@click.pass_context
def cli(ctx: click.Context, *, debug: bool) -> None:
    """Declare an integration platform; bring every change into it gradually; take bad ones back within a second."""
    ctx.ensure_object(Session).debug |= debug


@cli.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print shell completion: source <(grayling completion bash)."""
    from click.shell_completion import get_completion_class

    made = get_completion_class(shell)
    if made is None:
        raise click.UsageError(f"no completion for {shell}")
    click.echo(made(cli, {}, "grayling", "_GRAYLING_COMPLETE").source())


class Stacks:
    """The declaring half as `release start` needs it; imported when a stack is named."""

    def set_image(self, stack_file: Path, service: str, image: str) -> bool:
        """Change the image of a service in a stack file, comments kept; False where it says that already."""
        return bool(import_module("components.stack.versions").set_image(stack_file, service, image))

    def render_service(self, stack_file: Path, service: str, image: str = "") -> list[dict[str, Any]]:
        """The manifests of one service as the stack declares it, or would if it named another image."""
        return list(import_module("components.deploy.session").render_service(stack_file, service, image))


def gate(*args: Any, **how: Any) -> Any:
    """What stands before `stack apply` and `stack destroy`; imported when one of them is at work."""
    return import_module("review.gate").before_apply(*args, **how)


def main() -> None:
    """`grayling …`."""
    guard = gate if find_spec("review") else None
    sys.exit(run(cli, None, prog_name="grayling", session=Session(stack=_stacks(), gate=guard)))


def kubectl_plugin() -> None:
    """`kubectl grayling …`: the release group alone."""
    from rollout.cli import cli as release

    sys.exit(run(release, None, prog_name="kubectl grayling", session=Session(stack=_stacks())))


def _stacks() -> Stacks | None:
    return Stacks() if find_spec("components") else None


if __name__ == "__main__":
    main()
