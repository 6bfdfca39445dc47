"""``python -m sandbox`` is the ``grayling sandbox`` group alone."""

import sys

from sandbox.cli import cli
from terminal.exits import Session, run

if __name__ == "__main__":
    sys.exit(run(cli, None, prog_name="python -m sandbox", session=Session()))
