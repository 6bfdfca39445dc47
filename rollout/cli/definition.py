"""`release crd`."""

from __future__ import annotations

import click

WHAT = ("grayreleases", "approvals", "policy")


@click.command()
@click.argument("what", type=click.Choice(WHAT), required=False)
def crd(*, what: str | None) -> None:
    """Print the definitions of GrayRelease and Approval, and the policy of the latter, for `kubectl apply -f -`."""
    from rollout.api.definitions import rendered

    click.echo("---\n".join(rendered(each) for each in ([what] if what else WHAT)), nl=False)
