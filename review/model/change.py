"""A change set: everything that one preview says would happen, in one form, whoever made the preview.

Values here are normalised and masked: no secret is among them, and what cannot matter is gone.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Path = tuple[str | int, ...]
"""Where in an object: keys of maps; items of lists by their own name where they have one, else by position."""


class Op(StrEnum):
    """What happens to an object. A replacement is one operation, however many steps it takes."""

    CREATE = "create"
    UPDATE = "update"
    REPLACE = "replace"
    DELETE = "delete"
    IMPORT = "import"
    RETAIN = "retain"


COUNTED = tuple(Op)
"""In the order in which counts are told; ``unchanged`` follows."""

RISKIEST_FIRST = (Op.REPLACE, Op.DELETE, Op.RETAIN, Op.IMPORT, Op.UPDATE, Op.CREATE)


class ObjectRef(NamedTuple):
    """Which object; ``api_version`` and ``namespace`` are empty where it has none."""

    api_version: str
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        """``StatefulSet shop/redis``, as people and reports name it."""
        place = f"{self.namespace}/{self.name}" if self.namespace else self.name
        return f"{self.kind} {place}"

    @property
    def group(self) -> str:
        """The API group; empty for the core group."""
        group, slash, _ = self.api_version.partition("/")
        return group if slash else ""


@dataclass(frozen=True, slots=True)
class Edit:
    """One field that will be different.

    Attributes:
        path: where.
        before: the value now; None where the field is not there.
        after: the value then; None where the field goes.
        replaces: the field cannot be changed in place: the object is deleted and made again.
        hidden: the values are secret; before and after say only whether they differ.
    """

    path: Path
    before: Any
    after: Any
    replaces: bool = False
    hidden: bool = False

    @property
    def text(self) -> str:
        """The path as Kubernetes writes it: ``spec.template.spec.containers[redis].image``."""
        return path_text(self.path)


def path_text(path: Path) -> str:
    """A path in one line; keys with dots are quoted."""
    made = ""
    for key in path:
        if isinstance(key, int) or key.startswith("["):
            made += f"[{key}]" if isinstance(key, int) else key
        elif "." in key or "/" in key:
            made += f'["{key}"]'
        else:
            made += f".{key}" if made else key
    return made


@dataclass(frozen=True, slots=True)
class Change:
    """One object that will not be as it is.

    Attributes:
        ref: which object.
        ops: what happens to it; more than one where it is imported and replaced.
        before: the object as declared last, masked; None where it is new.
        after: the object as it will be declared, masked; None where it goes.
        edits: what differs, in the order of the object.
        forced_by: fields that make a replacement necessary, as the source names them.
        urn: Pulumi's name of it; empty for our own render.
        component: the part of the stack it belongs to (label ``app.kubernetes.io/instance``); empty where unknown.
        owners: who answers for it; empty where nobody is named.
        protected: the source refuses to delete or replace it.
        unknown: paths whose values are known only once it is carried out.
        problem: why it cannot be carried out as it stands (a conflict, a refusal); empty where none is known.
        stood: ``UID@GENERATION`` of the object as the source knew it; empty where the source does not say.
        others: managers of fields that somebody else wrote and this change takes, per path.
    """

    ref: ObjectRef
    ops: tuple[Op, ...]
    before: Mapping[str, Any] | None = None
    after: Mapping[str, Any] | None = None
    edits: tuple[Edit, ...] = ()
    forced_by: tuple[str, ...] = ()
    urn: str = ""
    component: str = ""
    owners: tuple[str, ...] = ()
    protected: bool = False
    unknown: tuple[Path, ...] = ()
    problem: str = ""
    stood: str = ""
    others: Mapping[str, str] = field(default_factory=dict)

    @property
    def goes(self) -> bool:
        """What is there now will not be there then: deleted, or deleted and made again."""
        return Op.DELETE in self.ops or Op.REPLACE in self.ops

    def edited(self, *prefix: str) -> tuple[Edit, ...]:
        """Edits at a path or below it."""
        return tuple(edit for edit in self.edits if edit.path[: len(prefix)] == prefix)


@dataclass(frozen=True, slots=True)
class Doubt:
    """Why a preview cannot be believed, or what it could not know.

    Attributes:
        id: stable name.
        text: one sentence with the fix.
        fatal: the preview is wrong or incomplete; else it is only not proven.
    """

    id: str
    text: str
    fatal: bool = True


Source = Literal["pulumi-preview", "pulumi-events", "pulumi-plan", "render", "destroy", "drift"]


@dataclass(frozen=True, slots=True)
class ChangeSet:
    """Everything that one preview says.

    Attributes:
        source: what was read.
        project: the Pulumi project; empty where the source does not say.
        stack: the stack; empty where the source does not say.
        changes: riskiest operation first, then by name.
        unchanged: number of objects that stay as they are.
        doubts: why it cannot be believed, and what it could not know.
        drift: objects whose live state was not what the state file said (a refresh saw it).
        config: the stack's configuration by key, masked; empty where the source has none.
        messages: what the source said in words, masked: (severity, text).
        live: what stands on the cluster of the objects that it touches, ``UID@GENERATION`` by object, ``absent`` where
            there is none; empty where no cluster was asked.
        cluster: which cluster was asked, its name and address; empty where none was.
        stays_out: why releases that it would bring in stay out, by object: they were taken back on evidence.
        weakened: what it makes weaker in the rules of reviewing themselves, a sentence each.
    """

    source: Source
    project: str = ""
    stack: str = ""
    changes: tuple[Change, ...] = ()
    unchanged: int = 0
    doubts: tuple[Doubt, ...] = ()
    drift: tuple[Change, ...] = ()
    config: Mapping[str, Any] = field(default_factory=dict)
    messages: tuple[tuple[str, str], ...] = ()
    live: Mapping[str, str] = field(default_factory=dict)
    cluster: str = ""
    stays_out: Mapping[str, str] = field(default_factory=dict)
    weakened: tuple[str, ...] = ()

    def counts(self) -> dict[str, int]:
        """How many objects each operation touches, and how many stay; one with two operations counts under both."""
        seen = Counter(op for change in self.changes for op in change.ops)
        return {**{op.value: seen[op] for op in COUNTED}, "unchanged": self.unchanged}

    def of_kind(self, *kinds: str) -> tuple[Change, ...]:
        """Changes of Kubernetes objects of some kinds."""
        return tuple(change for change in self.changes if change.ref.kind in kinds)


def in_order(changes: Iterable[Change]) -> tuple[Change, ...]:
    """Riskiest operation first, then by kind, namespace, name and URN: the same for every machine and every run."""
    return tuple(sorted(changes, key=lambda each: (_rank(each), each.ref.kind, *each.ref, each.urn)))


def _rank(change: Change) -> int:
    return min(RISKIEST_FIRST.index(op) for op in change.ops)
