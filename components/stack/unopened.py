"""A stack as it is declared, its Secrets left sealed: whoever reads it needs no passphrase, and can tell no value."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.stack.json_text import value_of
from components.stack.platform import Platform
from components.stack.sections import as_if_opened, sections_of

if TYPE_CHECKING:
    from components.stack.stackfile import StackFile


def unopened(file: StackFile) -> Platform:
    """What the stack file declares; a word stands in place of each value of its Secrets.

    Raises:
        StackError: the stack file is wrong; every mistake in it is named.
    """
    sections = {key: value_of(value) for key, value in sections_of(file.document()["config"]).items()}
    if "secrets" in sections:
        sections["secrets"] = as_if_opened(sections["secrets"])
    with file.placing():
        return Platform.read(sections, stack=file.stack, source=file.source, project=file.project)
