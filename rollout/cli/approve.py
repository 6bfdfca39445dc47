"""`release approve`."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import click

from rollout.cli.options import Where, cluster_options, duration, release_name

if TYPE_CHECKING:
    from kube.cluster import Cluster


class StepNumber(click.ParamType[int | str]):
    """A number from 1 on, or all."""

    name = "N|all"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | str:
        """The number as one, or the word."""
        if value == "all":
            return "all"
        if not str(value).isascii() or not str(value).isdigit() or int(value) < 1:
            self.fail(f"{value!r} is neither the number of a step (the first is 1) nor all", param, ctx)
        return int(value)


@click.command()
@release_name
@cluster_options
@click.option("--step", type=StepNumber(), help="Number of the step, or all; the next that waits if not given.")
@click.option("--reason", default="", help="Why; kept in the record.")
@click.option("--expires", callback=duration, help="Count for so long only, for example 8h.")
@click.option("--revoke", is_flag=True, help="Take back what you have approved, of --step or of all.")
def approve(
    *, name: str, where: Where, step: int | str | None, reason: str, expires: float | None, revoke: bool
) -> None:
    """Let a step with `gate: approval` begin, in the name that the API server knows you by.

    It holds for this attempt at this version with this spec. Whoever asked for the version does not approve it.
    """
    if revoke and (reason or expires is not None):
        raise click.UsageError("--revoke takes --step and nothing else.")

    async def go() -> str:
        """What was done."""
        async with where.open() as (cluster, namespace):
            if revoke:
                return await _revoked(cluster, namespace, name, step)
            until = None if expires is None else time.time() + expires
            return await _approved(cluster, namespace, name, step, reason, until)

    click.echo(asyncio.run(go()))


async def _approved(
    cluster: Cluster, namespace: str, name: str, step: int | str | None, reason: str, expires: float | None
) -> str:
    from kube.errors import UsageError
    from kube.kinds import GRAY_RELEASE
    from rollout.api.status import name_of
    from rollout.cli.reading import spec_of, status_of
    from rollout.client.approvals import approval_of, next_step, who_am_i
    from rollout.client.approvals import approve as write

    found = await cluster.get(GRAY_RELEASE, name, namespace)
    spec, status = spec_of(found), status_of(found)
    person = await who_am_i(cluster)
    try:
        chosen = next_step(spec, status) if step is None else step
        says = approval_of(found, spec, status, person, chosen, reason, expires)
    except UsageError as error:
        raise UsageError(f"{namespace}/{name}: {error}") from error
    new = await write(cluster, found, says)
    which = "all steps" if chosen == "all" else f"step {chosen}"
    version = f"{name_of(status.canary)} ({says.revision})"
    return f"{namespace}/{name}: {which} of {version} approved{'' if new else ' already'} by {says.approver}"


async def _revoked(cluster: Cluster, namespace: str, name: str, step: int | str | None) -> str:
    from kube.errors import GraylingError
    from rollout.client.approvals import revoke, who_am_i

    person = await who_am_i(cluster)
    gone = await revoke(cluster, namespace, name, person, step)
    if not gone:
        raise GraylingError(f"{namespace}/{name}: {person.name} has approved nothing that could be taken back")
    return f"{namespace}/{name}: {gone} {'approval' if gone == 1 else 'approvals'} of {person.name} taken back"
