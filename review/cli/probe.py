"""``grayling review probe``: our own look at the cluster that a preview is said to be of."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click

from components.cli.options import STACK, find_stack, kept_by, on_cluster, say

if TYPE_CHECKING:
    from review.reading.probe import Probe


@click.command("probe")
@STACK
@on_cluster
@click.option("--from", "source", required=True, metavar="FILE", help="What `pulumi preview --json` wrote; - is stdin.")
def probe_command(*, stack: str, kubeconfig: str | None, context: str | None, source: str) -> None:
    """Look at the objects that a preview of STACK would touch, and print what stands; read-only.

    Make it with the context of the preview, and put it beside: `review preview STACK --from FILE --probe PROBE`.
    """
    from components.deploy.target import Target, place_of, reached
    from review.reading.probe import probe
    from review.reading.pulumi import read_pulumi
    from review.reading.source import read_document

    file = find_stack(stack).as_it_is()
    document = read_document(source)
    changes = read_pulumi(document)

    async def work() -> Probe:
        """Look."""
        async with reached(Target(kubeconfig, context), place_of(file)) as (cluster, name):
            return await probe(cluster, changes, document, name, kept_by(file, ()))

    made = asyncio.run(work())
    say(f"cluster: {made.cluster}")
    click.echo(made.model_dump_json(by_alias=True, indent=2))
