"""Two schemas of one value: what one accepts that the other does not, by the direction in which the value goes.

``IN`` is what a provider takes: it breaks its callers by taking less. ``OUT`` is what it gives: it breaks them by
giving what they never saw, or no more what they count on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

from components.contracts.reading import ContractError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from components.contracts.document import Contract, Node

MOST_STEPS = 50_000
_LEAST = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
_MOST = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
_AS_TEXT = (
    "pattern", "multipleOf", "uniqueItems", "not", "if", "then", "else", "contains", "prefixItems", "propertyNames",
    "patternProperties", "dependentRequired", "dependentSchemas", "unevaluatedProperties", "unevaluatedItems",
)  # fmt: skip
"""Limits that are not weighed: another one is a narrower one, until somebody looks."""

_JOINED = ("allOf",)
_CHOICES = ("oneOf", "anyOf")
_DEEPEST_JOIN = 30


class Way(Enum):
    """In which direction a value goes, seen from the provider."""

    IN = "request"
    OUT = "response"


@dataclass(frozen=True, slots=True)
class Breach:
    """One thing that breaks who was built for the older document.

    Attributes:
        id: of its row in :data:`components.contracts.breaking.TABLE`.
        where: the place in words: ``GET /orders response 200 .items[].price``.
        text: what was, and what will be.
    """

    id: str
    where: str
    text: str


@dataclass
class Comparison:
    """Of schemas of two documents; within a pair, the same pair is not looked at again, so cycles end.

    Attributes:
        needs: the old one is what a consumer was built for, and no whole document.
    """

    old: Contract
    new: Contract
    needs: bool = False
    _seen: set[tuple[int, int, Way]] = field(default_factory=set)
    _steps: int = 0

    def schemas(self, old: Any, new: Any, way: Way, where: str) -> Iterator[Breach]:
        """What breaks between two schemas of one value."""
        self._steps += 1
        if self._steps > MOST_STEPS:
            raise ContractError(f"{self.new.name}: its schemas refer to one another too often to be compared")
        was, will = _joined(self.old, old), _joined(self.new, new)
        pair = (id(self.old.resolved(old)), id(self.new.resolved(new)), way)
        if pair in self._seen:
            return
        self._seen.add(pair)
        try:
            yield from self._values(was, will, way, where)
            yield from self._parts(was, will, way, where)
        finally:
            self._seen.discard(pair)

    def _values(self, was: Node, will: Node, way: Way, where: str) -> Iterator[Breach]:
        """Type, enum, format, limits: the wider of the two is the new one for ``IN``, the old one for ``OUT``."""
        narrow, wide = (was, will) if way is Way.IN else (will, was)
        verb = "narrowed" if way is Way.IN else "widened"
        if not _types_within(types_of(narrow), types_of(wide)):
            yield Breach(f"{way.value}-type-{verb}", where, f"{_told(types_of(was))} becomes {_told(types_of(will))}")
            return
        if not _enum_within(narrow, wide):
            yield Breach(f"{way.value}-enum-{verb}", where, f"{_enum(was)} becomes {_enum(will)}")
        if wide.get("format") and wide["format"] != narrow.get("format"):
            text = f"format {was.get('format', 'none')} becomes {will.get('format', 'none')}"
            yield Breach(f"{way.value}-format-changed", where, text)
        for key in _limits_beyond(narrow, wide):
            text = f"{key} {_short(was.get(key, 'none'))} becomes {_short(will.get(key, 'none'))}"
            yield Breach(f"{way.value}-limit-{verb}", where, text)

    def _parts(self, was: Node, will: Node, way: Way, where: str) -> Iterator[Breach]:
        before, after = properties_of(was), properties_of(will)
        yield from _demanded(was, will, way, where) if way is Way.IN else _given(was, will, where)
        for name in [each for each in before if each in after]:
            yield from self.schemas(before[name], after[name], way, f"{where}.{name}")
        for key, mark in (("items", "[]"), ("additionalProperties", ".*")):
            if isinstance(was.get(key), Mapping) and isinstance(will.get(key), Mapping):
                yield from self.schemas(was[key], will[key], way, f"{where}{mark}")
        for key in _CHOICES:
            if was.get(key) or will.get(key):
                yield from self._choices(was, will, key, way, where)

    def _choices(self, was: Node, will: Node, key: str, way: Way, where: str) -> Iterator[Breach]:
        """Each form that goes must be taken by some form on the other side."""
        plain = [{name: value for name, value in each.items() if name != key} for each in (was, will)]
        before, after = was.get(key) or [plain[0]], will.get(key) or [plain[1]]
        going, taking = (before, after) if way is Way.IN else (after, before)
        for index, one in enumerate(going):
            fits = (self._fits(one, other, way, where) for other in taking)
            if not any(fits):
                verb = "removed" if way is Way.IN else "added"
                yield Breach(f"{way.value}-form-{verb}", where, f"{key} {index + 1} of {len(going)} has no counterpart")

    def _fits(self, going: Any, taking: Any, way: Way, where: str) -> bool:
        old, new = (going, taking) if way is Way.IN else (taking, going)
        return next(self.schemas(old, new, way, where), None) is None


def _joined(contract: Contract, schema: Any, depth: int = 0) -> Node:
    """A schema with its references followed and the parts of ``allOf`` put together."""
    node = contract.resolved(schema)
    if not any(key in node for key in _JOINED) or depth > _DEEPEST_JOIN:
        return node
    made: dict[str, Any] = {key: value for key, value in node.items() if key not in _JOINED}
    for part in node.get("allOf") or ():
        inner = _joined(contract, part, depth + 1)
        properties = {**properties_of(inner), **properties_of(made)}
        required = sorted({*required_of(inner), *required_of(made)})
        made = {**inner, **made, "properties": properties, "required": required}
    return made


def properties_of(schema: Node) -> Node:
    """Its properties by name."""
    found = schema.get("properties")
    return found if isinstance(found, Mapping) else {}


def required_of(schema: Node) -> set[str]:
    """Names of properties that must be there."""
    found = schema.get("required")
    return {each for each in found if isinstance(each, str)} if isinstance(found, list) else set()


def types_of(schema: Node) -> frozenset[str] | None:
    """Types that a value may have; None for any."""
    said = schema.get("type")
    found = {said} if isinstance(said, str) else set(said) if isinstance(said, list) else set()
    if not found and properties_of(schema):
        found = {"object"}
    if found and schema.get("nullable") is True:
        found = found | {"null"}
    return frozenset(found) or None


def _types_within(narrow: frozenset[str] | None, wide: frozenset[str] | None) -> bool:
    if wide is None:
        return True
    return narrow is not None and all(each in wide or (each == "integer" and "number" in wide) for each in narrow)


def _values_in(schema: Node) -> list[Any] | None:
    if "const" in schema:
        return [schema["const"]]
    found = schema.get("enum")
    return found if isinstance(found, list) else None


def _enum_within(narrow: Node, wide: Node) -> bool:
    taken, going = _values_in(wide), _values_in(narrow)
    return taken is None or (going is not None and all(each in taken for each in going))


def _limits_beyond(narrow: Node, wide: Node) -> Iterator[str]:
    for keys, sign in ((_LEAST, 1), (_MOST, -1)):
        for key in keys:
            bound, own = wide.get(key), narrow.get(key)
            if isinstance(bound, int | float) and not isinstance(bound, bool):
                known = isinstance(own, int | float) and not isinstance(own, bool)
                if not known or sign * (own or 0) < sign * bound:
                    yield key
    for key in _AS_TEXT:
        if wide.get(key) is not None and wide[key] != narrow.get(key):
            yield key


def _demanded(was: Node, will: Node, way: Way, where: str) -> Iterator[Breach]:
    for name in sorted(required_of(will) - required_of(was)):
        yield Breach(f"{way.value}-property-required", f"{where}.{name}", "must be there now")
    if will.get("additionalProperties") is False:
        for name in sorted(properties_of(was).keys() - properties_of(will).keys()):
            yield Breach(f"{way.value}-property-refused", f"{where}.{name}", "is refused now")


def _given(was: Node, will: Node, where: str) -> Iterator[Breach]:
    before, after = properties_of(was), properties_of(will)
    for name in sorted(before.keys() - after.keys()):
        yield Breach("response-property-removed", f"{where}.{name}", "is no more there")
    for name in sorted((required_of(was) - required_of(will)) & after.keys()):
        yield Breach("response-property-optional", f"{where}.{name}", "may be missing now")


def _told(types: frozenset[str] | None) -> str:
    return " or ".join(sorted(types)) if types else "anything"


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= _LONGEST_TOLD else f"{text[:_LONGEST_TOLD]}…"


_LONGEST_TOLD = 60


def _enum(schema: Node) -> str:
    values = _values_in(schema)
    return "any value" if values is None else ", ".join(str(each) for each in values)[:200]
