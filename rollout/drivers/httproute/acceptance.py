"""What a route's parents say of it, and who wrote its rules last."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rollout.api.revision import MANAGER

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kube.kinds import Manifest

_IDENTITY = ("group", "kind", "namespace", "name", "sectionName", "port")
_DEFAULTS = {"group": "gateway.networking.k8s.io", "kind": "Gateway"}


def refusal_of(route: Manifest) -> str | None:
    """Why the route as it is now is not in force; None when every parent accepted it, generation and all.

    Empty while a parent has simply not answered yet.
    """
    meta = route["metadata"]
    generation = int(meta.get("generation", 0))
    for parent in (route.get("spec") or {}).get("parentRefs") or ():
        answers = [
            each for each in _answers(route) if _identity(each.get("parentRef") or {}, meta) == _identity(parent, meta)
        ]
        said = _newest_said(answers, generation)
        if said is not None:
            return f"{parent.get('kind', 'Gateway')} {parent['name']}: {said}" if said else ""
    return None


def _newest_said(answers: Sequence[Manifest], generation: int) -> str | None:
    """What a parent says. Several controllers may have left an answer each; those to an older generation are history.

    A refusal of the route as it is now counts whoever gives it: a route is in force where nobody speaks against it.
    """
    newest = max((_generation(answer) for answer in answers), default=0)
    said = [_said(answer, generation) for answer in answers if _generation(answer) == newest]
    refused = [each for each in said if each]
    return refused[0] if refused else None if said and all(each is None for each in said) else ""


def _generation(answer: Manifest) -> int:
    """The newest generation that an answer is about."""
    return max((int(each.get("observedGeneration") or 0) for each in answer.get("conditions") or ()), default=0)


def foreign_writer(route: Manifest) -> str:
    """The field manager that wrote the rules after the engine did, or instead of it; empty where none has.

    The rules are one field to the API server (an atomic list), so whoever changes a part of them owns them from then
    on, and two owners mean that both wrote the same.
    """
    writers = [entry for entry in route["metadata"].get("managedFields") or () if _wrote_rules(entry)]
    ours = max((entry.get("time", "") for entry in writers if entry["manager"] == MANAGER), default="")
    foreign = [entry for entry in writers if entry["manager"] != MANAGER and entry.get("time", "") > ours]
    return str(max(foreign, key=lambda entry: entry.get("time", ""))["manager"]) if foreign else ""


def _answers(route: Manifest) -> Iterator[Manifest]:
    yield from (route.get("status") or {}).get("parents") or ()


def _identity(parent: Manifest, meta: Manifest) -> tuple[Any, ...]:
    full = {**_DEFAULTS, "namespace": meta.get("namespace"), **parent}
    return tuple(full.get(field) for field in _IDENTITY)


def _said(answer: Manifest, generation: int) -> str | None:
    """None for accepted; empty for not answered yet; else the reason."""
    conditions = {each["type"]: each for each in answer.get("conditions") or ()}
    for wanted in ("Accepted", "ResolvedRefs"):
        found = conditions.get(wanted)
        if found is None or int(found.get("observedGeneration", 0)) < generation:
            return ""
        if found["status"] != "True":
            return f"{found.get('reason', wanted)}: {found.get('message', '')}".rstrip(": ")
    return None


def _wrote_rules(entry: Manifest) -> bool:
    fields = entry.get("fieldsV1") or {}
    return not entry.get("subresource") and "f:rules" in (fields.get("f:spec") or {})
