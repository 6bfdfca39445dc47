"""The ``grayling`` command line, called as a person calls it, with one box as its cluster."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kube.connect import sandbox_kubeconfig

if TYPE_CHECKING:
    from collections.abc import Callable

PROMPT_TO_STOP_SECONDS = 10.0
LONGEST_LINE = 2**20


class CommandFailedError(Exception):
    """A command ended with an exit code nobody expected; the message has the command and what it said."""


@dataclass(frozen=True, slots=True)
class Done:
    """How a command ended and what it wrote to stdout."""

    code: int
    out: str


def _ignore(_: str) -> None:
    """Nobody watches."""


@dataclass(frozen=True, slots=True)
class Grayling:
    """Runs ``grayling …`` against the sandbox called ``box``, in the folder ``project`` (this one where it is None)."""

    box: str
    project: Path | None = None

    @property
    def kubeconfig(self) -> str:
        """The box's own."""
        return str(sandbox_kubeconfig(self.box))

    async def run(self, *args: str, expect: tuple[int, ...] = (0,), show: Callable[[str], None] = _ignore) -> Done:
        """Run one command to its end; ``show`` gets every line of stdout and stderr as it comes.

        Raises:
            CommandFailedError: the exit code is not in ``expect``.
        """
        process = await asyncio.create_subprocess_exec(
            *_program(),
            *args,
            cwd=self.project,
            env={**os.environ, "KUBECONFIG": self.kubeconfig, "NO_COLOR": "1", "PYTHONUNBUFFERED": "1"},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=LONGEST_LINE,
        )
        try:
            out, err = await asyncio.gather(_lines(process.stdout, show), _lines(process.stderr, show))
            code = await process.wait()
        finally:
            await stop(process)
        if code not in expect:
            told = (err or out).strip()[-2000:]
            raise CommandFailedError(f"`grayling {' '.join(args)}` ended with exit code {code}:\n{told}")
        return Done(code, out)


def _program() -> list[str]:
    installed = Path(sys.executable).parent / "grayling"
    return [str(installed)] if installed.exists() else [sys.executable, "-m", "grayling"]


async def _lines(stream: asyncio.StreamReader | None, show: Callable[[str], None]) -> str:
    told = []
    while stream is not None and (line := await stream.readline()):
        told.append(line.decode(errors="replace"))
        show(told[-1].rstrip("\n"))
    return "".join(told)


def end_on_sigterm() -> None:
    """Let SIGTERM end this task as Ctrl-C does, so that what it started ends with it."""
    task = asyncio.current_task()
    if task is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)


async def stop(process: asyncio.subprocess.Process) -> None:
    """Ask a process to end as Ctrl-C does, and end it where it does not; nothing where it has ended."""
    if process.returncode is not None:
        return
    with suppress(ProcessLookupError):
        process.send_signal(signal.SIGINT)
        try:
            async with asyncio.timeout(PROMPT_TO_STOP_SECONDS):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
