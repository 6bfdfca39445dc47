"""What members promise each other: their documents in short, who was built for them, and what their fields mean."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from components.contracts.asyncapi import exchanges
from components.contracts.dictionary import Term, dictionary_in
from components.contracts.document import METHODS, Form, at
from components.contracts.landscape import contracts_of
from components.manual.document import Code, Section, listed, table
from components.monitoring.otel_collector_masking import key_pattern
from rollout.api.durations import duration_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from components.contracts.document import Contract
    from components.manual.document import Block, Cell
    from components.manual.subject import Subject


def contracts(subject: Subject) -> Section:
    """Documents, what they offer, and who was built for them."""
    provided = [(name, each) for name, member in subject.members.items() for each in subject.contracts.provided(member)]
    rows = [
        (
            name,
            Code(each.name),
            each.form.value,
            each.version or "not said",
            str(at(each.data, "info").get("title", "")),
        )
        for name, each in provided
    ]
    head = ("member", "document", "form", "version", "title")
    nothing = "No member has a contract."
    inner = [Section(f"{name} by {each.name}", (_offered(each),)) for name, each in provided]
    return Section(
        "Contracts", (table("Documents.", head, rows, nothing), _pacts(subject), _by_word(subject)), tuple(inner)
    )


def _offered(contract: Contract) -> Block:
    if contract.form is Form.ASYNCAPI:
        rows = [
            (action, Code(address), ", ".join(messages) or "not said")
            for (action, address), messages in exchanges(contract).items()
        ]
        return table("Channels, as the member sees them.", ("it", "channel", "messages"), rows, "No channel.")
    operations = [(Code(f"{method.upper()} {path}"), summary) for method, path, summary in _operations(contract)]
    return table("Operations.", ("operation", "what it does"), operations, "No operation.")


def _operations(contract: Contract) -> Iterator[tuple[str, str, str]]:
    for path, item in at(contract.data, "paths").items():
        node = contract.resolved(item)
        for method in METHODS:
            if method in node:
                operation = at(node, method)
                yield method, path, str(operation.get("summary") or operation.get("operationId") or "not said")


def _pacts(subject: Subject) -> Block:
    rows = [
        (
            each.consumer.name,
            each.consumed.provider,
            Code(each.consumed.file),
            "fits" if not each.left else "does not fit",
        )
        for each in subject.contracts.pacts()
    ]
    return table("Who was built for whom.", ("consumer", "provider", "by", "today"), rows, "Nobody says so.")


def _by_word(subject: Subject) -> Block:
    """Contracts that are a page elsewhere, which nothing here compares."""
    said = ((each.name, getattr(each.settings, "contract", None)) for each in subject.scope.of_kind("external"))
    rows: list[tuple[Cell, ...]] = [
        (name, Code(place)) for name, place in said if isinstance(place, str) and "://" in place
    ]
    return table("Agreed elsewhere.", ("system", "where"), rows, "Nothing was agreed elsewhere.")


def terms_of(subject: Subject) -> dict[str, dict[str, Term]]:
    """Terms of all dictionaries by field, and within by the member whose dictionary it is."""
    found: dict[str, dict[str, Term]] = {}
    for name, member in subject.members.items():
        file = contracts_of(member).dictionary
        if file:
            for field, term in dictionary_in(subject.contracts.files[file], file).terms.items():
                found.setdefault(field, {})[name] = term
    return dict(sorted(found.items()))


def masked_by(subject: Subject, field: str) -> list[str]:
    """Collectors that let no sink have this field."""
    return [
        each.name
        for each in subject.scope.of_kind("otel-collector")
        if any(re.search(key_pattern(name), field) for name in getattr(each.settings, "mask", ()))
    ]


_DAY = 86_400


def _kept(seconds: float) -> str:
    """In days, where they are whole: nobody counts a retention in hours."""
    days, rest = divmod(seconds, _DAY)
    return f"{days:g} day{'' if days == 1 else 's'}" if days and not rest else duration_of(seconds)


def dictionary(subject: Subject) -> Section:
    """What fields mean, and which are about persons."""
    rows = [
        (Code(field), member, term.meaning, term.type or "any", *_personal(subject, field, term))
        for field, members in terms_of(subject).items()
        for member, term in members.items()
    ]
    head = ("field", "member", "means", "type", "personal", "owner", "kept for", "masked in telemetry by")
    return Section("Data dictionary", (table("Fields.", head, rows, "No member has a dictionary."),))


def _personal(subject: Subject, field: str, term: Term) -> tuple[Cell, ...]:
    kept = _kept(term.retention) if term.retention is not None else "not said"
    if not term.personal:
        return "no", term.owner or "not said", kept, "-"
    return "yes", term.owner or "not said", kept, listed(masked_by(subject, field), "nobody")
