"""`release pause | resume | promote | abort | retry`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import click

from rollout.cli import COMMANDS
from rollout.cli.options import Where, cluster_options, duration, release_name
from terminal.people import person_options

if TYPE_CHECKING:
    from collections.abc import Callable


def _verb(verb: str, more: str = "") -> click.Command:
    """The command; its help begins with the line that the list of commands has."""

    def act(*, name: str, where: Where, by: str, reason: str, timeout: float) -> None:
        answer, namespace = asyncio.run(_sent(where, name, verb, by, reason, timeout))
        click.echo(f"{namespace}/{name}: {answer}")

    act.__doc__ = f"{COMMANDS[verb][1]} {more}".strip()
    return click.command(verb)(_shared(act))


def _shared(function: Callable[..., Any]) -> Callable[..., Any]:
    timeout = click.option(
        "--timeout", callback=duration, default="10s", show_default=True, help="Wait this long for an engine (exit 10)."
    )
    return release_name(cluster_options(person_options(timeout(function))))


async def _sent(where: Where, name: str, verb: str, by: str, reason: str, seconds: float) -> tuple[str, str]:
    from rollout.client.commands import Verb, new_command, send

    async with where.open() as (cluster, namespace):
        command = new_command(Verb(verb), by, reason)
        return await send(cluster, namespace, name, command, seconds=seconds), namespace


pause = _verb("pause", "A bad verdict still takes it back.")
resume = _verb("resume")
promote = _verb("promote")
abort = _verb("abort", "Its revision is refused until it changes or you say retry.")
retry = _verb("retry")
