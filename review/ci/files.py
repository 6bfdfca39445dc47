"""Generated files: each says what it was when it was written, so that an edit by hand is seen and kept."""

from __future__ import annotations

import hashlib
import re
import tempfile
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from kube.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

_DIGEST = re.compile(r"^(?://|#) As it was written: sha256:([0-9a-f]{64})\.[^\n]*\n", re.MULTILINE)


class State(StrEnum):
    """What is there in place of a file that is to be written."""

    SAME = "unchanged"
    MISSING = "created"
    OLDER = "updated"
    EDITED = "edited by hand"
    FOREIGN = "not written by this command"


def signed(body: str, command: str, comment: str) -> str:
    """The text of a file, with a head that says how it was made and what it was then."""
    first = f"{comment} Written by `{command}`; run it again after a change of stacks.\n"
    digest = hashlib.sha256((first + body).encode()).hexdigest()
    return f"{first}{comment} As it was written: sha256:{digest}. Without this line it is yours, and is kept.\n{body}"


def state_of(path: Path, text: str) -> State:
    """What stands there.

    Raises:
        UsageError: it cannot be read.
    """
    try:
        there = path.read_bytes().decode().replace("\r\n", "\n")
    except FileNotFoundError:
        return State.MISSING
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"{path}: {reason}: move it out of the way, or mend it") from error
    if there == text:
        return State.SAME
    found = _DIGEST.search(there)
    if found is None:
        return State.FOREIGN
    digest = hashlib.sha256(_DIGEST.sub("", there, count=1).encode()).hexdigest()
    return State.OLDER if digest == found[1] else State.EDITED


def write(files: Mapping[Path, str], *, force: bool) -> dict[Path, State]:
    """Write what is not there or older: all, or none where one is somebody's own; what stood there before.

    Raises:
        UsageError: with each file that is somebody's own; or one cannot be written.
    """
    states = {path: state_of(path, text) for path, text in files.items()}
    if not force and (own := {path: state for path, state in states.items() if state in {State.EDITED, State.FOREIGN}}):
        told = "; ".join(f"{path} is {state}" for path, state in own.items())
        raise UsageError(f"{told}: nothing was written; keep your lines elsewhere and give --force to write over it")
    for path, state in states.items():
        if state is not State.SAME:
            _replace(path, files[path])
    return states


def _replace(path: Path, text: str) -> None:
    made: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        made = Path(name)
        with open(handle, "w", encoding="utf-8") as out:  # noqa: PTH123 - a handle
            out.write(text)
        made.chmod(0o644)
        made.replace(path)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}: it could not be written") from error
    finally:
        if made is not None:
            made.unlink(missing_ok=True)
