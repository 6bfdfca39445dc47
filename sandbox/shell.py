"""Starts a box's first process and steps into a box that runs.

A box is nothing but a process with namespaces of its own. It is started in a
session of its own, so it outlives the terminal, and it is entered by its
process id as the host sees it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from sandbox.errors import StartError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sandbox.layout import State

CHECKOUT = Path(__file__).resolve().parents[1]
UNSHARE = ("unshare", "--net", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child", "--propagation", "private")
BIRTH_TIMEOUT_S = 5.0
POLL_S = 0.02


def spawn(state: State) -> tuple[subprocess.Popen[bytes], int]:
    """Start the box; return the process outside and the id of the first process inside, as the host sees it."""
    state.logs.mkdir(parents=True, exist_ok=True)
    with (state.logs / "supervisor.log").open("ab") as sink:
        outer = subprocess.Popen(
            [*UNSHARE, sys.executable, "-m", "sandbox.supervisor", str(state.root)],
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            cwd="/",
            env={**os.environ, "PYTHONPATH": str(CHECKOUT), "PYTHONDONTWRITEBYTECODE": "1"},
            start_new_session=True,
        )
    deadline = time.monotonic() + BIRTH_TIMEOUT_S
    while time.monotonic() < deadline and outer.poll() is None:
        children = Path(f"/proc/{outer.pid}/task/{outer.pid}/children").read_text().split()
        if children:
            return outer, int(children[0])
        time.sleep(POLL_S)
    raise StartError(f"the box could not be started; see {state.logs / 'supervisor.log'}")


def enter(pid: int, argv: Sequence[str]) -> list[str]:
    """Return the command that runs ``argv`` inside the box: its network, files and processes."""
    return ["nsenter", "--target", str(pid), "--net", "--mount", "--pid", "--", *argv]


def enter_network(pid: int, argv: Sequence[str]) -> list[str]:
    """Return the command that runs ``argv`` with the box's network and the host's files."""
    return ["nsenter", "--target", str(pid), "--net", "--", *argv]


def end(pid: int, patience_s: float, *, at_once: bool = False) -> None:
    """Ask the first process to stop, and kill it (and with it the whole box) when it takes too long.

    With ``at_once`` it is killed straight away, for a box whose data is to go as well.
    """
    for number in (signal.SIGKILL,) if at_once else (signal.SIGTERM, signal.SIGKILL):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return
        if _gone(pid, patience_s):
            return
    raise StartError(f"process {pid} of the box does not end; look at it with `ps -o pid,stat,wchan {pid}`")


def _gone(pid: int, wait_s: float) -> bool:
    deadline = time.monotonic() + wait_s
    while time.monotonic() < deadline:
        if not Path(f"/proc/{pid}").exists():
            return True
        time.sleep(POLL_S)
    return False
