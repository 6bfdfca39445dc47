"""The data dictionary: what each field means, of which type it is, whose it is, and whether it is about a person."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, ValidationError, model_validator

from components.contracts.asyncapi import exchanges
from components.contracts.document import METHODS, Form, at
from components.contracts.reading import ContractError, document_in
from components.contracts.schemas import properties_of, types_of
from components.model.mistakes import mistakes_of
from components.model.settings import ComponentSettings
from rollout.api.durations import Seconds

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from components.contracts.document import Contract, Node

Word = Annotated[str, Field(min_length=1, max_length=500)]


class Term(ComponentSettings):
    """One field, whatever document it stands in.

    Attributes:
        meaning: in a sentence.
        type: as schemas have it; any where nothing is said.
        personal: whether it is about a person.
        owner: who says what it means.
        retention: how long it may be kept.
    """

    meaning: Word
    type: Literal["string", "number", "integer", "boolean", "object", "array"] | None = None
    personal: bool = False
    owner: Word | None = None
    retention: Seconds | None = None

    @model_validator(mode="after")
    def _of_a_person(self) -> Term:
        if self.personal and (self.owner is None or self.retention is None):
            raise ValueError("personal: a field about a person has an owner and a retention; add both")
        return self


class Dictionary(ComponentSettings):
    """The whole file: terms by the name of the field."""

    terms: dict[str, Term]


def dictionary_in(text: str, name: str) -> Dictionary:
    """The dictionary in a text.

    Raises:
        ContractError: with its first mistake.
    """
    try:
        return Dictionary.model_validate(document_in(text, name))
    except ValidationError as error:
        first = mistakes_of(error, Dictionary, "")[0]
        found = f" (found {first.value})" if first.value and first.value[0] not in "{[" else ""
        fix = f"; {first.fix}" if first.fix else ""
        inner = re.match(r"[a-z]+: ", first.problem)
        where = f"{first.path}{'.' if inner else ': ' if first.path else ''}".removeprefix(".")
        raise ContractError(f"{name}: {where}{first.problem}{found}{fix}") from error


def unknown_fields(dictionary: Dictionary, contract: Contract) -> list[str]:
    """What a dictionary does not know of a contract, or knows otherwise; a sentence each."""
    found: dict[str, str] = {}
    for name, schema in fields_of(contract):
        term = dictionary.terms.get(name)
        types = types_of(schema)
        if term is None:
            found.setdefault(name, f"{contract.name}: the field {name!r} is not in the dictionary; add terms.{name}")
        elif term.type and types and not types - {"null"} <= {term.type, *_WITHIN.get(term.type, ())}:
            told = " or ".join(sorted(types - {"null"}))
            found.setdefault(name, f"{contract.name}: {name!r} is {told}, and {term.type} in the dictionary; mend one")
    return list(found.values())


_WITHIN = {"number": ("integer",)}


def fields_of(contract: Contract) -> list[tuple[str, Node]]:
    """Every property of every value that goes in or out, by name; each schema once."""
    found: list[tuple[str, Node]] = []
    seen: set[int] = set()
    waiting: list[Any] = [*_values(contract)]
    while waiting:
        schema = contract.resolved(waiting.pop(0))
        if id(schema) in seen:
            continue
        seen.add(id(schema))
        for name, inner in properties_of(schema).items():
            found.append((name, contract.resolved(inner)))
            waiting.append(inner)
        waiting += [schema.get(key) for key in ("items", "additionalProperties")]
        for key in ("allOf", "oneOf", "anyOf"):
            listed = schema.get(key)
            waiting += listed if isinstance(listed, list) else []
    return found


def _values(contract: Contract) -> Iterator[Any]:
    if contract.form is Form.ASYNCAPI:
        for messages in exchanges(contract).values():
            for message in messages.values():
                payload = contract.resolved(message.get("payload"))
                yield payload.get("schema", payload) if "schemaFormat" in payload else payload
        return
    for item in at(contract.data, "paths").values():
        for method in METHODS:
            operation = at(contract.resolved(item), method)
            holders = [operation.get("requestBody"), *at(operation, "responses").values()]
            for holder in holders:
                for media in at(contract.resolved(holder), "content").values():
                    yield at(media, "schema")
