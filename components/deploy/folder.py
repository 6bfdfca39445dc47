"""A render as files for GitOps: one an object. Only files that a render wrote are changed or removed, ever.

Which those are stands in a list of its own in the folder. It is written before the files and again after them, so that
a render that was killed half way is finished by the next one.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from components.deploy.render import as_yaml
from components.model.layers import ORDER, layer_of
from kube.errors import GraylingError, UsageError
from kube.kinds import label_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kube.kinds import Manifest

LIST = ".grayling-render.json"
CLUSTER_WIDE = "_cluster"
OPEN, SEALED = 0o666, 0o600


def write_folder(manifests: Sequence[Manifest], folder: Path, stack: str) -> list[Path]:
    """One file an object, ``<nn>-<layer>/<namespace>/<kind>-<name>.yaml``; files of objects that are gone are removed.

    Raises:
        UsageError: a file of somebody else's stands where one would be written, or the folder holds another stack.
        GraylingError: the disk is full, or files may not be written there.
    """
    try:
        return _written(manifests, folder, stack)
    except OSError as error:
        what = f"{error.filename or folder}: cannot be written: {error.strerror}"
        raise GraylingError(f"{what}; what is written stays listed in {folder / LIST}: run it again") from error


def _written(manifests: Sequence[Manifest], folder: Path, stack: str) -> list[Path]:
    known = _known(folder, stack)
    wanted = _by_path(manifests)
    for path in wanted:
        _check_free(folder, path, known)
    _write(folder / LIST, _listed(stack, {*known, *wanted}), OPEN)
    for path, manifest in wanted.items():
        holds_values = manifest["kind"] == "Secret" and bool(manifest.get("data") or manifest.get("stringData"))
        _write(folder / path, as_yaml([manifest]), SEALED if holds_values else OPEN)
    for stale in sorted(known - set(wanted)):
        _remove(folder, stale)
    _write(folder / LIST, _listed(stack, set(wanted)), OPEN)
    return [folder / path for path in wanted]


def path_of(manifest: Manifest) -> str:
    """Where an object's file is, below the folder."""
    meta, layer = manifest["metadata"], layer_of(manifest)
    place = meta.get("namespace") or CLUSTER_WIDE
    return f"{ORDER.index(layer)}0-{layer.value}/{place}/{manifest['kind'].lower()}-{meta['name']}.yaml"


def _by_path(manifests: Sequence[Manifest]) -> dict[str, Manifest]:
    found: dict[str, Manifest] = {}
    for manifest in manifests:
        path = path_of(manifest)
        if path in found:
            raise UsageError(f"{label_of(manifest)} and {label_of(found[path])} would be the same file: rename one")
        found[path] = manifest
    return found


def _known(folder: Path, stack: str) -> set[str]:
    """Files that a render of this stack wrote there."""
    path = folder / LIST
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder}: is no folder")
    if not path.exists():
        return set()
    try:
        noted = json.loads(path.read_text())
        owner, files = noted["stack"], noted["files"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path}: cannot be read ({error}): give an empty folder, or mend the list") from error
    if owner != stack:
        raise UsageError(f"{folder}: holds the render of stack {owner}: give stack {stack} a folder of its own")
    if not isinstance(files, list) or not all(isinstance(file, str) and _is_inside(file) for file in files):
        raise UsageError(f"{path}: names files that no render writes: give an empty folder, or mend the list")
    return set(files)


def _is_inside(file: str) -> bool:
    parts = PurePosixPath(file)
    return not parts.is_absolute() and ".." not in parts.parts and parts.suffix == ".yaml"


def _check_free(folder: Path, path: str, known: set[str]) -> None:
    target = folder / path
    if not target.resolve().is_relative_to(folder.resolve()):
        raise UsageError(f"{target}: leads out of {folder} through a link; remove the link")
    if path not in known and (target.exists() or target.is_symlink()):
        raise UsageError(f"{target}: is there already and no render wrote it: move it, or give another folder")


def _listed(stack: str, files: set[str]) -> str:
    return json.dumps({"stack": stack, "files": sorted(files)}, indent=1) + "\n"


def _write(path: Path, text: str, mode: int) -> None:
    """As a whole or not at all; with nobody else's eyes on it where ``mode`` says so."""
    path.parent.mkdir(parents=True, exist_ok=True)
    made = path.with_name(f".{path.name}.new")
    made.unlink(missing_ok=True)
    try:
        with os.fdopen(os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as out:
            out.write(text)
        made.replace(path)
    except OSError as error:
        with suppress(OSError):
            made.unlink(missing_ok=True)
        raise OSError(error.errno, error.strerror, str(path)) from error


def _remove(folder: Path, stale: str) -> None:
    path = folder / stale
    if path.resolve().is_relative_to(folder.resolve()):
        path.unlink(missing_ok=True)
    for empty in (path.parent, path.parent.parent):
        if empty != folder and empty.is_dir() and not any(empty.iterdir()):
            empty.rmdir()
