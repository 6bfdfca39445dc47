"""A project of its own with stacks of its own, and hands at both command lines: ``pulumi`` and ``grayling``."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.components.conftest import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PASSPHRASE = "correct horse"


@dataclass
class Hands:
    """Where the project and Pulumi's state are, and which cluster is meant."""

    folder: Path
    kubeconfig: str

    @classmethod
    def at(cls, folder: Path, kubeconfig: str, stacks: dict[str, str]) -> Hands:
        """A new project with these stack files."""
        made = cls(folder, kubeconfig)
        for each in (made.file("none").parent, folder / "state"):
            each.mkdir(parents=True)
        for name in ("Pulumi.yaml", "__main__.py"):
            text = (ROOT / name).read_text()
            (folder / "project" / name).write_text(text.replace("virtualenv: .venv", f"virtualenv: {sys.prefix}"))
        for name, text in stacks.items():
            made.file(name).write_text(text)
        return made

    def file(self, stack: str) -> Path:
        return self.folder / "project" / "stacks" / f"Pulumi.{stack}.yaml"

    def pulumi(self, *arguments: str, expect: int | None = 0, **variables: str) -> str:
        """What one command says, both streams together."""
        return self._run(["pulumi", *arguments, "--non-interactive", "--color", "never"], expect, variables)

    def failing(self, *arguments: str) -> str:
        """The same for a command that has to fail, whatever its exit code."""
        return self.pulumi(*arguments, expect=None)

    def grayling(self, *arguments: str, expect: int = 0) -> str:
        command = [sys.executable, "-m", "grayling", *arguments, "--kubeconfig", self.kubeconfig]
        return self._run(command, expect, {})

    def _run(self, command: list[str], expect: int | None, variables: dict[str, str]) -> str:
        environment = {
            **os.environ,
            "KUBECONFIG": self.kubeconfig,
            "PULUMI_BACKEND_URL": f"file://{self.folder / 'state'}",
            "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
            "PULUMI_SKIP_UPDATE_CHECK": "1",
            "PYTHONPATH": str(ROOT),
            **variables,
        }
        done = subprocess.run(
            command, cwd=self.folder / "project", env=environment, capture_output=True, text=True, check=False
        )
        told = done.stdout + done.stderr
        right = done.returncode != 0 if expect is None else done.returncode == expect
        assert right, f"{' '.join(command)}: {done.returncode}\n{told}"
        return told

    @contextmanager
    def edited(self, stack: str, old: str, new: str) -> Iterator[None]:
        """With something else in a stack file."""
        file = self.file(stack)
        before = file.read_text()
        assert old in before
        file.write_text(before.replace(old, new))
        yield
        file.write_text(before)
