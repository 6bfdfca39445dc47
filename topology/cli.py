"""`python -m topology`: run the reconciler, print the definition."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from rollout.cli.engine import configure_logs, engine_options, until_told_to_stop
from rollout.cli.options import Where


@click.group()
def cli() -> None:
    """Make declared topologies true."""


@cli.command()
@click.option("--kubeconfig", metavar="FILE", help="Kubeconfig to use; in a pod, its own service account.")
@click.option("--context", metavar="NAME", help="Context of the kubeconfig.")
@click.option("-n", "--namespace", metavar="NAME", envvar="POD_NAMESPACE", help="Where topologies are served.")
@click.option("--name", default="topology", show_default=True, help="Of the Lease, with `grayling-` before it.")
@click.option("--selector", default="", metavar="LABEL=VALUE", help="Topologies with this label alone.")
@click.option(
    "--credentials",
    type=click.Path(path_type=Path),
    required=True,
    help="Folder with a folder for each topology: username, password, ca.crt, users/.",
)
@click.option("--metrics-port", default=9465, show_default=True, help="Port of /metrics and /healthz; 0 for none.")
@engine_options
def reconcile(
    *,
    kubeconfig: str | None,
    context: str | None,
    namespace: str | None,
    name: str,
    selector: str,
    credentials: Path,
    metrics_port: int,
    identity: str,
    log_level: str | None,
    log_format: str,
) -> None:
    """Make every topology of a namespace true, until stopped."""
    configure_logs(log_format, log_level or "info")
    where = Where(kubeconfig, context, namespace)
    work = _reconcile(where, name, selector, credentials, metrics_port or None, identity)
    asyncio.run(until_told_to_stop(work))


async def _reconcile(
    where: Where, name: str, selector: str, credentials: Path, port: int | None, identity: str
) -> None:
    from rollout.engine.lease import ReleaseLease
    from topology.engine.runner import Reconciler, Systems

    async with where.open() as (cluster, namespace):
        lease = ReleaseLease(cluster, namespace, name, identity)
        await Reconciler(cluster, namespace, Systems(credentials), lease, selector).run(port)


@cli.command()
def crd() -> None:
    """Print the definition of Topologies."""
    from topology.api.crd import rendered

    click.echo(rendered(), nl=False)
