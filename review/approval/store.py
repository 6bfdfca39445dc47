"""Approvals and revocations as files of the project: one for each, written whole, never changed.

A file's name is the hash of what it says, so two people who approve at the same time write two files.
"""

from __future__ import annotations

import os
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kube.errors import UsageError
from review.approval.statement import read

if TYPE_CHECKING:
    from collections.abc import Iterator

    from review.approval.statement import Letter

FOLDER = Path(".grayling") / "approvals"


@dataclass(frozen=True, slots=True)
class Store:
    """The approvals of one stack of a project."""

    project: Path
    stack: str

    @property
    def folder(self) -> Path:
        """Where they are."""
        return self.project / FOLDER / self.stack

    def add(self, letter: Letter) -> Path:
        """Keep one; the same twice is kept once.

        Raises:
            UsageError: the folder cannot be written.
        """
        who = re.sub(r"[^a-z0-9.-]+", "-", letter.said.approver.lower())
        path = self.folder / letter.digest / f"{letter.said.kind}-{who}-{letter.id}.json"
        write_whole(path, letter.text())
        return path

    def letters(self) -> Iterator[tuple[str, Letter]]:
        """Every one that is there with the name of its file, oldest first.

        Raises:
            UsageError: one cannot be read, or is not what it says to be: what is unreadable may be a revocation.
        """
        found = []
        for path in _files(self.folder, self.project):
            name = os.fsencode(path.relative_to(self.project)).decode(errors="backslashreplace")
            try:
                letter = read(path.read_bytes(), name)
            except OSError as error:
                raise UsageError(f"{name}: {error.strerror}") from error
            if letter.said.stack != self.stack or letter.digest != path.parent.name:
                raise UsageError(f"{name}: lies in a folder that is not of its stack and digest; put it back")
            found.append((name, letter))
        yield from sorted(found, key=lambda each: each[1].said.created)


def _files(folder: Path, project: Path) -> list[Path]:
    """The files of a folder's folders.

    Raises:
        UsageError: a folder cannot be read, so that nobody knows whether a revocation is in it.
    """
    found = []
    try:
        for inner in sorted(folder.iterdir()) if os.path.lexists(folder) else ():
            if inner.is_dir() or inner.is_symlink():
                found += [path for path in sorted(inner.iterdir()) if path.suffix == ".json" and path.name[0] != "."]
    except OSError as error:
        where = str(Path(str(error.filename)).relative_to(project))
        raise UsageError(
            f"{where}: {error.strerror}: a revocation may be in it; make it a folder that can be read"
        ) from error
    return found


def write_whole(path: Path, text: str) -> None:
    """A file that is there with all of its text, or not at all.

    Raises:
        UsageError: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".part")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
