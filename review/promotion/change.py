"""The target's stack file as a promotion leaves it: every service of it in one text, which is still a valid stack."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from components.stack.node_edits import with_node
from components.stack.nodes import Map, plain
from components.stack.platform import Platform
from components.stack.project import project_name
from components.stack.reading import composed
from components.stack.released import section_of
from components.stack.sections import CONFIG, as_if_opened, sections, sections_of
from components.stack.versions import SECRETS, place_of_section

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from components.stack.nodes import Document, Node
    from components.stack.stackfile import StackFile
    from review.promotion.carried import Edit


def changed(document: Document, file: StackFile, edits: Mapping[str, Sequence[Edit]]) -> str:
    """The text with every edit of every service in it.

    Raises:
        StackError: one cannot be made where the value stands, or what comes of them is no valid stack.
    """
    config = file.document()[CONFIG]
    for service, wanted in edits.items():
        place = place_of_section(section_of(config, service), document, file)
        for edit in wanted:
            path, value = _placed((*place, service), edit, document)
            document = composed(with_node(document, path, value), document.source)
    platform_of(replace(file, held=document))
    return document.text


def _placed(service: tuple[str, ...], edit: Edit, document: Document) -> tuple[tuple[str, ...], Any]:
    """Where to write; an entry of a map that is not there yet comes with the map."""
    *above, last = edit.path
    path = (*service, *above)
    if above and not isinstance(_node_at(document, path), Map):
        return path, {last: edit.value}
    return (*path, last), edit.value


def _node_at(document: Document, path: tuple[str, ...]) -> Node | None:
    node: Node | None = document.root
    for part in path:
        entry = node.entries.get(part) if isinstance(node, Map) else None
        node = entry.node if entry else None
    return node


def platform_of(file: StackFile) -> Platform:
    """What a stack file declares, read without opening its secrets: who promotes need not hold the target's passphrase.

    Raises:
        StackError: with every mistake in it, each with its line.
    """
    file.document()
    entries, _ = sections(file.read(), project_name(file.project))
    config = {key: plain(entry.node) for key, entry in entries.items()}
    if SECRETS in config:
        config[SECRETS] = as_if_opened(config[SECRETS])
    with file.placing():
        return Platform.read(sections_of(config), stack=file.stack, source=file.source, project=file.project)
