"""The project's folder as git knows it: what stands in it, what stood at a commit, and who wrote what lies between."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from kube.errors import UsageError
from review.reading.git import own_repository

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

IMPORTABLE = (".py", ".pyc", ".pyd", ".so", ".pth")
"""What a program can run although git does not track it."""
_VENV = "pyvenv.cfg"
_BRANCHES = ("origin/main", "origin/master", "main", "master")
_NOBODY = "0" * 40
_CO_AUTHOR = "Co-authored-by"
_NO_CHANGE = ":(exclude,glob).grayling/approvals/**/*.json"


class Commit(NamedTuple):
    """One commit and the addresses it names: of its author, of who committed it, of its co-authors."""

    sha: str
    author: str
    committer: str
    others: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Repository:
    """A project inside a git work tree; paths are relative to the project."""

    root: Path
    project: Path

    @classmethod
    def around(cls, project: Path) -> Repository | None:
        """The repository that a project is in; None outside git.

        Raises:
            UsageError: there is no git on PATH, or it does not let us in.
        """
        done = _run(project, "rev-parse", "--show-toplevel")
        if done.returncode == 0:
            return cls(Path(done.stdout.decode().strip()), project.resolve())
        if b"not a git repository" in done.stderr:
            return None
        raise UsageError(f"git: {done.stderr.decode(errors='replace').strip().splitlines()[0]}")

    def files(self) -> dict[str, bytes]:
        """What stands in the work tree: tracked files, and untracked ones that Python would import."""
        tracked = self._names("ls-files", "-z")
        return dict(self._read({*tracked, *self._loose()}))

    def uncommitted(self) -> list[str]:
        """What differs from the last commit, and what Python would import beside it."""
        differing = ("diff", "--name-only", "--relative", "--ignore-submodules=none", "-z", "HEAD", "--", ".")
        return sorted(map(_text, {*self._names(*differing), *self._loose(), *self._unwatched()}))

    def text_at(self, commit: str, path: str) -> bytes | None:
        """One file at a commit; None where it was not there, and before the first commit."""
        if not commit:
            return None
        done = _run(self.project, "cat-file", "blob", f"{commit}:./{path}")
        return done.stdout if done.returncode == 0 else None

    def commit(self, name: str = "HEAD") -> str:
        """The full name of a commit.

        Raises:
            UsageError: there is none of that name.
        """
        done = _run(self.project, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
        if done.returncode != 0:
            raise UsageError(f"git: no commit {name!r} here; fetch it (in CI: the whole history), or name another")
        return done.stdout.decode().strip()

    def base(self, named: str = "", environment: Mapping[str, str] = os.environ) -> str:
        """The commit that the change is judged from: named, told by CI, or where it left the protected branch.

        On the protected branch itself it is the state before the last push, as CI tells it, else the first parent;
        empty for the first commit.

        Raises:
            UsageError: there is none, or not the whole history.
        """
        if self._git("rev-parse", "--is-shallow-repository").strip() == b"true":
            raise UsageError(
                "git: this clone has no whole history, so that nobody knows who wrote what: git fetch --unshallow "
                "(GitHub: fetch-depth: 0; GitLab: GIT_DEPTH: 0)"
            )
        if named := named or environment.get("GRAYLING_BASE", ""):
            return self.commit(named)
        head = self.commit()
        for branch in _targets(environment) or self._protected():
            done = _run(self.project, "merge-base", "--end-of-options", branch, head)
            found = done.stdout.decode().strip()
            if done.returncode == 0 and found != head:
                return found
            if done.returncode == 0:
                return self._before(head, environment)
        raise UsageError(
            "git: no protected branch to judge the change from (looked for origin/HEAD, origin/main, origin/master, "
            "main, master); name its commit with --base, and fetch it first"
        )

    def authors(self, base: str, head: str) -> tuple[Commit, ...]:
        """The commits after ``base`` up to ``head`` that touch the project; all of them where there is no base.

        One that only carries approvals writes nothing of the change: whoever approves commits that themselves.
        """
        lies = f"{base}..{head}" if base else head
        form = f"%H%x00%ae%x00%ce%x00%(trailers:key={_CO_AUTHOR},valueonly,unfold,separator=%x1f)%x1e"
        text = self._git("log", "--full-history", f"--format={form}", lies, "--", ".", _NO_CHANGE)
        return tuple(_commit(entry) for entry in text.decode(errors="replace").split("\x1e") if entry.strip())

    def is_ancestor(self, old: str, new: str) -> bool:
        """Whether a commit is there and lies before the other, or is it."""
        return _run(self.project, "merge-base", "--is-ancestor", "--end-of-options", old, new).returncode == 0

    def _before(self, head: str, environment: Mapping[str, str]) -> str:
        for told in _pushed_over(environment):
            if told != head and self.is_ancestor(told, head):
                return told
        done = _run(self.project, "rev-parse", "--verify", "--quiet", f"{head}^1")
        return done.stdout.decode().strip()

    def _protected(self) -> Iterator[str]:
        done = _run(self.project, "symbolic-ref", "--quiet", "--short", "refs/remotes/origin/HEAD")
        if done.returncode == 0:
            yield done.stdout.decode().strip()
        yield from _BRANCHES

    def _loose(self) -> list[str]:
        """Importable files that git does not track, nor ignores by a file that it tracks itself."""
        every = self._names("ls-files", "-zo")
        venvs = tuple(name.removesuffix(_VENV) for name in every if name.endswith(f"/{_VENV}"))
        names = [name for name in every if name.endswith(IMPORTABLE) and not name.startswith(venvs or "\0")]
        asked = "\0".join(names).encode(errors="surrogateescape")
        told = _run(self.project, "check-ignore", "-vnz", "--stdin", given=asked).stdout.split(b"\0")
        tracked = {*self._names("ls-files", "-z", "--full-name", ":/")} if names else set()
        by = dict(zip(map(os.fsdecode, told[3::4]), zip(told[0::4], told[2::4], strict=False), strict=False))
        return [name for name in names if not _is_ignored(*by.get(name, (b"", b"")), tracked)]

    def _unwatched(self) -> list[str]:
        """Files that git was told not to look at (assume-unchanged, skip-worktree) and that are there."""
        told = [(entry[:1], entry[2:]) for entry in self._names("ls-files", "-vz")]
        return [name for mark, name in told if (mark.islower() or mark == "S") and os.path.lexists(self.project / name)]

    def _names(self, *arguments: str) -> list[str]:
        return [os.fsdecode(name) for name in self._git(*arguments).split(b"\0") if name]

    def _read(self, names: set[str]) -> Iterator[tuple[str, bytes]]:
        for name in sorted(map(_text, names)):
            path = self.project / name
            if path.is_symlink():
                yield name, b"-> " + os.fsencode(path.readlink()) + self._beyond(path)
            elif path.is_file():
                yield name, path.read_bytes()
            elif path.is_dir():  # another repository inside this one
                done = _run(path, "rev-parse", "HEAD")
                yield name, done.stdout.strip()

    def _beyond(self, link: Path) -> bytes:
        """What a link that leads out of the project leads to; inside, it is told by itself.

        Raises:
            UsageError: it is a folder: nothing binds what is in it.
        """
        there = Path(os.path.realpath(link))
        if there.is_relative_to(self.project):
            return b""
        if there.is_dir():
            raise UsageError(
                f"{link.relative_to(self.project)}: is a link to a folder outside the project, which no approval "
                "binds: copy the folder into the project, or link to a folder of it"
            )
        return b"\n" + there.read_bytes() if there.is_file() else b""

    def _git(self, *arguments: str) -> bytes:
        done = _run(self.project, *arguments)
        if done.returncode != 0:
            said = done.stderr.decode(errors="replace").strip().splitlines()
            raise UsageError(f"git {arguments[0]}: {said[-1] if said else 'failed'}")
        return done.stdout


def _text(name: str) -> str:
    """A name that can be signed and shown.

    Raises:
        UsageError: it is no UTF-8.
    """
    shown = os.fsencode(name).decode(errors="backslashreplace")
    if shown != name:
        raise UsageError(f"{shown}: its name is no UTF-8, so that no approval can name it: rename it")
    return name


def _is_ignored(source: bytes, pattern: bytes, tracked: set[str]) -> bool:
    """Whether a tracked file says to ignore it; what a person's own settings hide can be imported all the same."""
    return os.fsdecode(source) in tracked and not pattern.startswith(b"!")


