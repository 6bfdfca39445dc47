"""Makes image layers and keeps them by what they were made of.

A layer is known by a key (package list, lock file, source files), so asking for
one that exists costs a file lookup. Tars are written with fixed owners and times:
the same input gives the same digest, and an unchanged image is never imported
twice.
"""

from __future__ import annotations

import hashlib
import json
import os
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sandbox.archive import Layer, layer_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

EXECUTABLE = 0o755
READABLE = 0o644
KEPT = 3
SKIPPED_FOLDERS = frozenset({"__pycache__", ".git", ".mypy_cache", ".pytest_cache", ".ruff_cache"})


@dataclass(frozen=True)
class Entry:
    """One file of a layer: where it is on this machine and where it goes in the image."""

    source: Path
    target: str


@dataclass(frozen=True)
class LayerStore:
    """Layers in a folder of the cache, each with a note of its digest."""

    folder: Path

    def get(self, name: str, key: str) -> Layer | None:
        """Return the layer made from ``key``, or None when it has to be made."""
        path, note = self._paths(name, key)
        try:
            noted = json.loads(note.read_text())
        except (FileNotFoundError, ValueError):
            return None
        return Layer(path, noted["digest"], noted["size"]) if path.exists() else None

    def make(self, name: str, key: str, fill: Callable[[Path], None]) -> Layer:
        """Return the layer made from ``key``, calling ``fill`` with a path to write when there is none."""
        found = self.get(name, key)
        if found is not None:
            return found
        path, note = self._paths(name, key)
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(f".{os.getpid()}.tar")
        try:
            fill(partial)
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
        layer = layer_of(path)
        note.write_text(json.dumps({"digest": layer.digest, "size": layer.size}))
        self._forget_old(name)
        return layer

    def _forget_old(self, name: str) -> None:
        """Keep the newest few layers of a name: boxes have copies of those they use."""
        made = sorted(self.folder.glob(f"{name}-????????????.tar"), key=lambda path: path.stat().st_mtime)
        for path in made[:-KEPT]:
            path.unlink()
            path.with_suffix(".json").unlink(missing_ok=True)

    def _paths(self, name: str, key: str) -> tuple[Path, Path]:
        base = self.folder / f"{name}-{key}"
        return base.with_suffix(".tar"), base.with_suffix(".json")


def key_of(*parts: str) -> str:
    """Return twelve hex digits that change with any of ``parts``."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]


def tree(source: Path, target: str) -> list[Entry]:
    """Return every file below ``source`` (or the file itself) with its place below ``target``."""
    if source.is_file():
        return [Entry(source, f"{target}/{source.name}")]
    found: list[Entry] = []
    for folder, names, files in os.walk(source):
        names[:] = sorted(name for name in names if name not in SKIPPED_FOLDERS)
        base = Path(target, source.name, Path(folder).relative_to(source))
        found += [Entry(Path(folder, file), str(base / file)) for file in sorted(files)]
    return found


def contents_key(entries: Iterable[Entry]) -> str:
    """Return a key of names, executable bits and contents of ``entries``."""
    digest = hashlib.sha256()
    for entry in entries:
        digest.update(f"{entry.target}\0{_mode(entry.source):o}\0".encode())
        digest.update(hashlib.sha256(entry.source.read_bytes()).digest())
    return digest.hexdigest()[:12]


def write_files(path: Path, entries: Iterable[Entry]) -> None:
    """Write ``entries`` as a layer, owned by root, readable by all, with their folders first."""
    folders: set[str] = set()
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as archive:
        for entry in sorted(entries, key=lambda entry: entry.target):
            _add_folders(archive, entry.target.lstrip("/"), folders)
            info = tarfile.TarInfo(entry.target.lstrip("/"))
            info.size, info.mode = entry.source.stat().st_size, _mode(entry.source)
            with entry.source.open("rb") as content:
                archive.addfile(info, content)


def _add_folders(archive: tarfile.TarFile, target: str, known: set[str]) -> None:
    for folder in reversed(Path(target).parents):
        name = str(folder)
        if name not in known and name != ".":
            known.add(name)
            info = tarfile.TarInfo(name)
            info.type, info.mode = tarfile.DIRTYPE, EXECUTABLE
            archive.addfile(info)


def _mode(path: Path) -> int:
    return EXECUTABLE if path.stat().st_mode & 0o111 else READABLE
