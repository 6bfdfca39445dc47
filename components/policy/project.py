"""The rules of a project: its waivers and what it makes mandatory, from ``.grayling/review.yaml``."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, ValidationError

from components.model.mistakes import Mistake, StackError, mistakes_of, nearest
from components.model.profiles import Tier
from components.model.settings import ComponentSettings
from components.model.waivers import Excuse
from components.policy.evaluate import EVERY, Verdict, broken, judged
from components.policy.rule import Entry
from components.policy.table import BY_ID
from components.releases.service import Service
from components.stack.catalogue import KINDS
from components.stack.nodes import Map, plain
from components.stack.reading import parse
from components.stack.stackfile import placed
from kube.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from components.stack.stackfile import StackFile

FILE = ".grayling/review.yaml"


def _known(rule: str) -> str:
    if rule != EVERY and rule not in BY_ID:
        raise ValueError(f"{rule!r} is no rule of the house; {nearest(rule, sorted(BY_ID))}")
    return rule


class House(ComponentSettings):
    """The section ``policy`` of the file: which rules refuse that by themselves only advise; ``*`` is all of them."""

    mandatory: tuple[Annotated[str, AfterValidator(_known)], ...] = ()


@dataclass(frozen=True, slots=True)
class Rules:
    """What a project says."""

    house: House = field(default_factory=House)
    waivers: tuple[Excuse, ...] = ()


def rules_of(project: Path) -> Rules:
    """What the project's file says of rules of the house; waivers of risks are the review's own.

    Raises:
        StackError: it says something that cannot be meant: file, line, key and fix.
        UsageError: it cannot be read.
    """
    path = project / FILE
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return Rules()
    except OSError as error:
        raise UsageError(f"{FILE}: {error.strerror or error}") from error
    document = parse(data, FILE)
    if document.mistakes:
        raise StackError(FILE, document.mistakes)
    if not isinstance(document.root, Map):
        raise StackError(FILE, [Mistake("", "", "is no map", "start with `schema: grayling.policy/1`", 1)])
    said, found = plain(document.root), _Read()
    house = found.model(House, said.get("policy", {}), "policy")
    listed = said.get("waivers", [])
    ours = [(index, each) for index, each in enumerate(listed if isinstance(listed, list) else ()) if _is_ours(each)]
    waivers = [found.model(Excuse, each, f"waivers.{index}") for index, each in ours]
    if found.mistakes:
        raise StackError(FILE, placed(tuple(found.mistakes), document))
    return Rules(house or House(), tuple(each for each in waivers if each is not None))


class _Read:
    def __init__(self) -> None:
        self.mistakes: list[Mistake] = []

    def model(self, model: Any, value: Any, path: str) -> Any:
        try:
            return model.model_validate(value)
        except ValidationError as error:
            self.mistakes += mistakes_of(error, model, path)
            return None


def _is_ours(waiver: Any) -> bool:
    return isinstance(waiver, dict) and waiver.get("rule") in BY_ID


def entries_of(file: StackFile) -> Iterator[Entry]:
    """Every member as the stack file says it."""
    for name, said in _each(file.section("components")):
        kind = str(said.get("kind", name))
        yield Entry(name, kind, said, KINDS[kind].Settings if kind in KINDS else None)
    for name, said in _each(file.section("services")):
        yield Entry(name, Service.kind, said, Service.Settings)


def _each(section: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    yield from ((name, said) for name, said in section.items() if isinstance(said, dict))


def look_at(file: StackFile, manifests: Sequence[Mapping[str, Any]], today: dt.date | None = None) -> Verdict:
    """A stack with all its objects, held against the rules of its tier and its project."""
    rules, tier = rules_of(file.project), Tier(file.section("environment")["tier"])
    found = broken(tier, manifests, entries_of(file))
    return judged(found, rules.waivers, rules.house.mandatory, today or dt.datetime.now(dt.UTC).date())


def insist_on_policy(file: StackFile, manifests: Sequence[Mapping[str, Any]]) -> Verdict:
    """What came of a whole stack.

    Raises:
        PolicyError: a mandatory rule is broken that nobody excused, or an excuse has run out.
    """
    verdict = look_at(file, manifests)
    verdict.insist(file.source)
    return verdict
