"""What a page tells a reader to type, and a shell that types it."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Step:
    """One command of a page, and what the page shows below it."""

    command: str
    shown: str

    @property
    def pattern(self) -> str:
        """What it prints; `…` stands for anything."""
        return re.escape(self.shown).replace("…", ".*")


def steps(text: str) -> list[Step]:
    """The commands of a page; what it writes into a file by `<<END` belongs to the command."""
    blocks = re.findall(r"^```console\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    parts = [part for block in blocks for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]]
    return [_step(part) for part in parts]


def _step(part: str) -> Step:
    command, _, shown = part.partition("\n")
    if command.endswith("<<END"):
        body, _, shown = shown.partition("\nEND\n")
        command = f"{command}\n{body}\nEND"
    return Step(command, shown.strip("\n"))


def run(text: str, project: Path, *, seconds: float = 240, **variables: str) -> str:
    """What a shell prints, with its errors, as far as it comes; whatever it has left running ends."""
    environment = {key: value for key, value in os.environ.items() if key not in {"KUBECONFIG", "PYTHONPATH"}}
    out = project.with_name("printed")
    with out.open("w") as sink:
        shell = subprocess.Popen(
            ["bash", "-c", text],
            cwd=project,
            env={**environment, "NO_COLOR": "1", **variables},
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            shell.wait(timeout=seconds)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(shell.pid, signal.SIGKILL)
            shell.wait()
    return out.read_text()
