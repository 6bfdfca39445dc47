"""A stack as another commit declares it: that commit's tree is laid out beside, and rendered by its own program."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from kube.errors import UsageError
from review.reading.git import own_repository

if TYPE_CHECKING:
    from kube.kinds import Manifest

_LIMIT_S = 300
_LAST = 2000  # characters of what a failed render said


def render_at(commit: str, *, project: Path, stack_file: Path) -> list[Manifest]:
    """The objects that a stack has at a commit; none where the stack file is not there yet.

    Args:
        commit: anything that git takes for one.
        project: the project's folder.
        stack_file: the stack file as it is called now.

    Raises:
        UsageError: this is no repository, there is no such commit, or it cannot be rendered.
    """
    root = Path(_git(project, "rev-parse", "--show-toplevel").strip())
    sha = commit_of(commit, project)
    with tempfile.TemporaryDirectory(prefix="grayling-base-") as folder:
        _lay_out(root, sha, Path(folder))
        there = Path(folder) / project.resolve().relative_to(root.resolve())
        file = there / stack_file.resolve().relative_to(project.resolve())
        return _rendered(file, there, commit) if file.exists() else []


def commit_of(commit: str, project: Path) -> str:
    """The full name of a commit.

    Raises:
        UsageError: there is no such commit, or no repository.
    """
    return _git(project, "rev-parse", "--verify", "--end-of-options", f"{commit}^{{commit}}").strip()


def _git(folder: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=False, env=own_repository()
        )
    except OSError as error:
        raise UsageError(f"git: {error.strerror}: --base needs git on PATH") from error
    if done.returncode != 0:
        said = done.stderr.strip().splitlines()
        asked = arguments[-1].removesuffix("^{commit}")
        raise UsageError(f"--base {asked}: {said[-1] if said else 'git failed'}; fetch that commit, or name another")
    return done.stdout


def _lay_out(root: Path, sha: str, folder: Path) -> None:
    """All files of a commit; `git archive` would leave out those with the attribute export-ignore."""
    with tempfile.TemporaryDirectory(prefix="grayling-index-") as place:
        own = {**own_repository(), "GIT_INDEX_FILE": str(Path(place) / "index")}
        for command in (["read-tree", sha], ["checkout-index", "--all", f"--prefix={folder}/"]):
            done = subprocess.run(["git", "-C", str(root), *command], capture_output=True, check=False, env=own)
            if done.returncode != 0:
                raise UsageError(f"--base {sha}: {done.stderr.decode(errors='replace').strip()}")


def _rendered(file: Path, project: Path, commit: str) -> list[Manifest]:
    command = [
        sys.executable,
        "-m",
        "grayling",
        "stack",
        "render",
        str(file),
        "-o",
        "json",
        "--with-secrets",
        "--no-policy",
    ]
    try:
        done = subprocess.run(
            command,
            cwd=project,
            capture_output=True,
            text=True,
            check=False,
            timeout=_LIMIT_S,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired as error:
        raise UsageError(f"--base {commit}: the stack could not be rendered there within {_LIMIT_S} s") from error
    if done.returncode != 0:
        raise UsageError(f"--base {commit}: the stack cannot be rendered there:\n{done.stderr.strip()[-_LAST:]}")
    manifests: list[Manifest] = json.loads(done.stdout)
    return manifests
