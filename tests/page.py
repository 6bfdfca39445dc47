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


BEGINS, ENDS = "@begins@", "@ends@"


def script(wanted: list[Step], **names: str) -> str:
    """For one shell: a command that fails ends it, but where the page asks for its exit code.

    Args:
        wanted: what is typed.
        names: words of the page that have another name here.
    """
    lines = ["code=0"]
    for step, after in zip(wanted, [*wanted[1:], Step("", "")], strict=True):
        command = step.command
        for old, new in names.items():
            command = command.replace(f"--name {old}", f"--name {new}")
        lines += [f"echo {BEGINS}", "(exit $code)", command, "code=$?", f"echo; echo {ENDS}"]
        if after.command != "echo $?":
            lines.append('[ "$code" = 0 ] || exit "$code"')
    return "\n".join(lines)


def differing(told: list[Step], printed: str) -> str:
    """The first command that did not print what the page shows, with what it printed; empty where all did."""
    parts = [part.partition(f"\n{ENDS}\n")[0].strip("\n") for part in printed.split(f"{BEGINS}\n")[1:]]
    for step, part in zip(told, parts, strict=False):
        if not re.fullmatch(step.pattern, part, re.DOTALL):
            return f"$ {step.command}\n{part}"
    return "" if len(parts) == len(told) else f"{len(parts)} of {len(told)} were run:\n{printed[-2000:]}"


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
