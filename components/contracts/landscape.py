"""The contracts of a whole stack: read once, held against each other, and told with the key that names each file."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from components.contracts.breaking import unmet
from components.contracts.dictionary import dictionary_in, unknown_fields
from components.contracts.document import contract_in
from components.contracts.reading import ContractError, text_of
from components.contracts.settings import Contracts
from components.model.mistakes import Mistake, nearest, shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from components.contracts.document import Contract
    from components.contracts.schemas import Breach
    from components.contracts.settings import Consumed
    from components.model.component import Component

_SHOWN = 3
_MOST_TOGETHER = 900_000
"""Bytes of one member's documents: they stand in one ConfigMap."""


def contracts_of(member: Component) -> Contracts:
    """What a member says of contracts; an external system provides the file that its `contract` names, if it is one."""
    said = getattr(member.settings, "contract", None)
    if isinstance(said, Contracts):
        return said
    return Contracts(provides=[said]) if isinstance(said, str) and "://" not in said else Contracts()


@dataclass(frozen=True)
class Pact:
    """What one member was built for of another's contract.

    Attributes:
        consumer: who uses it.
        consumed: of whom, and in which file.
        index: its place in the list of the stack file.
        left: what is not offered; empty where all is well.
    """

    consumer: Component
    consumed: Consumed
    index: int
    left: tuple[Breach, ...]


@dataclass
class Landscape:
    """All contracts of one stack; ``files`` are their texts by name."""

    members: Mapping[str, Component]
    files: dict[str, str] = field(default_factory=dict)

    def read(self, project: Path) -> list[Mistake]:
        """Take every file that is named.

        Returns:
            What is wrong with any of them, and with those who do not fit.
        """
        found = [mistake for member in self.members.values() for mistake in self._of(member, project)]
        return found or [*self._misfits()]

    def _of(self, member: Component, project: Path) -> Iterator[Mistake]:
        said, place = contracts_of(member), f"{member.place}.contract"
        single = not isinstance(getattr(member.settings, "contract", None), Contracts)
        named = [(place if single else f"{place}.provides.{at}", each) for at, each in enumerate(said.provides)]
        named += [(f"{place}.consumes.{at}.file", each.file) for at, each in enumerate(said.consumes)]
        for path, name in named:
            yield from self._taken(project, path, name)
        if said.dictionary:
            yield from self._dictionary(said, f"{place}.dictionary", project)
        if sum(len(self.files.get(each, "").encode()) for each in said.provides) > _MOST_TOGETHER:
            yield Mistake(f"{place}.provides", "", "is more than one object of the cluster takes", "leave examples out")

    def _taken(self, project: Path, path: str, name: str) -> Iterator[Mistake]:
        try:
            self.files.setdefault(name, text_of(project, name))
            self.contract(name)
        except ContractError as error:
            yield _told(path, name, error)

    def _dictionary(self, said: Contracts, path: str, project: Path) -> Iterator[Mistake]:
        name = said.dictionary or ""
        try:
            dictionary = dictionary_in(self.files.setdefault(name, text_of(project, name)), name)
            known = [self.contract(each) for each in said.provides if each in self.files]
        except ContractError as error:
            yield _told(path, name, error)
            return
        for contract in known:
            for each in unknown_fields(dictionary, contract)[:_SHOWN]:
                problem, _, fix = each.partition("; ")
                yield Mistake(path, shown(name), problem, fix)

    @cached_property
    def _parsed(self) -> dict[str, Contract]:
        return {}

    def contract(self, name: str) -> Contract:
        """One document.

        Raises:
            ContractError: it is none.
        """
        if name not in self._parsed:
            self._parsed[name] = contract_in(self.files[name], name)
        return self._parsed[name]

    @property
    def digests(self) -> dict[str, str]:
        """Of each document, by file."""
        return {name: contract.digest for name, contract in self._parsed.items()}

    def provided(self, member: Component) -> list[Contract]:
        """What a member promises."""
        return [self.contract(name) for name in contracts_of(member).provides]

    def pacts(self) -> Iterator[Pact]:
        """Every use of one member's contract by another, held against what is offered."""
        for member in self.members.values():
            for index, consumed in enumerate(contracts_of(member).consumes):
                provider = self.members.get(consumed.provider)
                if provider is not None and contracts_of(provider).provides:
                    left = unmet(self.contract(consumed.file), self.provided(provider))
                    yield Pact(member, consumed, index, tuple(left))

    def _misfits(self) -> Iterator[Mistake]:
        for member in self.members.values():
            for index, consumed in enumerate(contracts_of(member).consumes):
                yield from self._provider(member, consumed, index)
        try:
            yield from (_misfit(pact) for pact in self.pacts() if pact.left)
        except ContractError as error:
            yield Mistake("", "", str(error), "make its schemas simpler")

    def _provider(self, member: Component, consumed: Consumed, index: int) -> Iterator[Mistake]:
        key = "service" if consumed.service else "external"
        path, name = f"{member.place}.contract.consumes.{index}.{key}", consumed.provider
        alike = sorted(each.name for each in self.members.values() if each.kind == key)
        if name not in alike:
            yield Mistake(path, shown(name), f"no such {key} in this stack", nearest(name, alike))
        elif not contracts_of(self.members[name]).provides:
            where = f"{self.members[name].place}.contract"
            yield Mistake(path, shown(name), "declares no contract that it could be held to", f"add it at {where}")


def _told(path: str, name: str, error: ContractError) -> Mistake:
    problem, _, fix = str(error).partition("; ")
    return Mistake(path, "" if name in problem else shown(name), problem, fix)


def _misfit(pact: Pact) -> Mistake:
    path = f"{pact.consumer.place}.contract.consumes.{pact.index}.file"
    told = "; ".join(f"{each.where}: {each.text} ({each.id})" for each in pact.left[:_SHOWN])
    more = f"; and {len(pact.left) - _SHOWN} more" if len(pact.left) > _SHOWN else ""
    problem = f"{pact.consumed.provider} does not offer what {pact.consumer.name} was built for: {told}{more}"
    fix = "change the provider's document back, or bring in a consumer that was built for the new one first"
    return Mistake(path, shown(pact.consumed.file), problem, fix)
