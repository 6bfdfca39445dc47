"""Chunks of replicates in one committed file, so that a measurement of hours goes on on another machine.

They are of one judge: the file has a digest of what it computes, and what another judge came to is not taken. What
the verdict says of the numbers is no part of it, nor are comments.
"""

from __future__ import annotations

import ast
import hashlib
import json
from pathlib import Path
from typing import Any

JUDGE = Path(__file__).resolve().parents[2] / "rollout" / "judge"
ROOMS = ("baseline", "data", "evidence", "model")


def digest(folder: Path = JUDGE) -> str:
    """Return what tells one judge from another: of its rooms that compute, without docstrings and comments."""
    found = hashlib.sha256()
    for path in sorted(path for room in ROOMS for path in (folder / room).rglob("*.py")):
        found.update(f"{path.relative_to(folder)}\n{_code(path.read_text())}\n".encode())
    return found.hexdigest()[:16]


def _code(text: str) -> str:
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            node.body[0] = ast.Pass()
    return ast.unparse(tree)


def load(file: Path, folder: Path, *, whoever: bool = False) -> int:
    """Put the file's chunks into a folder, as far as they are of this judge and not there; how many that were.

    Args:
        file: as `save` writes it.
        folder: with a file for each chunk.
        whoever: chunks of another judge are taken as well.
    """
    told = json.loads(file.read_text()) if file.exists() else {}
    if "judge" not in told or (told["judge"] != digest() and not whoever):
        return 0
    missing = {name: chunk for name, chunk in told["chunks"].items() if not (folder / f"{name}.json").exists()}
    for name, chunk in missing.items():
        (folder / f"{name}.json").write_text(json.dumps(_whole(chunk)))
    return len(missing)


def save(file: Path, folder: Path) -> None:
    """Write the chunks of a folder into the file, each on a line of its own."""
    chunks = {path.stem: _short(json.loads(path.read_text())) for path in sorted(folder.glob("*.json"))}
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(chunk)}" for name, chunk in chunks.items())
    file.write_text(f'{{"judge": "{digest()}", "chunks": {{\n{lines}\n}}}}\n')


def _short(chunk: dict[str, Any]) -> dict[str, Any]:
    """Times by replicate where there are any; those that were good as the bits of a number in hexadecimal."""
    times = {number: at for number, at in enumerate(chunk["times"]) if at is not None}
    good = sum(1 << number for number, each in enumerate(chunk["good"]) if each)
    return {"size": len(chunk["times"]), "times": times, "good": f"{good:x}"}


def _whole(chunk: dict[str, Any]) -> dict[str, Any]:
    size, good = chunk["size"], int(chunk["good"], 16)
    times = [chunk["times"].get(str(number)) for number in range(size)]
    return {"times": times, "good": [bool(good >> number & 1) for number in range(size)]}
