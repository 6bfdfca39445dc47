"""What breaks callers between two documents of OpenAPI 3."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from components.contracts.document import METHODS, at
from components.contracts.schemas import Breach, Comparison, Way

if TYPE_CHECKING:
    from collections.abc import Iterator

    from components.contracts.document import Contract, Node


def breaches(compared: Comparison) -> Iterator[Breach]:
    """Paths, methods, parameters, bodies, answers and ways to log in."""
    before, after = _paths(compared.old), _paths(compared.new)
    for path, (name, item) in before.items():
        if path not in after:
            yield Breach("path-removed", name, "is no more there")
            continue
        new_item = after[path][1]
        for method in METHODS:
            if method not in item:
                continue
            where = f"{method.upper()} {name}"
            if method not in new_item:
                yield Breach("operation-removed", where, "is no more there")
                continue
            yield from _Operation(compared, (item, new_item), method, where).breaches()


def _paths(contract: Contract) -> dict[str, tuple[str, Node]]:
    """Path items by path, whatever its parameters are called."""
    found = {}
    for path, item in at(contract.data, "paths").items():
        if path.startswith("/"):
            found[re.sub(r"\{[^}]*\}", "{}", path).rstrip("/") or "/"] = (path, contract.resolved(item))
    return found


class _Operation:
    """One method of one path in both documents."""

    def __init__(self, compared: Comparison, items: tuple[Node, Node], method: str, where: str) -> None:
        self.compared, self.where = compared, where
        self.sides = (compared.old, compared.new)
        self.items = items
        self.was, self.will = (at(item, method) for item in items)

    def breaches(self) -> Iterator[Breach]:
        """All of them."""
        yield from self._parameters()
        yield from self._request()
        yield from self._responses()
        yield from self._security()

    def _parameters(self) -> Iterator[Breach]:
        before, after = (
            _parameters(side, item, operation)
            for side, item, operation in zip(self.sides, self.items, (self.was, self.will), strict=True)
        )
        for key, parameter in after.items():
            if parameter.get("required") is True and not (before.get(key) or {}).get("required"):
                yield Breach("parameter-required", f"{self.where} {key[0]} parameter {key[1]}", "must be given now")
        for key, parameter in before.items():
            where = f"{self.where} {key[0]} parameter {key[1]}"
            if key not in after:
                yield Breach("parameter-removed", where, "is no more there")
            else:
                schemas = (_schema(parameter), _schema(after[key]))
                yield from self.compared.schemas(*schemas, Way.IN, where)

    def _request(self) -> Iterator[Breach]:
        old, new = (
            side.resolved(each.get("requestBody")) for side, each in zip(self.sides, (self.was, self.will), strict=True)
        )
        where = f"{self.where} request"
        if new.get("required") is True and old.get("required") is not True:
            yield Breach("request-body-required", where, "must be sent now")
        yield from self._media(old, new, Way.IN, where)

    def _responses(self) -> Iterator[Breach]:
        before, after = (
            {str(status): side.resolved(each) for status, each in at(operation, "responses").items()}
            for side, operation in zip(self.sides, (self.was, self.will), strict=True)
        )
        for status, old in before.items():
            where = f"{self.where} response {status}"
            new = after.get(status, after.get(f"{status[:1]}XX", after.get("default")))
            if new is None:
                if status[:1] in {"2", "3"}:
                    yield Breach("response-removed", where, "is no more answered")
                continue
            yield from self._media(old, new, Way.OUT, where)
            for header in sorted(at(old, "headers").keys() - at(new, "headers").keys()):
                yield Breach("response-header-removed", f"{where} header {header}", "is no more there")

    def _media(self, old: Node, new: Node, way: Way, where: str) -> Iterator[Breach]:
        before, after = at(old, "content"), at(new, "content")
        for media, was in before.items():
            will = after.get(media, after.get(f"{media.partition('/')[0]}/*", after.get("*/*")))
            if will is None:
                yield Breach(f"{way.value}-media-removed", f"{where} {media}", "is no more there")
            else:
                yield from self.compared.schemas(_schema(was), _schema(will), way, f"{where} ")

    def _security(self) -> Iterator[Breach]:
        """Each alternative of the old one is still taken, with no more scopes than before."""
        before, after = (
            _security(side, operation) for side, operation in zip(self.sides, (self.was, self.will), strict=True)
        )
        if before is None or after is None:
            if after and not (self.compared.needs and _silent(self.compared.old, self.was)):
                yield Breach("security-changed", self.where, f"needs no log-in, and will need {_ways(after)}")
            return
        for way in before:
            if not any(set(other) <= set(way) and all(other[k] <= way[k] for k in other) for other in after):
                yield Breach("security-changed", self.where, f"{_ways([way])} becomes {_ways(after)}")


def _schema(holder: Any) -> Any:
    """Of a parameter or media type; one without is of anything."""
    if not isinstance(holder, Mapping):
        return {}
    content = holder.get("content")
    if "schema" not in holder and isinstance(content, Mapping) and content:
        return _schema(next(iter(content.values())))
    return holder.get("schema", {})


def _parameters(contract: Contract, item: Node, operation: Node) -> dict[tuple[str, str], Node]:
    """By place and name; those of a path have their place alone, since their names are the document's own."""
    found: dict[tuple[str, str], Node] = {}
    for holder in (item, operation):
        listed = holder.get("parameters")
        for each in listed if isinstance(listed, list) else ():
            parameter = contract.resolved(each)
            place, name = str(parameter.get("in", "")), str(parameter.get("name", ""))
            if place and place != "path":
                found[place, name.lower() if place == "header" else name] = parameter
    return found


def _security(contract: Contract, operation: Node) -> list[dict[str, frozenset[str]]] | None:
    """Alternatives, each with the scopes of its schemes; None where everybody is let in or nothing is said."""
    said = operation.get("security", contract.data.get("security"))
    if not isinstance(said, list) or not said:
        return None
    made = []
    for each in said:
        schemes = each.items() if isinstance(each, Mapping) else ()
        made.append({name: frozenset(map(str, scopes or ())) for name, scopes in schemes})
    return made if all(made) else None


def _silent(contract: Contract, operation: Node) -> bool:
    """A consumer's document may leave out how to log in: that is no promise that nobody has to."""
    return "security" not in contract.data and "security" not in operation


def _ways(ways: list[dict[str, frozenset[str]]]) -> str:
    return " or ".join(" and ".join(_scoped(name, way[name]) for name in sorted(way)) for way in ways)


def _scoped(name: str, scopes: frozenset[str]) -> str:
    return f"{name} ({', '.join(sorted(scopes))})" if scopes else name
