"""`release start`: ask for another version, where that version has its home.

The home is the stack file when a stack declares the service; otherwise it is the object itself.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import click

from rollout.cli.desire import (
    Request,
    as_declared,
    declared_by,
    image_patch,
    insist_on_plan,
    pulumi_declares,
    revision_in,
    signature,
    signature_patch,
    with_image,
)
from rollout.cli.options import Where, cluster_options, duration, release_name
from rollout.cli.standing_out import insist
from rollout.cli.watch import PATIENCE, UNTIL
from terminal.output import output_option
from terminal.people import person_options

if TYPE_CHECKING:
    from kube.cluster import Cluster
    from kube.kinds import Manifest
    from terminal.exits import Session
    from terminal.output import Wanted

STACK_MANAGER = "grayling-stack"
PART_OF_SET = "applyset.kubernetes.io/part-of"
PULUMI_MANAGER = "pulumi-kubernetes"
"""What this writer updated, the provider takes over before it applies: no conflict comes of it."""


class StackEditor(Protocol):
    """The declaring half, as this command needs it; `grayling.py` brings it, because this room may not import it."""

    def set_image(self, stack_file: Path, service: str, image: str) -> bool:
        """Change the image of a service in a stack file; False where it says that already."""

    def render_service(self, stack_file: Path, service: str, image: str = "") -> list[dict[str, Any]]:
        """The manifests of one service as the stack declares it, or would if it named another image."""


@click.command()
@release_name
@cluster_options
@click.option("--image", required=True, help="Image of the version to bring in.")
@click.option("--container", help="Container that gets it; the first if not given.")
@click.option("--stack", help="Stack that declares the service: its file is changed and the object applied.")
@click.option(
    "--stack-dir",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("stacks"),
    show_default=True,
    help="Where Pulumi.<stack>.yaml is.",
)
@click.option("--patch-object", is_flag=True, help="Patch the object although a stack declares it.")
@person_options
@click.option("--wait", "waiting", is_flag=True, help="Wait for the outcome, as `release watch` does.")
@click.option("--timeout", callback=duration, default="1h", show_default=True, help="Give up waiting after this long.")
@PATIENCE
@UNTIL
@output_option("text", "json", "yaml", "markdown")
@click.pass_obj
def start(
    session: Session,
    *,
    name: str,
    where: Where,
    image: str,
    container: str | None,
    stack: str | None,
    stack_dir: Path,
    patch_object: bool,
    by: str,
    reason: str,
    waiting: bool,
    timeout: float,
    patience: float,
    until: str,
    wanted: list[Wanted],
) -> int:
    """Ask for another version of a service; an engine then brings it in gradually."""
    asked = Request(name, image, container, by, reason)
    editor = _editor(session, stack, stack_dir)

    async def go() -> int:
        """Ask, then wait if that was asked for."""
        async with where.open() as (cluster, namespace):
            if editor is not None:
                after = await declare(cluster, namespace, asked, editor)
            else:
                after = await patch(cluster, namespace, asked, forced=patch_object)
            if not waiting:
                return 0
            home = after["metadata"].get("namespace") or namespace
            how: Any = {"baked": until == "ended", "wanted": wanted}
            return await _wait(cluster, home, name, after, timeout, patience, **how)

    return asyncio.run(go())


async def _wait(
    cluster: Cluster,
    namespace: str,
    name: str,
    after: Manifest,
    seconds: float,
    patience: float,
    *,
    baked: bool,
    wanted: list[Wanted],
) -> int:
    from rollout.cli.watch import awaited_of, conclude, wait_for

    awaited = awaited_of(after, baked=baked, started=True)
    manifest, ending = await wait_for(cluster, namespace, name, awaited, seconds, patience)
    return conclude(manifest, ending, wanted)


# ---------------------------------------------------------------------- declared by a stack


class Stack(NamedTuple):
    """The stack by name, its file, and the hands that edit it."""

    name: str
    file: Path
    editor: StackEditor


def _editor(session: Session, stack: str | None, directory: Path) -> Stack | None:
    from kube.errors import UsageError

    if stack is None:
        return None
    if session.stack is None:
        raise UsageError(
            "--stack: the declaring half is not installed here; use the whole grayling, or patch the object"
        )
    file = directory / f"Pulumi.{stack}.yaml"
    if not file.exists():
        raise UsageError(f"--stack {stack}: there is no {file}; say where it is with --stack-dir")
    return Stack(stack, file, session.stack)


async def declare(cluster: Cluster, namespace: str, asked: Request, stack: Stack) -> Manifest:
    """Change the stack file, then apply that one service: the next `pulumi up` finds no difference."""
    from kube.errors import UsageError
    from kube.kinds import GRAY_RELEASE

    before = stack.editor.render_service(stack.file, asked.name)  # what is wrong is told before the file is changed
    await _insist_on_own(cluster, namespace, asked, stack, before)
    for declared in before:
        if declared["kind"] == GRAY_RELEASE.kind and declared["metadata"]["name"] == asked.name:
            insist_on_plan(declared)
    await _insist_on_new(cluster, namespace, asked, stack)
    changed = stack.editor.set_image(stack.file, asked.name, asked.image)
    told = f"now says {asked.image}" if changed else f"said {asked.image} already"
    click.echo(f"{stack.file}: {asked.name} {told}", err=True)
    manifests = stack.editor.render_service(stack.file, asked.name)
    ours = [each for each in manifests if each["kind"] == GRAY_RELEASE.kind and each["metadata"]["name"] == asked.name]
    if not ours:
        raise UsageError(f"stack {stack.name} renders no GrayRelease {asked.name}")
    namespace = ours[0]["metadata"].get("namespace") or namespace
    live = await cluster.find(GRAY_RELEASE, asked.name, namespace)
    if live is not None and pulumi_declares(live):
        return await _in_place_of_pulumi(cluster, live, ours[0], asked, stack)
    if live is not None:
        await _sign(cluster, namespace, asked, ours[0])
    for manifest in manifests:
        await cluster.apply(manifest, manager=STACK_MANAGER, force=True)
    if live is None:
        await _sign(cluster, namespace, asked, ours[0])
    click.echo(f"{namespace}/{asked.name}: {asked.image} asked for, declared by stack {stack.name}")
    return await cluster.get(GRAY_RELEASE, asked.name, namespace)


async def _insist_on_own(
    cluster: Cluster, namespace: str, asked: Request, stack: Stack, manifests: list[Manifest]
) -> None:
    """Refuse an object that another stack declares: it would become what this one says, and be taken back later."""
    from kube.errors import UsageError
    from kube.kinds import GRAY_RELEASE, label_of

    for declared in manifests:
        if declared["kind"] != GRAY_RELEASE.kind or declared["metadata"]["name"] != asked.name:
            continue
        live = await cluster.find(GRAY_RELEASE, asked.name, declared["metadata"].get("namespace") or namespace)
        owner = _set_of(live) if live else None
        if owner and owner != _set_of(declared):
            raise UsageError(
                f"{stack.file}: {label_of(declared)} is declared by another stack, or by this one under an overlay, "
                "and nothing was changed: name that stack, or leave --stack out and pass --patch-object"
            )


async def _insist_on_new(cluster: Cluster, namespace: str, asked: Request, stack: Stack) -> None:
    """Refuse what was taken back on evidence, before the file says it: by this cluster, or by the project's records."""
    from kube.kinds import GRAY_RELEASE

    project = stack.file.resolve().parent.parent
    for wanted in stack.editor.render_service(stack.file, asked.name, asked.image):
        if wanted["kind"] != GRAY_RELEASE.kind or wanted["metadata"]["name"] != asked.name:
            continue
        home = wanted["metadata"].get("namespace") or namespace
        live = await cluster.find(GRAY_RELEASE, asked.name, home)
        if live is not None and pulumi_declares(live):
            placed, version = as_declared(live, wanted, asked)
            wanted = with_image(live, placed, version)  # noqa: PLW2901 - what will be written of it
        await insist({**wanted, "status": (live or {}).get("status")}, cluster, home, project)