def _run(folder: Path, *arguments: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(
            ["git", "-C", str(folder), *arguments], input=given, capture_output=True, check=False, env=own_repository()
        )
    except OSError as error:
        raise UsageError(f"git: {error.strerror}: approvals need git on PATH") from error


def _targets(environment: Mapping[str, str]) -> list[str]:
    """Where a pull request goes to, as GitHub, GitLab and Jenkins say it."""
    if told := environment.get("CI_MERGE_REQUEST_DIFF_BASE_SHA"):
        return [told]
    branch = environment.get("GITHUB_BASE_REF") or environment.get("CHANGE_TARGET")
    return [f"origin/{branch}"] if branch else []


def _pushed_over(environment: Mapping[str, str]) -> Iterator[str]:
    """What a branch was before a push, as GitHub's event file and GitLab's variable say it."""
    found = [environment.get("CI_COMMIT_BEFORE_SHA", "")]
    try:
        event = json.loads(Path(environment.get("GITHUB_EVENT_PATH", "")).read_bytes())
        found.append(str(event.get("before") or "") if isinstance(event, dict) else "")
    except (OSError, ValueError):
        pass
    yield from (sha for sha in found if sha and sha != _NOBODY)


def _commit(entry: str) -> Commit:
    sha, author, committer, trailers = entry.strip("\n").split("\0")
    others = tuple(_address(each) for each in trailers.split("\x1f") if each.strip())
    return Commit(sha, author, committer, others)


def _address(trailer: str) -> str:
    """``Ann <ann@example.com>`` as its address; what has none stays whole, and is nobody's."""
    return trailer.rpartition("<")[2].partition(">")[0].strip() or trailer.strip()
