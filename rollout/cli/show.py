"""`release list` and `release status`."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Any

import click

from rollout.cli.options import Where, cluster_options, release_name
from terminal.output import data_writers, emit, output_option

if TYPE_CHECKING:
    from kube.kinds import Manifest
    from rollout.cli.reading import Shown
    from terminal.output import Wanted


@click.command("list")
@cluster_options
@click.option("-A", "--all-namespaces", is_flag=True, help="Releases of every namespace.")
@output_option("text", "json", "yaml", "name")
def list_releases(*, where: Where, all_namespaces: bool, wanted: list[Wanted]) -> None:
    """Releases and where they stand."""
    from rollout.view.text import list_text

    found, namespace = asyncio.run(_listed(where, all_namespaces=all_namespaces))
    if not found:
        place = "the cluster" if all_namespaces else f"namespace {namespace}"
        click.echo(f"No releases in {place}.", err=True)
    writers = data_writers(lambda: [bare(manifest) for manifest in found])
    writers["text"] = lambda: list_text(found, time.time(), all_namespaces=all_namespaces) if found else ""
    writers["name"] = lambda: "".join(f"{manifest['metadata']['name']}\n" for manifest in found)
    emit(wanted, writers)


async def _listed(where: Where, *, all_namespaces: bool) -> tuple[list[Manifest], str]:
    from kube.kinds import GRAY_RELEASE

    async with where.read() as (cluster, namespace):
        listed = await cluster.list(GRAY_RELEASE, None if all_namespaces else namespace)
    by_name = sorted(listed.items, key=lambda item: (item["metadata"].get("namespace", ""), item["metadata"]["name"]))
    return by_name, namespace


def bare(manifest: Manifest) -> dict[str, Any]:
    """The object without what is of no use outside the engine: managed fields and the judge's sums."""
    meta = {key: value for key, value in manifest["metadata"].items() if key != "managedFields"}
    status = {key: value for key, value in (manifest.get("status") or {}).items() if key != "judge"}
    return {**manifest, "metadata": meta, "status": status}


@click.command()
@release_name
@cluster_options
@click.option("-w", "--watch", "watching", is_flag=True, help="Follow it until interrupted.")
@output_option("text", "json", "yaml")
def status(*, name: str, where: Where, watching: bool, wanted: list[Wanted]) -> None:
    """One release: steps, weights, verdicts with their numbers, and what comes next."""
    if watching:
        from rollout.cli.watch import look_on

        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(look_on(where, name))
        return
    manifest, shown = asyncio.run(_one(where, name))
    emit(wanted, {**data_writers(lambda: bare(manifest)), "text": lambda: _text(manifest, shown)})


async def _one(where: Where, name: str) -> tuple[Manifest, Shown]:
    from kube.kinds import GRAY_RELEASE
    from rollout.cli.reading import spec_in_force

    async with where.read() as (cluster, namespace):
        found = await cluster.get(GRAY_RELEASE, name, namespace)
        return found, await spec_in_force(cluster, found)


def _text(manifest: Manifest, shown: Shown) -> str:
    from rollout.cli.reading import label, mistakes_of, status_of
    from rollout.view.scene import describe
    from rollout.view.text import scene_text

    for mistake in filter(None, (shown.mistake, *mistakes_of(manifest))):
        click.echo(f"Warning: {label(manifest)}: {mistake}", err=True)
    return scene_text(describe(label(manifest), shown.spec, status_of(manifest), time.time(), known=shown.known))
