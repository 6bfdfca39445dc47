"""Fields that CI fills in after the approval: an image's tag and digest stand as a placeholder, and nothing else does.

What follows from such a field in the objects (the container's image, the version label, the checksum of configuration)
is found by rule from the stack file, never named by hand. The repository of the image never moves.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from components.model.checksum import CHECKSUM_ANNOTATION
from components.model.images import resolve, split, version
from components.workloads.baseline import VERSION
from kube.errors import UsageError
from review.model.change import Op
from review.model.normal import same

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from review.model.change import Change, Edit, Path

PLACEHOLDER = "(volatile)"
FORM = re.compile(r"grayling:(services|components)\.([a-z0-9]([-a-z0-9]*[a-z0-9])?)\.image")


class Filled(NamedTuple):
    """What a volatile image is now, as the stack file and as the objects have it."""

    images: frozenset[str]
    repositories: frozenset[str]
    versions: frozenset[str]


@dataclass(frozen=True, slots=True)
class Volatile:
    """The declared fields of one stack: their names, and what stands there now by part of the stack."""

    names: tuple[str, ...] = ()
    parts: Mapping[str, Filled] = field(default_factory=dict)

    def config(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """A stack's configuration with placeholders."""
        made = dict(config)
        for name in self.names:
            section, part = _places(name)
            entries = made[section]
            made[section] = {**entries, part: {**entries[part], "image": masked(entries[part]["image"])}}
        return made

    def change(self, change: Change) -> Change | None:
        """A change with placeholders; None where nothing else differs."""
        filled = self.parts.get(change.component)
        if filled is None:
            return change
        edits = tuple(made for edit in change.edits if (made := _edit(edit, filled)) is not None)
        told = change.problem or change.others or change.forced_by or change.unknown
        if change.edits and not edits and not told and change.ops == (Op.UPDATE,):
            return None
        return replace(change, edits=edits, after=_now(change.after, filled, ()))


def volatile_of(declared: Iterable[str], config: Mapping[str, Any]) -> Volatile:
    """Those of the declared fields that a stack has, and what its objects make of them.

    Raises:
        UsageError: a declared field is no image, or the stack's value there is no reference of one.
    """
    names: list[str] = []
    parts: dict[str, Filled] = {}
    mirrors = (config.get("grayling:environment") or {}).get("images") or {}
    for name in sorted(set(declared)):
        section, part = _places(name)
        entry = (config.get(section) or {}).get(part)
        image = entry.get("image") if isinstance(entry, dict) else None
        if image is None:
            continue
        try:
            images = frozenset({str(image), resolve(str(image), mirrors)})
            repositories = frozenset(split(each)[0] for each in images)
        except ValueError as error:
            raise UsageError(f"{name}: {image!r} {error}") from error
        names.append(name)
        parts[part] = Filled(images, repositories, frozenset(map(version, images)))
    return Volatile(tuple(names), parts)


def masked(image: str) -> str:
    """A reference without its tag and digest.

    >>> masked("team/app:1.4.2")
    'team/app:(volatile)'
    """
    return f"{split(image)[0]}:{PLACEHOLDER}"


def _places(name: str) -> tuple[str, str]:
    found = FORM.fullmatch(name)
    if found is None:
        raise UsageError(
            f"volatile: {name!r} is no image of a service or component; write grayling:services.NAME.image"
        )
    return f"grayling:{found[1]}", found[2]


def _edit(edit: Edit, filled: Filled) -> Edit | None:
    """An edit with placeholders; None where only what was filled in differs."""
    after = _now(edit.after, filled, edit.path)
    if same(after, edit.after):
        return edit
    before = _was(edit.before, filled, edit.path)
    return None if same(before, after) else replace(edit, before=before, after=after)


def _at(path: Path, key: str) -> bool:
    return len(path) > 1 and path[-1] == key and path[-2] in {"labels", "annotations"}


def _now(value: Any, filled: Filled, path: Path) -> Any:
    """A value as it will be: exactly what was filled in becomes a placeholder."""
    if isinstance(value, dict):
        return {key: _now(inner, filled, (*path, key)) for key, inner in value.items()}
    if isinstance(value, list):
        return [_now(inner, filled, path) for inner in value]
    if path and path[-1] == "image" and value in filled.images:
        return masked(value)
    derived = _at(path, CHECKSUM_ANNOTATION) or (_at(path, VERSION) and value in filled.versions)
    return PLACEHOLDER if derived else value


def _was(value: Any, filled: Filled, path: Path) -> Any:
    """A value as it is: any tag of the same repository."""
    if isinstance(value, dict):
        return {key: _was(inner, filled, (*path, key)) for key, inner in value.items()}
    if isinstance(value, list):
        return [_was(inner, filled, path) for inner in value]
    if value is not None and (_at(path, VERSION) or _at(path, CHECKSUM_ANNOTATION)):
        return PLACEHOLDER
    if not isinstance(value, str) or not path or path[-1] != "image":
        return value
    try:
        return masked(value) if split(value)[0] in filled.repositories else value
    except ValueError:
        return value
