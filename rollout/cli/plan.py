"""`release plan`."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rollout.cli.options import Where, cluster_options
from terminal.numbers import FAILURE_SHARE, REQUESTS_PER_SECOND, Number
from terminal.output import data_writers, emit, output_option

if TYPE_CHECKING:
    from kube.kinds import Manifest
    from rollout.api.spec import Spec
    from rollout.api.status import Status
    from rollout.forecast.pods import Difference
    from terminal.output import Wanted


@click.command()
@click.argument("name", required=False)
@cluster_options
@click.option("-f", "--file", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="GrayRelease to plan.")
@click.option("--image", help="Plan this image instead of the declared one.")
@click.option("--rps", type=REQUESTS_PER_SECOND, help="Expected requests per second of the service.")
@click.option(
    "--error-rate",
    type=FAILURE_SHARE,
    default=0.001,
    show_default=True,
    help="Failure share of a healthy version.",
)
@click.option(
    "--spread",
    type=Number(min=0, max=3, min_open=True),
    help="How far the failure rates of healthy pods are apart: 0.1 is 10 %.",
)
@click.option(
    "--recording",
    "recorded",
    metavar="FILE",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Take that from a recording, as of `release record NAME ID --recording`.",
)
@click.option("--server", is_flag=True, help="Ask the cluster about a FILE too: would it take its objects?")
@output_option("text", "json", "yaml", "markdown")
def plan(
    *,
    name: str | None,
    where: Where,
    file: Path | None,
    image: str | None,
    rps: float | None,
    error_rate: float,
    spread: float | None,
    recorded: Path | None,
    server: bool,
    wanted: list[Wanted],
) -> None:
    """Show steps, times and pods of a release, what each step can see, and what it may cost.

    Of a FILE it is planned what would follow upon a version that serves; with --server, upon what does.
    A pod template that Kubernetes would not take is an error: by the schema that is known here (exit 2), and, where a
    cluster is asked, in its own words (exit 13). So is a spec that its drivers cannot carry out (exit 2).
    """
    from rollout.cli.desire import insist_on_plan
    from rollout.cli.reading import spec_of, status_of
    from rollout.forecast.plan import Traffic, plan_of, served_by
    from rollout.view.planned import plan_markdown, plan_text

    manifest = _read(file, name) if file else asyncio.run(_live(where, name))
    spec = spec_of(manifest)
    if image:
        manifest = with_image(manifest, image)
        spec = spec_of(manifest)
    insist_on_plan(manifest)
    unasked = asyncio.run(_asked(where, manifest, spec)) if server or not file else "no cluster was asked"
    if unasked:
        _check(manifest, spec)
    if unasked and (server or not file):
        click.echo(f"Warning: whether the cluster takes its objects is not known: {unasked}", err=True)
    known = status_of(manifest) if manifest.get("status") else None
    if file and known is None:
        known = asyncio.run(_standing(where, manifest)) if server else served_by()
    traffic = Traffic(rps, error_rate) if rps else None
    name = manifest["metadata"]["name"]
    differ = _differ(spec, spread, recorded)
    kept_out = asyncio.run(_kept_out(where, manifest, known, asked=server or not file))
    made = plan_of(name, spec, known, traffic, time.time(), kept_out, differ)
    writers = {**data_writers(made.wire), "text": lambda: plan_text(made), "markdown": lambda: plan_markdown(made)}
    emit(wanted, writers)


def _differ(spec: Spec, spread: float | None, recorded: Path | None) -> Difference:
    """How stable's pods differ, by what was said of it.

    Raises:
        UsageError: two say it, the recording tells nothing of it, or nothing that fails is judged.
    """
    from kube.errors import UsageError
    from rollout.forecast.pods import assumed, failing_signals, said, shown_by

    if spread is not None and recorded is not None:
        raise UsageError("--spread and --recording both say how far pods are apart; give one of them")
    if not failing_signals(spec) and (spread is not None or recorded is not None):
        has = ", ".join(each.name for each in spec.analysis.signals) or "none"
        option = "--spread" if recorded is None else "--recording"
        raise UsageError(
            f"{option} says how far pods that fail are apart, and this release judges no signal that counts failures "
            f"(analysis.signals: {has}); leave it out, or add one of kind errors"
        )
    if spread is not None:
        return said(spread, spec.workload.pods)
    if recorded is None:
        return assumed()
    from rollout.cli.replay import read_recording

    found = shown_by(read_recording(recorded), spec, recorded.name)
    if found is None:
        raise UsageError(
            f"{recorded}: tells nothing of stable's pods: it takes failures of two or more of them that are older than "
            "5 minutes; give --spread instead"
        )
    return found


async def _live(where: Where, name: str | None) -> Manifest:
    from kube.kinds import GRAY_RELEASE

    if name is None:
        raise click.UsageError("Missing argument 'NAME' (or -f FILE).")
    async with where.read() as (cluster, namespace):
        return await cluster.get(GRAY_RELEASE, name, namespace)


async def _standing(where: Where, manifest: Manifest) -> Status | None:
    """Where the release in a file stands on the cluster; None where it is new there."""
    from kube.errors import NotFoundError
    from kube.kinds import GRAY_RELEASE
    from rollout.cli.reading import status_of

    meta = manifest["metadata"]
    async with where.read() as (cluster, namespace):
        with suppress(NotFoundError):
            live = await cluster.get(GRAY_RELEASE, meta["name"], meta.get("namespace") or namespace)
            return status_of(live) if live.get("status") else None
    return None


async def _kept_out(where: Where, manifest: Manifest, known: Status | None, *, asked: bool) -> tuple[str, ...]:
    """Why what is planned would not even begin: it was taken back on evidence, or nobody can say."""
    from rollout.api.taken_back import pair_in
    from rollout.cli.standing_out import reasons, serves

    if not asked:
        told = "whether it was taken back before is not known, and that a version before it serves is taken for granted"
        click.echo(f"Warning: no cluster was asked: {told}; --server asks", err=True)
        return ()
    async with where.read() as (cluster, namespace):
        placed = {**manifest, "metadata": {"namespace": namespace, **manifest["metadata"]}}
        if known is not None and serves(placed, known):
            return ()
        pair = pair_in(placed)
        return tuple(await reasons(cluster, placed["metadata"]["namespace"], pair)) if pair is not None else ()


async def _asked(where: Where, manifest: Manifest, spec: Spec) -> str:
    """Why the cluster could not be asked; empty where it takes the objects."""
    from rollout.client.rehearsal import rehearse

    meta = manifest["metadata"]
    async with where.open() as (cluster, namespace):
        return await rehearse(cluster, meta["name"], meta.get("namespace") or namespace, spec)


def _check(manifest: Manifest, spec: Spec) -> None:
    """Look for mistakes in the pod template without a cluster.

    Raises:
        UsageError: there are some.
    """
    from kube.errors import UsageError
    from rollout.api.typos import mistakes_in
    from rollout.cli.reading import label

    if found := mistakes_in(spec.workload.template):
        raise UsageError(f"GrayRelease {label(manifest)}: {'; '.join(found)}")


def _read(file: Path, name: str | None) -> Manifest:
    """The GrayRelease in a file of manifests.

    Raises:
        UsageError: it cannot be read, holds none or several, or that one says too little of itself.
    """
    from kube.documents import documents
    from kube.errors import UsageError

    releases = [each for each in documents(file) if isinstance(each, dict) and each.get("kind") == "GrayRelease"]
    called = [_name_in(each) for each in releases]
    found = [each for each, its in zip(releases, called, strict=True) if name in {None, its}]
    if len(found) != 1:
        there = ", ".join(its or "one without a name" for its in called) or "none"
        raise UsageError(f"{file}: name the GrayRelease to plan; there are {there}")
    if not _name_in(found[0]):
        raise UsageError(f"{file}: metadata.name: is missing, or no text; give the GrayRelease a name")
    return found[0]


def _name_in(manifest: Manifest) -> str:
    """Its name; empty where it has none, or what stands there is no name."""
    meta = manifest.get("metadata")
    name = meta.get("name") if isinstance(meta, dict) else None
    return name if isinstance(name, str) else ""


def with_image(manifest: Manifest, image: str) -> Manifest:
    """The same object, asking for another image in its first container."""
    from copy import deepcopy

    changed = deepcopy(manifest)
    containers = changed["spec"]["workload"]["template"].get("spec", {}).get("containers") or [{}]
    containers[0]["image"] = image
    return changed
