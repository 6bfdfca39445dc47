"""The Pulumi project that stack files belong to: found upwards, read for its name and the folder of its stacks."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from components.model.mistakes import Mistake, StackError, shown
from components.stack.nodes import Map, plain
from components.stack.reading import read
from components.stack.sections import CONFIG, OURS, SECTIONS
from kube.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

PROJECT_FILE = "Pulumi.yaml"
LONGEST_STACK = 100
"""Of Pulumi; capitals and _, which it takes too, no object of a cluster can have in its name."""

_PART = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_STACK = re.compile(rf"{_PART}(\.{_PART})*")


def project_of(start: Path) -> Path:
    """The nearest folder upwards with a ``Pulumi.yaml``.

    Raises:
        UsageError: there is none.
    """
    found = project_above(start.resolve())
    if found is None:
        raise UsageError(
            f"no {PROJECT_FILE} in {start.resolve()} or above it: run this inside a project, or name a stack file"
        )
    return found


def project_above(start: Path) -> Path | None:
    """The nearest folder upwards that is one, ``start`` among them."""
    return next((folder for folder in (start, *start.parents) if is_there(folder / PROJECT_FILE)), None)


def project_name(project: Path) -> str:
    """What the project is called: the namespace of keys that name none.

    Raises:
        StackError: its ``Pulumi.yaml`` cannot be read.
    """
    return str(_settings(project).get("name") or OURS)


def check_stack_name(stack: str, source: str) -> None:
    """Nothing, if Pulumi takes the name, and Kubernetes takes objects that are called after it.

    Raises:
        StackError: one of the two does not.
    """
    if len(stack) > LONGEST_STACK or not _STACK.fullmatch(stack):
        problem = "is no name of a stack"
        fix = f"call the file Pulumi.NAME.yaml, with at most {LONGEST_STACK} of a-z, 0-9, - and ."
        fix += ", a letter or digit at both ends of each part"
        raise StackError(source, [Mistake("", shown(stack), problem, fix)])


def stack_folder(project: Path) -> Path:
    """Where the project keeps its stack files.

    Raises:
        StackError: its ``Pulumi.yaml`` cannot be read.
    """
    return project / str(_settings(project).get("stackConfigDir") or ".")


def _settings(project: Path) -> dict[str, Any]:
    source = str(project / PROJECT_FILE)
    document = read(project / PROJECT_FILE, source)
    if document.mistakes:
        raise StackError(source, document.mistakes)
    if not isinstance(document.root, Map):
        raise StackError(source, [Mistake("", "", "is no map", "a project starts with `name:` and `runtime:`", 1)])
    settings = plain(document.root)
    for key, kind in (("name", str), ("stackConfigDir", str), (CONFIG, dict)):
        if not isinstance(settings.get(key), kind | None):
            line = document.root.entries[key].line
            raise StackError(
                source, [Mistake(key, "", f"is no {'map' if kind is dict else 'text'}", "write one", line)]
            )
    for key in settings.get(CONFIG) or {}:
        if key.partition(":")[0] in {OURS, *SECTIONS}:
            line, _, _ = document.place(key)
            problem = "in the project is read by Pulumi alone"
            raise StackError(source, [Mistake(key, "", problem, "put it into the stack files", line)])
    return dict(settings)


def is_there(path: Path) -> bool:
    """Whether there is anything of that name, a broken link too: what it is, its reader says."""
    try:
        return path.is_symlink() or path.exists()
    except OSError:
        return False
