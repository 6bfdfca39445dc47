"""Jars from Maven's registry, fetched by Maven itself and held against committed checksums.

``sandbox/toolchain/<name>/pom.xml`` says what is wanted; ``jars.lock`` beside it has the SHA-256 of every file that
this means. ``python -m sandbox.extras.maven kafka`` writes it anew after a change of the pom.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from sandbox import builds, debian
from sandbox.errors import PackageError
from sandbox.layers import EXECUTABLE, Entry, LayerStore, key_of, write_files

if TYPE_CHECKING:
    from sandbox.archive import Layer

LOCK = "jars.lock"
COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"
CHUNK = 1 << 20


@dataclass(frozen=True)
class Assembly:
    """The jars of one system; ``folder`` has its pom.xml and jars.lock."""

    name: str

    @property
    def folder(self) -> Path:
        """The committed folder."""
        return builds.TOOLCHAIN / self.name

    def key(self, target: str) -> str:
        """Return the key of the layer: it changes with what is wanted and where it goes."""
        return key_of(target, (self.folder / "pom.xml").read_text(), (self.folder / LOCK).read_text())

    def locked(self) -> dict[str, str]:
        """Return the SHA-256 of each file by its name.

        Raises:
            PackageError: the lock is missing or has a line that is none.
        """
        path = self.folder / LOCK
        if not path.is_file():
            raise PackageError(f"{path} is missing; write it with `python -m sandbox.extras.maven {self.name}`")
        rows = [line.split() for line in path.read_text().splitlines() if line.strip()]
        if any(len(row) != 2 for row in rows):  # noqa: PLR2004 - checksum and name
            raise PackageError(f"{path} has a line that is no `sha256 file`; write it anew")
        return {name: checksum for checksum, name in rows}


def layer(assembly: Assembly, store: LayerStore, scratch: Path, target: str, log: Path) -> Layer:
    """Return a layer with the jars of ``assembly`` below ``target``, fetching them on first use.

    Raises:
        PackageError: Maven could not fetch one, or a file is not the one that the lock names.
    """

    def fill(path: Path) -> None:
        with TemporaryDirectory(dir=scratch) as folder:
            files = checked(assembly, Path(folder, "jars"), log)
            write_files(path, _entries(files, target, Path(folder, "unpacked")))

    return store.make(f"jars-{assembly.name}", assembly.key(target), fill)


def checked(assembly: Assembly, folder: Path, log: Path) -> list[Path]:
    """Return the files that the pom means, in ``folder``.

    Raises:
        PackageError: Maven could not fetch one, or a file is not the one that the lock names.
    """
    files = fetch(assembly, folder, log)
    _hold_against(assembly, files)
    return files


def fetch(assembly: Assembly, folder: Path, log: Path) -> list[Path]:
    """Return the files that the pom means, copied to ``folder`` by Maven."""
    if shutil.which("mvn") is None:
        debian.install(["maven"], log)
    command = ["mvn", "-B", "-f", str(assembly.folder / "pom.xml"), COPY, "-DincludeScope=runtime"]
    with log.open("ab") as sink:
        ended = subprocess.run(
            [*command, f"-DoutputDirectory={folder}"],
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
            cwd=folder.parent,
            env={**os.environ, "LC_ALL": "C.UTF-8"},
            check=False,
        )
    if ended.returncode != 0:
        errors = [line for line in log.read_text(errors="replace").splitlines() if "ERROR" in line]
        tail = "\n".join(errors[:4])
        raise PackageError(f"Maven could not fetch the jars of {assembly.name} (whole log: {log}):\n{tail}")
    return sorted(folder.iterdir())


def checksum(path: Path) -> str:
    """Return the SHA-256 of a file in hex."""
    digest = hashlib.sha256()
    with path.open("rb") as content:
        while chunk := content.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _hold_against(assembly: Assembly, files: list[Path]) -> None:
    locked, found = assembly.locked(), {path.name: checksum(path) for path in files}
    wrong = sorted(name for name in {*locked, *found} if locked.get(name) != found.get(name))
    if wrong:
        raise PackageError(
            f"{assembly.folder / LOCK} does not name what Maven fetched: {', '.join(wrong[:5])}. "
            f"After a change of the pom write it with `python -m sandbox.extras.maven {assembly.name}`."
        )


def _entries(files: list[Path], target: str, unpacked: Path) -> list[Entry]:
    """Jars as they are; of an archive its files, without the folder that it begins with."""
    entries = [Entry(path, f"{target}/{path.name}") for path in files if path.suffix != ".zip"]
    for path in files:
        if path.suffix == ".zip":
            entries += _unpacked(path, target, unpacked / path.stem)
    return entries


def _unpacked(path: Path, target: str, folder: Path) -> list[Entry]:
    with zipfile.ZipFile(path) as archive:
        archive.extractall(folder)
        for info in archive.infolist():
            if not info.is_dir() and info.external_attr >> 16 & 0o111:
                (folder / info.filename).chmod(EXECUTABLE)
    found = sorted(each for each in folder.rglob("*") if each.is_file())
    return [Entry(each, f"{target}/{Path(*each.relative_to(folder).parts[1:])}") for each in found]


def write_lock(name: str) -> None:
    """Write the lock of an assembly by what Maven fetches today."""
    assembly = Assembly(name)
    with TemporaryDirectory() as folder:
        files = fetch(assembly, Path(folder, "jars"), Path(folder, "log"))
        lines = [f"{checksum(path)}  {path.name}\n" for path in files]
    (assembly.folder / LOCK).write_text("".join(lines))


if __name__ == "__main__":
    for each in sys.argv[1:]:
        write_lock(each)