def _set_of(manifest: Manifest) -> str | None:
    return (manifest["metadata"].get("labels") or {}).get(PART_OF_SET)


async def _in_place_of_pulumi(
    cluster: Cluster, live: Manifest, declared: Manifest, asked: Request, stack: Stack
) -> Manifest:
    """Write the version and nothing else, as a writer whose fields Pulumi takes back by itself at its next change."""
    from kube.kinds import GRAY_RELEASE

    namespace = live["metadata"]["namespace"]
    asked, version = as_declared(live, declared, asked)
    wanted = with_image(live, asked, version)
    await _sign(cluster, namespace, asked, wanted)
    if operations := image_patch(live, asked, version):
        await cluster.json_patch(GRAY_RELEASE, asked.name, namespace, operations, manager=PULUMI_MANAGER)
    if revision_in(wanted) != revision_in(declared):
        click.echo(f"{stack.file}: says more than the image; `pulumi up` brings the rest", err=True)
    click.echo(f"{namespace}/{asked.name}: {asked.image} asked for, declared by stack {stack.name}")
    return await cluster.get(GRAY_RELEASE, asked.name, namespace)


async def _sign(cluster: Cluster, namespace: str, asked: Request, wanted: Manifest) -> None:
    from kube.kinds import GRAY_RELEASE
    from rollout.client.commands import MANAGER

    patch = {"metadata": {"annotations": signature(asked, revision_in(wanted))}}
    await cluster.merge_patch(GRAY_RELEASE, asked.name, namespace, patch, manager=MANAGER)


# ---------------------------------------------------------------------- declared by nobody


async def patch(cluster: Cluster, namespace: str, asked: Request, *, forced: bool = False) -> Manifest:
    """Change the image on the object itself, if it still is what was read.

    Raises:
        UsageError: a stack declares the object, or it has no such container.
        ConflictError: somebody else was faster.
    """
    from kube.errors import ConflictError, InvalidError, UsageError
    from kube.kinds import GRAY_RELEASE
    from rollout.client.commands import MANAGER

    found = await cluster.get(GRAY_RELEASE, asked.name, namespace)
    owner = declared_by(found)
    if owner and not forced:
        raise UsageError(
            f"{namespace}/{asked.name} is declared by a stack (field manager {owner}), which would take this back: "
            "name it with --stack, or insist with --patch-object"
        )
    insist_on_plan(found)
    operations = image_patch(found, asked)
    if not operations:
        click.echo(f"{namespace}/{asked.name}: {asked.image} is asked for already")
        return found
    await insist(with_image(found, asked), cluster, namespace)
    operations += signature_patch(found, asked)
    try:
        after = await cluster.json_patch(GRAY_RELEASE, asked.name, namespace, operations, manager=MANAGER)
    except InvalidError as error:
        newest = await cluster.get(GRAY_RELEASE, asked.name, namespace)
        if newest["spec"] == found["spec"]:
            raise
        told = f"{namespace}/{asked.name} was changed by somebody else meanwhile; look at it, then ask again"
        raise ConflictError(told) from error
    click.echo(f"{namespace}/{asked.name}: {asked.image} asked for")
    click.echo("No stack was changed: whoever declares this object must be told, or will take it back.", err=True)
    return after
