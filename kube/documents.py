"""Files of Kubernetes manifests that people write: YAML as kubectl takes it, without what readers disagree on.

Each refusal is one line with file, line and fix: keys that stand twice or are no text, aliases that contain themselves
or unfold without end, dates, ``.inf``, tags, other encodings.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import yaml

from kube.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

LARGEST = 4 * 2**20
DEEPEST = 100
MOST_BY_ALIASES = 100_000
_LOADER = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader
_TAG = "tag:yaml.org,2002:"
_READER = yaml.constructor.SafeConstructor()
_ENCODINGS = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16", b"\x00\x00\xfe\xff": "UTF-32"}


def documents(file: Path) -> list[Any]:
    """What stands in a file, one value a document; empty documents are left out.

    Raises:
        UsageError: it cannot be read, or two readers would not read the same.
    """
    text = _text(file)
    try:
        written = _measured(text, file)
        found = [_Document(file, written).value(node) for node in yaml.compose_all(text, _LOADER) if node]
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        said = ", ".join(part for part in (error.context, error.problem) if part)
        raise _refused(file, mark.line if mark else 0, f"not YAML: {said}") from None
    except yaml.YAMLError as error:
        raise _refused(file, 0, f"not YAML: {' '.join(str(error).split())}") from None
    return [each for each in found if each is not None]


def _text(file: Path) -> str:
    try:
        with file.open("rb") as source:
            data = source.read(LARGEST + 1)
    except OSError as error:
        raise UsageError(f"{file}: cannot be read: {error.strerror}") from error
    if len(data) > LARGEST:
        raise UsageError(f"{file}: has more than {LARGEST} bytes; give a file with the GrayRelease alone")
    for mark, name in _ENCODINGS.items():
        if data.startswith(mark):
            raise _refused(file, 0, f"is {name}; save it as UTF-8")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        at = error.start + len(data) - len(error.object)
        line = data.count(b"\n", 0, at)
        raise _refused(file, line, f"is not UTF-8: byte {at} is 0x{data[at]:02x}; save it as UTF-8") from None


def _measured(text: str, file: Path) -> int:
    """How many values are written there; composing one that is nested too deep would end the process."""
    depth = written = 0
    for event in yaml.parse(text, _LOADER):
        written += 1
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > DEEPEST:
            line = event.start_mark.line if event.start_mark else 0
            raise _refused(file, line, f"is nested more than {DEEPEST} deep; make it flatter")
    return written


class _Document:
    """Values out of nodes."""

    def __init__(self, file: Path, written: int) -> None:
        self._file, self._left = file, written + MOST_BY_ALIASES
        self._open: list[yaml.Node] = []

    def value(self, node: yaml.Node, path: str = "") -> Any:
        """What a node means."""
        self._left -= 1
        if self._left < 0:
            raise self._mistake(node, path, f"aliases unfold to more than {MOST_BY_ALIASES} values; write them out")
        if any(node is each for each in self._open):
            raise self._mistake(node, path, "an alias contains itself; write the value out")
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, path)
        if node.tag not in {f"{_TAG}map", f"{_TAG}seq"}:
            raise self._mistake(node, path, f"has the tag {_shown(node.tag)}; leave it out")
        self._open.append(node)
        found = (
            self._map(node, path)
            if isinstance(node, yaml.MappingNode)
            else [self.value(each, f"{path}[{index}]") for index, each in enumerate(node.value)]
        )
        self._open.pop()
        return found

    def _map(self, node: yaml.MappingNode, path: str) -> dict[str, Any]:
        own: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        for key, inner in node.value:
            if key.tag == f"{_TAG}merge":
                merged = {**self._merged(inner, path), **merged}
                continue
            if not isinstance(key, yaml.ScalarNode) or key.tag not in {f"{_TAG}str", f"{_TAG}value"}:
                what = f"key {key.value!r} is no text" if isinstance(key, yaml.ScalarNode) else "a key is no text"
                raise self._mistake(key, path, f"{what}; quote it")
            if key.value in own:
                raise self._mistake(key, path, f"key {key.value!r} stands twice; leave one out")
            own[key.value] = self.value(inner, f"{path}.{key.value}" if path else key.value)
        return {**merged, **own}

    def _merged(self, node: yaml.Node, path: str) -> dict[str, Any]:
        found = self.value(node, f"{path}.<<" if path else "<<")
        made: dict[str, Any] = {}
        for each in reversed(found if isinstance(found, list) else [found]):
            if not isinstance(each, dict):
                raise self._mistake(node, path, "<< merges maps alone; name one")
            made |= each
        return made

    def _scalar(self, node: yaml.ScalarNode, path: str) -> Any:
        tag, text = node.tag.removeprefix(_TAG), node.value
        problem = f"{_shown(text)} is read as a number or a time of day; quote it"
        match tag:
            case "str" | "value":
                return text
            case "null":
                return None
            case "bool" if text.lower() in _READER.bool_values:
                return _READER.bool_values[text.lower()]
            case "int" | "float" if ":" not in text:
                try:
                    made = getattr(_READER, f"construct_yaml_{tag}")(node)
                except ValueError:
                    problem = f"{_shown(text)} is no number; quote it"
                else:
                    if math.isfinite(made):
                        return made
                    problem = f"{text} is no number that JSON has; write one, or quote it"
            case "timestamp":
                problem = f"{_shown(text)} is read as a date; quote it"
            case "int" | "float":
                pass
            case _:
                problem = f"has the tag {_shown(node.tag)}; leave it out"
        raise self._mistake(node, path, problem)

    def _mistake(self, node: yaml.Node, path: str, problem: str) -> UsageError:
        return _refused(
            self._file, node.start_mark.line if node.start_mark else 0, f"{path}: {problem}" if path else problem
        )


def _shown(text: str) -> str:
    short = text.removeprefix(_TAG)
    return repr(short if len(short) <= 60 else f"{short[:59]}…")  # noqa: PLR2004 - a line's worth


def _refused(file: Path, line: int, problem: str) -> UsageError:
    return UsageError(f"{file}:{line + 1}: {problem}")
