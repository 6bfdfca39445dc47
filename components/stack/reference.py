"""The settings in docs/reference/components.md, made from the models, so that it cannot say anything else.

``python -m components.stack.reference`` prints it; a test compares it with the file.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, get_args

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from components.model.component import Scope
from components.model.endpoints import MEMBERS, WHO
from components.model.environment import Environment
from components.releases.service import Service
from components.stack.catalogue import KINDS
from components.stack.overlay import OverlayChanges
from components.stack.platform import STAND_IN
from rollout.api.durations import duration_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic.fields import FieldInfo

    from components.model.component import Component
    from components.model.endpoints import Readers

_DURATIONS = {
    "scrapeInterval", "retention", "requestTimeout", "groupWait", "groupInterval", "repeatInterval", "watchdog.every",
}  # fmt: skip


def reference() -> str:
    """Markdown: a section for the environment and each kind, with its settings and its deviations."""
    parts = ["## Settings of every kind\n", "### environment\n", *_table(Environment)]
    kinds: list[tuple[str, type[Component]]] = [*sorted(KINDS.items()), (Service.kind, Service)]
    for name, kind in kinds:
        parts += [f"\n### {name}\n", *_table(kind.Settings), *_ports(kind), *_deviations(kind)]
    parts += ["\n### overlay\n", "A file of its own, given with `--overlay` (stacks.md).\n", *_table(OverlayChanges)]
    return "\n".join(parts) + "\n"


def _table(model: type[BaseModel], path: str = "") -> Iterator[str]:
    yield "| key | default | meaning |"
    yield "| --- | --- | --- |"
    for name, field in model.model_fields.items():
        key = f"{path}{field.alias or name}"
        yield f"| `{key}` | {_default(key, field)} | {(field.description or '').replace('|', '/')} |"
    for name, field in model.model_fields.items():
        if inner := _own_model(field.annotation):
            yield from list(_table(inner, f"{path}{field.alias or name}."))[2:]


def _own_model(annotation: Any) -> type[BaseModel] | None:
    """A nested model of this room; those of the release engine are described in docs/how-to/releases.md."""
    for found in (annotation, *get_args(annotation)):
        if isinstance(found, type) and issubclass(found, BaseModel) and found.__module__.startswith("components"):
            return found
    return None


def _default(key: str, field: FieldInfo) -> str:
    if field.is_required():
        return "by tier" if key == "profile" else "required"
    value: Any = field.get_default(call_default_factory=True, validated_data={})
    if value is PydanticUndefined or isinstance(value, BaseModel):
        return "see below"
    if value is None:
        return "none"
    return f"`{duration_of(value) if key in _DURATIONS and isinstance(value, float) else value}`"


def _ports(kind: type[Component]) -> Iterator[str]:
    """Endpoints as they are where nothing is set; what a stack must set (an image) has no ports."""
    made = kind(kind.kind, kind.Settings.model_construct(), Scope(STAND_IN, ""))
    if made.endpoints:
        yield from ("\n| port | name | speaks | may be reached by |", "| --- | --- | --- | --- |")
    for each in made.endpoints:
        port = f"{each.port} to {each.last}" if each.last else f"{each.port}"
        name = f"{each.name} ({each.part})" if each.part else each.name
        who = ", ".join(_named(reader, each.member) for reader in each.readers) or "nobody"
        yield f"| {port} | {name} | {each.about} | {who} |"


def _named(reader: Readers, member: str | None) -> str:
    return f"{WHO[reader]} ({member})" if member and reader is MEMBERS else WHO[reader]


def _deviations(kind: type[Component]) -> Iterator[str]:
    if kind.deviations:
        yield "\nBreaks on purpose:\n"
    for deviation in kind.deviations:
        where = f" ({deviation.workload})" if deviation.workload else ""
        yield f"- `{deviation.rule}`{where}: {deviation.reason}"


if __name__ == "__main__":
    sys.stdout.write(reference())
