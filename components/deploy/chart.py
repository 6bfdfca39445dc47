"""Helm templates out of manifests: the place where two renders differ is the place where a value of the chart stands.

A chart that is written by hand drifts from the component. Here the component is rendered with everything on, and once
more for each value; what is missing then, or reads otherwise, is the part that the value decides.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from components.deploy.render import as_yaml
from components.model.layers import identity
from kube.errors import GraylingError
from kube.kinds import label_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kube.kinds import Manifest

Path = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Knob:
    """One value of the chart.

    Attributes:
        other: the manifests with this value off, or set to something else.
        opening: the block in which stands what is missing there, as ``if $.Values.x``.
        value: what stands below a key that is missing there.
        said: what stands in place of texts and numbers that are others there.
    """

    other: list[Manifest]
    opening: str = ""
    value: str = ""
    said: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Templates:
    """Templates of ``full``, the manifests with everything on; ``everywhere`` are texts that are always replaced."""

    full: list[Manifest]
    knobs: tuple[Knob, ...]
    everywhere: Mapping[str, str]

    def text(self, wanted: list[Manifest]) -> str:
        """One template of some of the manifests.

        Raises:
            GraylingError: a value changes a place that has no template.
        """
        places = self._places()
        return "".join(self._object(manifest, places) for manifest in wanted)

    def _places(self) -> dict[Path, Knob]:
        found: dict[Path, Knob] = {}
        full = _by_name(self.full)
        for knob in self.knobs:
            for path in differences(full, _by_name(knob.other)):
                if path in found:
                    raise GraylingError(f"{_shown(path)}: two values of the chart change it; a template can say one")
                found[path] = knob
        return found

    def _object(self, manifest: Manifest, places: dict[Path, Knob]) -> str:
        name = identity(manifest)
        page = _Page(places, self.everywhere)
        text = f"---\n{page.written(manifest, (name,))}"
        knob = places.get((name,))
        return f"{{{{- {knob.opening} }}}}\n{text}{{{{- end }}}}\n" if knob else text


def _by_name(manifests: list[Manifest]) -> dict[Any, Manifest]:
    return {identity(each): each for each in manifests}


def differences(full: Any, other: Any, path: Path = ()) -> Iterator[Path]:
    """Where ``full`` has what ``other`` has not, or another text or number.

    Raises:
        GraylingError: ``other`` has what ``full`` has not.
    """
    if isinstance(full, dict) and isinstance(other, dict):
        if surplus := other.keys() - full.keys():
            raise GraylingError(f"{_shown(path)}: {sorted(map(str, surplus))} is there with less on")
        for key, value in full.items():
            if key in other:
                yield from differences(value, other[key], (*path, key))
            else:
                yield (*path, key)
    elif isinstance(full, list) and isinstance(other, list):
        yield from _of_lists(full, other, path)
    elif full != other:
        yield path


def _of_lists(full: list[Any], other: list[Any], path: Path) -> Iterator[Path]:
    if len(full) == len(other):
        for index, (mine, theirs) in enumerate(zip(full, other, strict=True)):
            yield from differences(mine, theirs, (*path, index))
        return
    rest = list(other)
    for index, item in enumerate(full):
        if rest and item == rest[0]:
            del rest[0]
        else:
            yield (*path, index)
    if rest:
        raise GraylingError(f"{_shown(path)}: {rest[0]!r} is there with less on")


def _shown(path: Path) -> str:
    first, *rest = path or ("",)
    return ".".join([" ".join(first[1:]) if isinstance(first, tuple) else str(first), *map(str, rest)])


class _Page:
    """Writes one object; marks stand for what YAML cannot hold until the text is there."""

    def __init__(self, places: Mapping[Path, Knob], everywhere: Mapping[str, str]) -> None:
        self.places, self.everywhere = places, everywhere
        self.marks: dict[str, str] = {}

    def written(self, manifest: Manifest, path: Path) -> str:
        """The object as a template."""
        text = as_yaml([self._node(manifest, path)]).replace("{{", '{{ "{{" }}')
        text = re.sub(r"^ *- (LINE\d+MARK)$", lambda found: self.marks[found[1]], text, flags=re.MULTILINE)
        text = re.sub(r"^( *)(\w+): (VALUE\d+MARK)$", self._below, text, flags=re.MULTILINE)
        text = re.sub(r"TEXT\d+MARK", lambda found: self.marks[found[0]], text)
        if left := re.search(r"(LINE|VALUE)\d+MARK|sentinel", text):
            raise GraylingError(f"{label_of(manifest)}: {left[0]!r} has no place in a template")
        return text

    def _mark(self, kind: str, text: str) -> str:
        name = f"{kind}{len(self.marks)}MARK"
        self.marks[name] = text
        return name

    def _below(self, found: re.Match[str]) -> str:
        indent, key, mark = found.groups()
        value = self.marks[mark]
        body = f"{{{{- toYaml . | nindent {len(indent) + 2} }}}}"
        return f"{{{{- with {value} }}}}\n{indent}{key}:\n{body}\n{{{{- end }}}}"

    def _node(self, node: Any, path: Path) -> Any:
        if isinstance(node, dict):
            return {key: self._entry(value, (*path, key)) for key, value in node.items()}
        if isinstance(node, list):
            return [each for index, item in enumerate(node) for each in self._item(item, (*path, index))]
        return self._scalar(node, self.places.get(path), path)

    def _entry(self, value: Any, path: Path) -> Any:
        knob = self.places.get(path)
        return self._mark("VALUE", knob.value) if knob and knob.value else self._node(value, path)

    def _item(self, item: Any, path: Path) -> list[Any]:
        knob = self.places.get(path)
        if knob is None or not knob.opening:
            return [self._node(item, path)]
        around = self._mark("LINE", f"{{{{- {knob.opening} }}}}"), self._mark("LINE", "{{- end }}")
        return [around[0], self._inner(item, path), around[1]]

    def _inner(self, item: Any, path: Path) -> Any:
        return self._node(item, path) if isinstance(item, dict | list) else self._scalar(item, None, path)

    def _scalar(self, value: Any, knob: Knob | None, path: Path) -> Any:
        said = {**(knob.said if knob else {}), **self.everywhere}
        text = str(value)
        if knob and not any(each in text for each in knob.said):
            raise GraylingError(f"{_shown(path)}: {text!r} changes with a value that does not say how")
        if isinstance(value, int) and knob:
            return self._mark("TEXT", f"{{{{ int {said[text]} }}}}")
        if not isinstance(value, str) or not any(each in value for each in said):
            return value
        quoted = json.dumps(value, ensure_ascii=False)
        for each, expression in said.items():
            quoted = quoted.replace(each, f"{{{{ {expression} }}}}")
        return self._mark("TEXT", quoted)
