"""Follows a runbook at night: its commands for backup and restore are pasted into a shell as they are written."""

from __future__ import annotations

import asyncio
import os
import re
from dataclasses import dataclass
from pathlib import Path

from tests.components.conftest import ROOT

BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
MOST_S = 480


def blocks(kind):
    """What its section "Backup and restore" has to paste, in its order."""
    page = (ROOT / "docs" / "runbooks" / f"{kind}.md").read_text()
    return BLOCK.findall(page.partition("## Backup and restore")[2])


def opening(kind):
    """What it has to paste before all else."""
    page = (ROOT / "docs" / "runbooks" / f"{kind}.md").read_text()
    return BLOCK.findall(page.partition("\n## ")[0])[0]


@dataclass(frozen=True)
class Terminal:
    """A shell in a folder of its own, with ``kubectl`` for a cluster; ``space`` is where the stack is.

    ``names`` are words of the pages that a person would replace by their own, ``before`` was pasted already.
    """

    kubectl: str
    kubeconfig: str
    space: str
    folder: Path
    names: tuple[tuple[str, str], ...] = ()
    before: str = ""

    async def paste(self, commands, *, well=True):
        """What they say, after the functions of the page on volumes; they have to end ``well``, or not."""
        (functions,) = BLOCK.findall((ROOT / "docs" / "how-to" / "volumes.md").read_text())
        text = f"{functions}\n{self.before}\n{commands}"
        for word, own in (("shop", self.space), *self.names):
            text = re.sub(rf"(?<![\w-]){word}(?![\w])", own, text)
        path = f"{Path(self.kubectl).parent}{os.pathsep}{os.environ['PATH']}"
        running = await asyncio.create_subprocess_exec(
            *("bash", "-euo", "pipefail", "-c", text),
            cwd=self.folder,
            env={"PATH": path, "KUBECONFIG": self.kubeconfig, "HOME": str(self.folder)},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            async with asyncio.timeout(MOST_S):
                told = (await running.communicate())[0].decode()
        finally:
            if running.returncode is None:
                running.kill()
        assert (running.returncode == 0) is well, told
        return told
