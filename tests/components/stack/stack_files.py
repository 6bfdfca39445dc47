"""A stack file as a person writes it, and what is answered to it."""

from __future__ import annotations

from click.testing import CliRunner

from components.cli import cli
from components.stack.stackfile import find
from kube.errors import UsageError

WHERE = "config:\n  grayling:environment: {tier: dev, namespace: shop, owners: [platform]}\n"
SERVICES = "  grayling:services:\n    checkout: {image: 'r.example.com/a:1.0', port: 80}\n"
SEALED = "{secure: 'v1:GhpJwa39WFQnkITL:MUPkwCzGTb+YQgGeufM6IUluy3VjOX1McD2Gs05BI89n'}"


def stack_of(project, text: str):
    path = project / "stacks" / "Pulumi.t.yaml"
    path.write_text(text)
    return find("t", project)


def said(project, text: str) -> str:
    """What ``grayling stack validate`` answers to a file that is refused."""
    stack_of(project, text)
    result = CliRunner().invoke(cli, ["validate", str(project / "stacks" / "Pulumi.t.yaml")])
    assert isinstance(result.exception, UsageError), result.exception
    assert result.exception.exit_code == 2
    return str(result.exception)
