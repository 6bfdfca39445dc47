"""The machine on which a pipeline's scripts run: real bash in a real git clone, in an environment of its own.

One stand-in: `python3 -m venv .venv` gives the environment of this test run, and `pip install` in it installs nothing
(it looks whether what it would install from is there). All else is real.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[3]
VENV = """\
#!/usr/bin/env bash
# Stand-in for python3: the environment of the test run in place of a new one.
set -e
if [ "$1 $2" != "-m venv" ]; then exec {python} "$@"; fi
mkdir -p "$3/bin"
printf '#!/usr/bin/env bash\\nexec {python} -m grayling "$@"\\n' > "$3/bin/grayling"
cp {folder}/pip "$3/bin/python"
chmod +x "$3/bin/grayling"
"""
PIP = """\
#!/usr/bin/env bash
# Stand-in for the environment's python: pip installs nothing.
set -e
if [ "$1 $2 $3" != "-m pip install" ]; then exec {python} "$@"; fi
while [ $# -gt 0 ]; do
  if [ "$1" = "--requirement" ]; then cat "$2" > /dev/null; fi
  shift
done
"""


@dataclass
class Machine:
    """Where scripts run, and all that they print.

    Attributes:
        folder: everything that runs leave is below it.
        log: of every script, as it is, nothing masked.
    """

    folder: Path
    log: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        tools = self.folder / "tools"
        tools.mkdir(parents=True)
        for name, text in (("python3", VENV), ("pip", PIP)):
            (tools / name).write_text(text.format(python=sys.executable, folder=tools))
            (tools / name).chmod(0o755)

    def new(self, name: str) -> Path:
        """An empty folder."""
        made = self.folder / f"{len(list(self.folder.iterdir()))}-{name.replace('/', '_')}"
        made.mkdir()
        return made

    def checkout(self, origin: Path, commit: str, to: Path, *, deep: bool) -> None:
        """Clone a repository at a commit, with its history or without."""
        subprocess.run(["git", "init", "-q", "-b", "work", str(to)], check=True)
        depth = [] if deep else ["--depth", "1"]
        wanted = ["+refs/heads/*:refs/remotes/origin/*", commit] if deep else [commit]
        git(to, "remote", "add", "origin", f"file://{origin}")
        git(to, "fetch", "-q", *depth, "origin", *wanted)
        git(to, "checkout", "-q", commit)

    def bash(self, script: str, folder: Path, environment: dict[str, str], seconds: float = 180) -> tuple[int, str]:
        """Run a script as GitHub runs one with `shell: bash`: its exit code, and what it prints."""
        path = ":".join([str(self.folder / "tools"), str(Path(sys.executable).parent), os.environ["PATH"]])
        usual = {"PATH": path, "HOME": str(self.folder), "LANG": "C.UTF-8", "CI": "true", "PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
            cwd=folder,
            env={**usual, "GIT_CONFIG_GLOBAL": os.devnull, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=seconds,
            check=False,
        )
        self.log.append(done.stdout)
        return done.returncode, done.stdout


def git(folder: Path, *arguments: str) -> str:
    """Run git as somebody."""
    who = ["-c", "user.name=Ann", "-c", "user.email=ann@example.com"]
    done = subprocess.run(["git", *who, *arguments], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
