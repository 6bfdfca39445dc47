"""`python -m topology`: the reconciler, for a pod of the engine's image with another entry."""

import sys

from terminal.exits import Session, run
from topology.cli import cli

if __name__ == "__main__":
    sys.exit(run(cli, None, prog_name="python -m topology", session=Session()))
