"""The desired version of a service has one home, the stack file: here it is changed, comments and order kept."""

from __future__ import annotations

import io
import os
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

    def edit(document: Any) -> bool:
        services = (document.get("config") or {}).get(SERVICES) or {}
        if service not in services:
            raise UsageError(f"{file.source}: no service {service!r}; {nearest(service, list(services))}")
        if services[service].get("image") == image:
            return False
        services[service]["image"] = image
        return True

    return _edited(file, edit)


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
    """Change the file in place; it is written as a whole or not at all."""
    from ruamel.yaml import YAML

    text = file.path.read_text()
    editor = YAML()
    editor.preserve_quotes = True
    editor.width = 4096
    if "\n    - " in text or "\n      - " in text:
        editor.indent(mapping=2, sequence=4, offset=2)
    document = editor.load(text)
    if not edit(document):
        return False
    sink = io.StringIO()
    editor.dump(document, sink)
    handle, name = tempfile.mkstemp(dir=file.path.parent, prefix=f".{file.path.name}.")
    with os.fdopen(handle, "w") as out:
        out.write(sink.getvalue())
    Path(name).chmod(file.path.stat().st_mode & 0o777)
    Path(name).replace(file.path)
    return True


__all__ = ["declares", "find", "render_service", "set_image", "set_secret"]
