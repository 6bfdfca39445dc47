"""`release crd`."""

from __future__ import annotations

import click


@click.command()
def crd() -> None:
    """Print the GrayRelease definition, for `kubectl apply -f -`."""
    from rollout.api.crd import rendered

    click.echo(rendered(), nl=False)
