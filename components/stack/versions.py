"""The desired version of a service has one home, the stack file: here it is changed, comments and order kept."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from pydantic import ValidationError

from components.model.images import exact
from components.model.keypath import keypath
from components.model.mistakes import (
    Mistake,
    StackError,
    mistakes_of,
    nearest,
)
from components.stack.edits import edited, with_entry, with_value
from components.stack.foundation import FoundationSettings
from components.stack.nodes import Map, Scalar, plain
from components.stack.passphrase import new_salt, passphrase
from components.stack.project import project_name
from components.stack.reading import composed
from components.stack.released import section_of, settings_of
from components.stack.sections import (
    CONFIG,
    SECURE,
    beside,
    holds_sealed,
    sealed,
    sections,
    whole,
)
from components.stack.stackfile import StackFile, find
from kube.errors import UsageError

if TYPE_CHECKING:
    from components.stack.nodes import Document, Node

SECRETS = "grayling:secrets"
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
        UsageError: the stack declares no such service, the image names no single build, or it cannot be changed alone.
    """
    try:
        exact(image)
    except ValueError as error:
        raise UsageError(f"{image!r} {error}") from error
    file = opened(stack)
    return edited(file.path, file.source, lambda document: _with_image(document, file, service, image))


def as_if(stack: Stack, service: str, image: str) -> StackFile:
    """The stack file as :func:`set_image` would leave it; nothing is written.

    Raises:
        UsageError: as it would.
    """
    file = opened(stack)
    return replace(file, held=composed(_with_image(file.read(), file, service, image), file.source))


def _with_image(document: Document, file: StackFile, service: str, image: str) -> str:
    """The image alone."""
    entries, mistakes = sections(document, project_name(file.project))
    if told := [*document.mistakes, *mistakes]:
        raise StackError(file.source, told)
    config = {key: plain(entry.node) for key, entry in entries.items()}
    declared, section = settings_of(config), section_of(config, service)
    if service not in declared:
        raise UsageError(f"{file.source}: no service {service!r}; {nearest(service, list(declared))}")
    path = (*place_of_section(section, document, file), service)
    settings = declared[service]
    if not isinstance(settings, dict) or settings.get("image") is None:
        node = entries[section].node
        line = node.entries[service].line if isinstance(node, Map) else 0
        raise StackError(file.source, [Mistake(keypath(*path, "image"), "", "is required", "add it", line)])
    return document.text if settings["image"] == image else with_value(document, (*path, "image"), image)


def set_secret(file: StackFile, path: str, value: str) -> None:
    """Seal ``value`` under ``<secret>.<key>``, with a salt of its own where the stack has none.

    Raises:
        UsageError: ``path`` is no such path or no name, the passphrase is wrong, or there is no place for it.
    """
    secret, dot, key = path.partition(".")
    if not (secret and dot and key):
        raise UsageError(f"{path!r}: write it as SECRET.KEY, for example payment.token")
    if not value:
        raise UsageError(f"{path}: the value on stdin is empty; an empty secret is never meant")
    try:
        FoundationSettings.model_validate({"secrets": {secret: {key: value}}})
    except ValidationError as error:
        found = mistakes_of(error, FoundationSettings, SECRETS)
        raise UsageError(f"{path!r}: {'; '.join(mistake.problem for mistake in found)}") from None

    def change(document: Document) -> str:
        """The sealed value, and before the first one the salt."""
        _, mistakes = sections(document, project_name(file.project))
        filled = [each for each in mistakes if each.path not in {"", CONFIG} and not each.path.startswith(SECRETS)]
        if told := [*document.mistakes, *filled]:
            raise StackError(file.source, told)
        kept = beside(document)
        if kept.get("encryptionsalt") or kept.get("secretsprovider"):
            crypter = file.crypter(kept)
        else:
            if document.root and holds_sealed(document.root):
                problem = "holds sealed values and no encryptionsalt"
                fix = "put back the one they were sealed under, or take them out"
                raise StackError(file.source, [Mistake("", "", problem, fix)])
            salt, crypter = new_salt(passphrase())
            document = composed(with_entry(document, ("encryptionsalt",), salt), file.source)
        section = place_of_section(SECRETS, document, file)
        return _with_secret(document, (*section, secret, key), {SECURE: crypter.seal(value)})

    edited(file.path, file.source, change)


def _with_secret(document: Document, path: tuple[str, ...], value: dict[str, str]) -> str:
    here: Node | None = document.root
    for depth, part in enumerate(path, 1):
        entry = here.entries.get(part) if isinstance(here, Map) else None
        empty = entry is not None and isinstance(entry.node, Scalar) and entry.node.value is None
        if entry is None or (empty and depth < len(path)):
            at = depth + empty
            below: Any = value
            for each in reversed(path[at:]):
                below = {each: below}
            return with_entry(document, path[:at], below)
        here = entry.node
    if here is not None and sealed(here):
        return with_value(document, (*path, SECURE), value[SECURE])
    return with_value(document, path, value)


def place_of_section(section: str, document: Document, file: StackFile) -> tuple[str, str]:
    """Where a section stands: under its whole name, or without the namespace if the file writes it so."""
    project = project_name(file.project)
    root = document.root
    config = root.entries.get(CONFIG) if isinstance(root, Map) else None
    keys = config.node.entries if config is not None and isinstance(config.node, Map) else {}
    return CONFIG, next((key for key in keys if whole(key, project) == section), section)


def declares(file: StackFile, service: str) -> bool:
    """Whether the stack file has a service of that name, or a component that is released like one."""
    return service in settings_of(file.document()[CONFIG])


__all__ = ["as_if", "declares", "find", "set_image", "set_secret"]
