"""`release pause | resume | promote | abort | retry`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import click

from rollout.cli.options import Where, cluster_options, duration, person_options, release_name

if TYPE_CHECKING:
    from collections.abc import Callable


def _verb(verb: str, summary: str) -> click.Command:
    def act(*, name: str, where: Where, by: str, reason: str, timeout: float) -> None:
        answer, namespace = asyncio.run(_sent(where, name, verb, by, reason, timeout))
        click.echo(f"{namespace}/{name}: {answer}")

    act.__doc__ = summary
    return click.command(verb)(_shared(act))


def _shared(function: Callable[..., Any]) -> Callable[..., Any]:
    timeout = click.option(
        "--timeout", callback=duration, default="10s", show_default=True, help="Wait this long for an engine (exit 10)."
    )
    return release_name(cluster_options(person_options(timeout(function))))


async def _sent(where: Where, name: str, verb: str, by: str, reason: str, seconds: float) -> tuple[str, str]:
    from rollout.commands import Verb, new_command, send

    async with where.open() as (cluster, namespace):
        command = new_command(Verb(verb), by, reason)
        return await send(cluster, namespace, name, command, seconds=seconds), namespace


pause = _verb("pause", "Stop the clock: the weight stays, nothing is raised. A bad verdict still takes it back.")
resume = _verb("resume", "Let the clock run on.")
promote = _verb("promote", "Open a manual gate; where none waits, go to all traffic now, or end the bake.")
abort = _verb("abort", "Take the new version back now; its revision is refused until it changes or you say retry.")
retry = _verb("retry", "Allow the desired version, taken back before, to be tried again.")
