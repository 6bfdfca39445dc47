"""``python -m sandbox`` is the ``grayling sandbox`` group alone."""

from sandbox.cli import cli

cli()
