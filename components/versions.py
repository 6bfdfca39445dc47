"""The desired version of a service has one home, the stack file: here it is changed, comments and order kept."""

from __future__ import annotations

import io
import os
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from components.images import exact
from components.mistakes import nearest
from components.passphrase import new_salt, passphrase
from components.stackfile import StackFile, find
from kube.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from components.inventory import Inventory
    from kube.kinds import Manifest

SERVICES, SECRETS = "grayling:services", "grayling:secrets"
Stack: TypeAlias = StackFile | Path | str


def opened(stack: Stack) -> StackFile:
    """The stack file that is meant: itself, its path, or the stack's name.

    Raises:
        UsageError: there is none.
    """
    return stack if isinstance(stack, StackFile) else find(str(stack))


def set_image(stack: Stack, service: str, image: str) -> bool:
    """Make ``image`` the desired version of ``service`` in a stack file; False where it is so already.

    Raises:
        UsageError: the stack declares no such service, or the image names no single build.
    """
    try:
        exact(image)
    except ValueError as error:
        raise UsageError(str(error)) from error

    file = opened(stack)
    text = file.path.read_text()
    services = (_editor().load(text).get("config") or {}).get(SERVICES) or {}
    if service not in services:
        raise UsageError(f"{file.source}: no service {service!r}; {nearest(service, list(services))}")
    old = services[service].get("image")
    if old is None:
        raise UsageError(f"{file.source}: {SERVICES}.{service}.image: is required; add it")
    if old == image:
        return False
    line, column = services[service].lc.value("image")
    _replace(file.path, _with_value(text, line, column, old, image))
    return True


def set_secret(file: StackFile, path: str, value: str) -> None:
    """Seal ``value`` under ``<secret>.<key>``, with a salt of its own where the stack has none.

    Raises:
        UsageError: ``path`` is no such path, the passphrase is missing or wrong.
    """
    secret, dot, key = path.partition(".")
    if not (secret and dot and key):
        raise UsageError(f"{path!r}: write it as SECRET.KEY, for example payment.token")

    def edit(document: Any) -> bool:
        if document.get("encryptionsalt") or document.get("secretsprovider"):
            crypter = file.crypter(document)
        else:
            document["encryptionsalt"], crypter = new_salt(passphrase())
        secrets = document.setdefault("config", {}).setdefault(SECRETS, {})
        secrets.setdefault(secret, {})[key] = {"secure": crypter.seal(value)}
        return True

    _edited(file, edit)


def declares(file: StackFile, service: str) -> bool:
    """Whether the stack file has a service of that name."""
    return service in ((file.document().get("config") or {}).get(SERVICES) or {})


def render_service(stack: Stack, service: str) -> list[Manifest]:
    """The objects of one service as ``stack apply`` writes them (field manager ``grayling-stack``), inventory included.

    Raises:
        UsageError: the stack file is wrong, or declares no such service.
    """
    from components.session import inventory_of, rendered

    file = opened(stack)
    if not declares(file, service):
        raise UsageError(f"{file.source}: no service {service!r}")
    inventory: Inventory = inventory_of(file)
    return [inventory.stamped(item) for item in rendered(file, [service]) if item["kind"] != "Namespace"]


def _edited(file: StackFile, edit: Callable[[Any], bool]) -> bool:
    """Change the file in place; comments and order stay."""
    text = file.path.read_text()
    editor = _editor()
    offset = _dash_offset(text)
    editor.indent(mapping=2, sequence=offset + 2, offset=offset)
    document = editor.load(text)
    if not edit(document):
        return False
    sink = io.StringIO()
    editor.dump(document, sink)
    _replace(file.path, sink.getvalue())
    return True


def _editor() -> Any:
    from ruamel.yaml import YAML

    editor = YAML()
    editor.preserve_quotes = True
    editor.width = 4096
    return editor


def _with_value(text: str, line: int, column: int, old: str, new: str) -> str:
    """One scalar replaced where it stands, and not a byte besides."""
    lines = text.splitlines(keepends=True)
    head, tail = lines[line][:column], lines[line][column:]
    lines[line] = head + tail.replace(old, new, 1)
    return "".join(lines)


def _dash_offset(text: str) -> int:
    """How far the items of a list are indented under their key."""
    found = re.search(r"^( *)[^\s#-][^\n]*:[ ]*\n( *)- ", text, re.MULTILINE)
    return max(0, len(found[2]) - len(found[1])) if found else 2


def _replace(path: Path, text: str) -> None:
    """Write a file as a whole or not at all."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(handle, "w") as out:
        out.write(text)
    Path(name).chmod(path.stat().st_mode & 0o777)
    Path(name).replace(path)


__all__ = ["declares", "find", "render_service", "set_image", "set_secret"]
