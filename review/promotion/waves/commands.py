"""`stack waves`: several clusters one after another, with a stop switch that every machine can reach."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from terminal.output import data_writers, emit, output_option
from terminal.people import person_options

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from kube.cluster import Cluster
    from review.promotion.settings import Waves
    from review.promotion.waves.ledger import Book, Entry
    from review.promotion.waves.state import State
    from terminal.output import Wanted

NAME = click.argument("name")
KUBECONFIG = click.option("--kubeconfig", metavar="FILE", help="Kubeconfig with the contexts of the waves.")
YES = click.option("--yes", "-y", is_flag=True, help="Do not ask; needed where there is no terminal.")
ALLOW_DELETE = click.option("--allow-delete", is_flag=True, help="Let releases, volumes or many objects at once go.")
TIMEOUT = click.option("--timeout", default=300.0, show_default=True, help="Seconds that an object may take.")


def _say(line: str) -> None:
    click.echo(line, err=True)


@click.group("waves")
def waves_group() -> None:
    """Apply stacks to clusters in ordered waves: the next one begins when the one before has baked."""


def at_work(command: Callable[..., Any]) -> Callable[..., Any]:
    """Options of the commands that apply."""
    for option in (NAME, KUBECONFIG, YES, ALLOW_DELETE, TIMEOUT, person_options):
        command = option(command)
    return command


@waves_group.command("start")
@at_work
@click.option("--anew", is_flag=True, help="Begin again from the first wave, whatever the last run has left.")
def start_command(*, name: str, anew: bool, **how: Any) -> None:
    """Begin with the first wave of NAME, and go on until the last one is over.

    Exit 7 when a release was rolled back, 9 when somebody stopped it, 10 on a timeout, 11 when another one is at it.
    """
    from review.promotion.waves.run import begun

    _carry_out("start", name, lambda entry, plan, rendered: begun(entry, plan, rendered, anew=anew, **_who(how)), how)


@waves_group.command("resume")
@at_work
def resume_command(*, name: str, **how: Any) -> None:
    """Go on where NAME ended; a stop is lifted. What was applied is not applied again."""
    from review.promotion.waves.run import resumed

    _carry_out("resume", name, resumed, how)


def _who(how: dict[str, Any]) -> dict[str, str]:
    return {key: how[key] for key in ("by", "reason")}


def _carry_out(verb: str, name: str, first: Callable[..., State], how: dict[str, Any]) -> None:
    from components.cli.options import confirm, may_ask
    from review.promotion.waves.ledger import entry_of, writing
    from review.promotion.waves.run import carried_out, to_apply
    from review.promotion.waves.targets import Clusters, declared

    book, plan = _plan(name)
    what = f"{verb} waves {name}"
    may_ask(how["yes"], what)
    stacks = declared(target.stack for wave in plan.waves for target in wave.targets)
    clusters = Clusters(stacks, how["kubeconfig"], _say, how["timeout"], allow_delete=how["allow_delete"])
    rendered = {stack: each.digest for stack, each in stacks.items()}

    async def work() -> None:
        """Look, ask, and go on."""
        async with _home(plan, how["kubeconfig"]) as cluster:
            entry = entry_of(book, await book.find(cluster))
            state = first(entry, plan, rendered)
            now, later = to_apply(state)
            looks = [*(clusters.look(each) for each in now), *(clusters.reach(each) for each in later)]
            confirm(how["yes"], what, [line for lines in await asyncio.gather(*looks) for line in lines])
            async with writing(cluster, book, verb, entry, _say) as ledger:
                await carried_out(state, entry, ledger, clusters, _say, plan.timeout)

    asyncio.run(work())
    _say(f"waves {name}: all {len(plan.waves)} are over")


@waves_group.command("stop")
@NAME
@KUBECONFIG
@person_options
def stop_command(*, name: str, kubeconfig: str | None, by: str, reason: str) -> None:
    """Start nothing more of NAME, wherever the command that carries it out is running.

    The target at hand is not left half applied; releases that were started go on in their clusters.
    """
    from datetime import UTC, datetime

    from review.promotion.waves.ledger import entry_of, press

    book, plan = _plan(name)
    at = datetime.now(UTC).isoformat(timespec="seconds")

    async def work() -> Entry:
        """Turn the switch on."""
        async with _home(plan, kubeconfig) as cluster:
            await press(cluster, book, by=by, reason=reason, at=at)
            return entry_of(book, await book.find(cluster))

    entry = asyncio.run(work())
    _say(f"{book.called}: {entry.stopped}; nothing more is started until `grayling stack waves resume {name}`")
    if entry.holder:
        _say(f"at it: {entry.holder}; it ends by itself")


@waves_group.command("status")
@NAME
@KUBECONFIG
@output_option("text", "json", "yaml")
def status_command(*, name: str, kubeconfig: str | None, wanted: list[Wanted]) -> None:
    """Where the waves of NAME stand."""
    from review.promotion.waves.ledger import entry_of
    from review.promotion.waves.shown import as_data, as_text

    book, plan = _plan(name)

    async def work() -> Entry:
        """Read."""
        async with _home(plan, kubeconfig) as cluster:
            return entry_of(book, await book.find(cluster))

    entry = asyncio.run(work())
    writers = data_writers(lambda: as_data(name, entry))
    emit(wanted, {**writers, "text": lambda: as_text(name, entry)})


def _plan(name: str) -> tuple[Book, Waves]:
    """The plan of that name, and where its state is kept.

    Raises:
        UsageError: there is no project here, or no such plan in it.
    """
    from components.model.mistakes import nearest
    from components.stack.project import project_of
    from kube.errors import UsageError
    from review.promotion.settings import FILE, FOLDER, settings_in
    from review.promotion.waves.ledger import Book

    known = settings_in(project_of(Path.cwd())).waves
    if name not in known:
        raise UsageError(f"{FOLDER}/{FILE}: waves.{name}: is not there; {nearest(name, list(known))}")
    return Book(name, known[name].home.namespace), known[name]


@asynccontextmanager
async def _home(plan: Waves, kubeconfig: str | None) -> AsyncIterator[Cluster]:
    from components.deploy.target import Place, Target, reached

    async with reached(Target(kubeconfig, plan.home.context), Place("")) as (cluster, _):
        yield cluster
