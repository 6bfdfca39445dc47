"""The ``grayling sandbox`` group: a thin layer over `sandbox.box`.

Importing this module must cost next to nothing, because every ``grayling``
command does it: the room itself is imported inside the commands.
"""

from __future__ import annotations

from typing import Any

import click

named = click.option("--name", default="default", show_default=True, metavar="NAME", help="Which sandbox.")
extras = click.option(
    "--with", "extras", multiple=True, metavar="SYSTEM", help="A system more: kafka, nats and so on. Repeatable."
)
output = click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True)


@click.group(name="sandbox")
def cli() -> None:
    """Run a real one-node Kubernetes on this machine, in a box of its own."""


@cli.command()
@named
@extras
@click.option("--no-install", is_flag=True, help="Refuse instead of installing missing Debian packages.")
def up(name: str, extras: tuple[str, ...], *, no_install: bool) -> None:
    """Bring a sandbox up: a Ready node, names, storage, Gateway API, local images."""
    from sandbox.box import Sandbox
    from sandbox.progress import for_terminal

    sandbox = Sandbox(name, may_install=not no_install)
    with for_terminal() as progress:
        sandbox.up(progress, extras)
    click.echo(f"export KUBECONFIG={sandbox.kubeconfig}")


@cli.command()
@named
@output
def status(name: str, output: str) -> None:
    """Show whether a sandbox runs, where, and how its daemons do."""
    from sandbox.box import Sandbox

    found = Sandbox(name).status()
    if output == "json":
        _json(found.as_dict())
        return
    click.echo(f"sandbox {found.name}: {found.state}" + (f" at {found.address}" if found.address else ""))
    for daemon in found.daemons:
        click.echo(f"  {daemon['name']:<24} {daemon['state']:<8} restarts {daemon['restarts']}")
    if found.kubeconfig:
        click.echo(f"export KUBECONFIG={found.kubeconfig}")


@cli.command()
@named
@output
@extras
@click.option("--refresh", is_flag=True, help="Import images that differ from this checkout.")
def images(name: str, output: str, extras: tuple[str, ...], *, refresh: bool) -> None:
    """List the images of a sandbox; --refresh brings in what has changed, --with a system more."""
    from contextlib import nullcontext

    from sandbox.box import Sandbox
    from sandbox.progress import Silent, for_terminal

    sandbox = Sandbox(name)
    if refresh or extras:
        with nullcontext(Silent()) if output == "json" else for_terminal() as progress:
            changed = sandbox.refresh_images(progress) if refresh else []
            changed += sandbox.add(extras, progress) if extras else []
        if output == "text":
            click.echo(f"{len(changed)} images changed")
            return
    found = sorted(sandbox.images().items())
    if output == "json":
        _json([{"name": image, "digest": digest} for image, digest in found])
        return
    for image, digest in found:
        click.echo(f"{image:<48} {digest[:19]}")


@cli.command()
@named
@click.argument("daemon")
@click.option("--lines", default=100, show_default=True, help="How many of the last lines.")
def logs(name: str, daemon: str, lines: int) -> None:
    """Print the last lines of one daemon's log."""
    from sandbox.box import Sandbox
    from sandbox.errors import RefusedError

    folder = Sandbox(name).state.logs
    log = folder / f"{daemon}.log"
    if not log.is_file():
        known = ", ".join(sorted(path.stem for path in folder.glob("*.log"))) or "none yet"
        raise RefusedError(f"sandbox {name} has no log of {daemon!r}; it has: {known}")
    for line in log.read_text(errors="replace").splitlines()[-lines:]:
        click.echo(line)


@cli.command(context_settings={"ignore_unknown_options": True})
@named
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
def shell(name: str, command: tuple[str, ...]) -> None:
    """Step inside a sandbox, or run one COMMAND there (after --)."""
    import os

    from sandbox.box import Sandbox

    sandbox = Sandbox(name)
    inside = {"KUBECONFIG": str(sandbox.kubeconfig), "CONTAINERD_NAMESPACE": "k8s.io", "PS1": f"[{name}] \\w # "}
    path = f"{sandbox.state.bin}:{os.environ.get('PATH', '')}"
    argv = sandbox.enter_argv(command or (os.environ.get("SHELL", "/bin/sh"),))
    os.execvpe(argv[0], argv, {**os.environ, **inside, "PATH": path})  # noqa: S606 - the shell takes our place


@cli.command()
@named
def kubeconfig(name: str) -> None:
    """Print where the kubeconfig of a sandbox lies."""
    from sandbox.box import Sandbox

    sandbox = Sandbox(name)
    _ = sandbox.address  # refuses when there is no such sandbox
    click.echo(str(sandbox.kubeconfig))


@cli.command()
@named
@click.option("--purge", is_flag=True, help="Remove the sandbox's data too, not only its processes.")
def down(name: str, *, purge: bool) -> None:
    """End a sandbox and leave the machine as it was; its data stays unless --purge."""
    from sandbox.box import Sandbox

    Sandbox(name).down(purge=purge)
    click.echo(f"sandbox {name} is down" + (" and its data is gone" if purge else ""))


def _json(document: Any) -> None:
    import json

    click.echo(json.dumps(document, indent=2))
