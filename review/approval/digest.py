"""The digest that an approval names: everything that decides what will happen, by parts, each entry on its own.

One entry of one part is one thing that a person can be told of: a field of an object, a file, a key of the stack file.
The same input gives the same digest on every machine; what was approved and what is there now can be compared.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from components.deploy.refusal import named
from review.approval.repository import IMPORTABLE
from review.approval.volatile import Volatile
from review.model.change import Op, in_order, path_text
from review.model.normal import normalised

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from review.model.change import Change, ChangeSet

SCHEMA = "grayling.digest/1"
PARTS = ("changes", "program", "configuration", "locks", "live")
NOT_ASKED = {"cluster": "not asked"}
LOCKS = ("*.lock", "requirements*.txt", "pyproject.toml", "Pulumi.yaml")
NO_PROGRAM = (".grayling/approvals", ".grayling/records", "docs")
"""Folders of the project that decide nothing unless Python can import it; nor do pages in Markdown."""

_SHOWN = ("operation", "after", "forced by", "protected", "unknown", "problem", "taken from", "stood")
Entries = dict[str, str]


@dataclass(frozen=True, slots=True)
class Bound:
    """What an approval binds.

    Attributes:
        project: the Pulumi project.
        stack: the stack.
        source: what kind of preview the changes were read from: each kind has digests of its own.
        parts: for each part its entries, each with the hash of its value.
        volatile: names of the fields that stand as placeholders.
    """

    project: str
    stack: str
    source: str
    parts: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    volatile: tuple[str, ...] = ()

    @property
    def part_digests(self) -> dict[str, str]:
        """The hash of each part."""
        return {name: hash_of(dict(self.parts.get(name, {}))) for name in PARTS}

    @property
    def digest(self) -> str:
        """The one hash of all, in hexadecimal."""
        return hash_of(
            {
                "schema": SCHEMA,
                "project": self.project,
                "stack": self.stack,
                "source": self.source,
                "volatile": sorted(self.volatile),
                "parts": self.part_digests,
            }
        )

    @property
    def asked(self) -> bool:
        """Whether a cluster was asked what stands on it."""
        return dict(self.parts.get("live", {})) != NOT_ASKED


def bound(
    changes: ChangeSet,
    *,
    project: str,
    stack: str,
    files: Mapping[str, bytes],
    config: Mapping[str, Any],
    volatile: Volatile | None = None,
    own: str = "",
) -> Bound:
    """The binding of one change of one stack.

    Args:
        changes: what would happen, as it was read.
        project: the Pulumi project.
        stack: the stack.
        files: of the project, by path.
        config: the stack file as it stands: secrets sealed.
        volatile: the declared fields.
        own: path of the stack file, which is told by ``config``; the files of other stacks beside it decide nothing.
    """
    hidden = volatile or Volatile()
    kept = [made for change in changes.changes if (made := hidden.change(change)) is not None]
    locks, program = _files(files, own)
    parts = {
        "changes": _changes(kept),
        "program": program,
        "configuration": dict(_config(hidden.config(config))),
        "locks": {**locks, "grayling": _release()},
        "live": _live(kept, changes),
    }
    return Bound(project, stack, changes.source, parts, hidden.names)


def differences(approved: Bound, now: Bound) -> list[str]:
    """What is not as it was approved, one sentence for each part that differs."""
    told = []
    if approved.source != now.source:
        told.append(f"source: approved of a {approved.source}, this is a {now.source}")
    if approved.volatile != now.volatile:
        told.append(f"volatile fields: approved with {_listed(approved.volatile)}, now {_listed(now.volatile)}")
    for name in PARTS:
        old, new = approved.parts.get(name, {}), now.parts.get(name, {})
        differing = [key for key in [*old, *(key for key in new if key not in old)] if old.get(key) != new.get(key)]
        if differing:
            told.append(f"{name}: {named([_differs(key, old, new) for key in differing])}")
    return told


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"


def _differs(key: str, old: Mapping[str, str], new: Mapping[str, str]) -> str:
    word = "new" if key not in old else "gone" if key not in new else "another"
    return f"{key} ({word})"


def canonical(value: Any) -> bytes:
    """One text for one value: keys in order, whole floats as integers, lists as they are.

    >>> canonical({"b": 1.0, "a": [2, 1]})
    b'{"a":[2,1],"b":1}'
    """
    text = json.dumps(normalised(value), sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return text.encode()


def hash_of(value: Any) -> str:
    """SHA-256 of the canonical text, in hexadecimal."""
    return hashlib.sha256(canonical(value)).hexdigest()


def _changes(changes: Iterable[Change]) -> Entries:
    made: Entries = {}
    for change in in_order(changes):
        label = _free(str(change.ref), f"{change.ref}: {_SHOWN[0]}", made)
        for name, value in zip(_SHOWN, _facts(change), strict=True):
            if value:
                made[f"{label}: {name}"] = hash_of(value)
        for edit in change.edits:
            values = [list(edit.path), edit.before, edit.after, edit.replaces, edit.hidden]
            key = f"{label}: {edit.text}"
            made[_free(key, key, made)] = hash_of(values)
    return made


def _free(label: str, key: str, taken: Mapping[str, str]) -> str:
    """A label that no other entry has: what is called the same must not hide what was there before."""
    if key not in taken:
        return label
    count = 2
    while key.replace(label, f"{label} #{count}", 1) in taken:
        count += 1
    return f"{label} #{count}"


def _facts(change: Change) -> tuple[Any, ...]:
    """In the order of ``_SHOWN``; of an update the fields say it all, and what others wrote beside is not ours."""
    whole = None if set(change.ops) == {Op.UPDATE} else change.after
    return (
        [change.ref.api_version, change.urn, sorted(op.value for op in change.ops)],
        whole,
        sorted(change.forced_by),
        change.protected,
        sorted(path_text(path) for path in change.unknown),
        change.problem,
        dict(change.others),
        change.stood,
    )


def decides(name: str, own: str = "") -> bool:
    """Whether a file of the project, other than the stack file ``own``, has a part in what will happen."""
    path = PurePosixPath(name)
    other_stack = own != "" and path.match(str(PurePosixPath(own).parent / "Pulumi.*.yaml"))
    told = path.suffix == ".md" or any(path.is_relative_to(each) for each in NO_PROGRAM)
    return not other_stack and (path.suffix in IMPORTABLE or not told)


def _files(files: Mapping[str, bytes], own: str) -> tuple[Entries, Entries]:
    locks: Entries = {}
    program: Entries = {}
    for name in sorted(files):
        if name != own and decides(name, own):
            lock = "/" not in name and any(PurePosixPath(name).match(each) for each in LOCKS)
            place = locks if lock else program
            place[name] = hashlib.sha256(_as_checked_in(files[name])).hexdigest()
    return locks, program


def _as_checked_in(content: bytes) -> bytes:
    """Text with the line ends that git keeps, whatever this machine checks out."""
    return content if b"\0" in content else content.replace(b"\r\n", b"\n")


def _config(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _config(inner, f"{path}.{_key(key)}" if path else _key(key))
    else:
        yield path, hash_of(value)


def _key(key: Any) -> str:
    """A key in a path; one that could be taken for two is quoted, so that no two paths are the same."""
    text = str(key)
    return json.dumps(text) if "." in text or '"' in text else text


def _live(kept: Iterable[Change], changes: ChangeSet) -> Entries:
    if not changes.cluster:
        return dict(NOT_ASKED)
    return {str(change.ref): changes.live.get(str(change.ref), "unknown") for change in kept}


def _release() -> str:
    try:
        return version("grayling")
    except PackageNotFoundError:
        return "not installed"
