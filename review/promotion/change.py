"""The target's stack file as a promotion leaves it: every service of it in one text, which is still a valid stack."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from components.stack.node_edits import with_node
from components.stack.nodes import Map
from components.stack.reading import composed
from components.stack.released import section_of
from components.stack.sections import CONFIG
from components.stack.unopened import unopened
from components.stack.versions import place_of_section

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
    unopened(replace(file, held=document))
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
