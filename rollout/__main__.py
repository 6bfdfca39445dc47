"""`python -m rollout`: the release group alone, for images that carry the engine and nothing else."""

import sys

from rollout.cli import cli
from terminal.exits import Session, run

if __name__ == "__main__":
    sys.exit(run(cli, None, prog_name="python -m rollout", session=Session()))
