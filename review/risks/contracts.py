"""What a change of a service's contract breaks for those who were built for the old one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.contracts.breaking import BY_ID, breaches
from components.contracts.document import contract_in
from components.contracts.reading import ContractError
from components.releases.promises import CONTRACT_LABEL
from review.risks.rule import HIGH, MEDIUM, Finding, Rule, kinds
from review.risks.shapes import mapping, text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from review.model.change import Change
    from review.risks.scene import Scene

_SHOWN = 20


def _broken(change: Change, _: Scene) -> Iterator[Finding]:
    before, after = _documents(change.before), _documents(change.after)
    for name, old in before.items():
        path = f"data.{name}"
        if name not in after:
            yield Finding(f"{name} is no more provided", path=path)
            continue
        yield from _between(old, after[name], name, path)


def _between(old: str, new: str, name: str, path: str) -> Iterator[Finding]:
    try:
        found = breaches(contract_in(old, name), contract_in(new, name))
    except ContractError as error:
        if old != new:
            yield Finding(f"{name} changed, and cannot be compared: {error}", path=path)
        return
    for each in found[:_SHOWN]:
        severity = HIGH if BY_ID[each.id].breaking else MEDIUM
        yield Finding(f"{name}: {each.where}: {each.text} ({each.id})", severity, path)
    if len(found) > _SHOWN:
        yield Finding(f"{name}: {len(found) - _SHOWN} more", path=path)


def _documents(manifest: Mapping[str, object] | None) -> dict[str, str]:
    if not text(manifest, "metadata", "labels", CONTRACT_LABEL):
        return {}
    return {name: value for name, value in mapping(manifest, "data").items() if isinstance(value, str)}


RULES = (
    Rule(
        "contract-broken",
        "a document of OpenAPI or AsyncAPI no longer promises what it did",
        "who was built for the old one fails, or may fail",
        HIGH,
        "put the document back, and bring the new one in beside it under a new path, channel or version",
        _broken,
        kinds=kinds("ConfigMap"),
    ),
)
