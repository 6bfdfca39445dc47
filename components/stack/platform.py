"""A stack file read once into typed components, or refused with everything that is wrong in it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError

from components.contracts.landscape import Landscape
from components.model.component import PROJECT, Component, Scope
from components.model.environment import Environment
from components.model.layers import ordered
from components.model.mistakes import (
    Mistake,
    StackError,
    mistakes_of,
    nearest,
    shown,
    without_followers,
)
from components.model.unmeant import unmeant
from components.releases.service import Service
from components.stack.catalogue import KINDS
from components.stack.conflicts import conflicts
from components.stack.foundation import Foundation, FoundationSettings
from components.stack.unfit import wrong

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kube.kinds import Manifest

SECTIONS = ("environment", "components", "services", "secrets")
FOUNDATION = "environment"
Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Platform:
    """Everything one stack declares.

    Attributes:
        source: the stack file, as messages name it.
    """

    source: str
    stack: str
    environment: Environment
    components: tuple[Component, ...]

    @classmethod
    def read(cls, config: Mapping[str, Any], *, stack: str, source: str, project: Path | None = None) -> Platform:
        """Take the values of the keys ``grayling:*`` (without their prefix), and the project's files they name.

        Without ``project`` that is the folder of the process, as for a program of Pulumi.

        Raises:
            StackError: with every mistake in the file.
        """
        return _Reader(stack, source, project or Path()).read(config)

    def manifests(self) -> list[Manifest]:
        """All objects, in the order of a render.

        Raises:
            StackError: two components claim the same object, or a workload breaks the production baseline.
        """
        rendered = [(component, manifest) for component in self.components for manifest in component.render()]
        mistakes = wrong(rendered)
        if mistakes:
            raise StackError(self.source, mistakes)
        return ordered(manifest for _, manifest in rendered)


class _Reader:
    """Reads section after section and keeps every mistake, so that a person mends a file once."""

    def __init__(self, stack: str, source: str, project: Path) -> None:
        self.stack, self.source, self.project = stack, source, project
        self.mistakes: list[Mistake] = []
        self.declared: set[str] = set()

    def read(self, config: Mapping[str, Any]) -> Platform:
        """The platform, or every mistake."""
        for key in config.keys() - set(SECTIONS):
            self.mistakes.append(Mistake(f"{PROJECT}:{key}", shown(config[key]), "no such key", nearest(key, SECTIONS)))
        for key in SECTIONS[1:]:
            if key in config and config[key] is None:
                self.mistakes.append(Mistake(f"{PROJECT}:{key}", "", "is empty", "write {} for none"))
        environment = self._model(Environment, config.get("environment"), f"{PROJECT}:environment")
        foundation = self._secrets(config.get("secrets"))
        scope = Scope(environment or STAND_IN, self.stack, secrets=foundation.secrets if foundation else {})
        self._components(scope, config.get("components"))
        self._services(scope, config.get("services"))
        self.mistakes += conflicts(scope, self.declared, lambda member: member.place)
        self._contracts(scope)
        self._check_members(scope)
        if self.mistakes or environment is None or foundation is None:
            raise StackError(self.source, self.mistakes)
        base = Foundation(FOUNDATION, foundation, scope)
        return Platform(self.source, self.stack, environment, (base, *scope.members.values()))

    def _components(self, scope: Scope, section: Any) -> None:
        for name, entry in self._entries(section, "components"):
            path = f"{PROJECT}:components.{name}"
            settings = dict(entry)
            kind = settings.pop("kind", name)
            if not isinstance(kind, str) or kind not in KINDS:
                self.mistakes.append(Mistake(path, "", f"no component {kind!r}", nearest(str(kind), list(KINDS))))
                continue
            self._declare(scope, name, KINDS[kind], settings, path)

    def _services(self, scope: Scope, section: Any) -> None:
        for name, entry in self._entries(section, "services"):
            self._declare(scope, name, Service, dict(entry), f"{PROJECT}:services.{name}")

    def _contracts(self, scope: Scope) -> None:
        landscape = Landscape(scope.members)
        found = landscape.read(self.project)
        self.mistakes += found
        if not found:
            scope.files = landscape.files
            scope.digests = landscape.digests

    def _declare(self, scope: Scope, name: str, kind: type[Component], settings: Any, path: str) -> None:
        if name in scope.members or name == FOUNDATION:
            self.mistakes.append(Mistake(path, "", f"the name {name!r} is taken", "give it another one"))
            return
        if name in (theirs := _OF_THE_CLUSTER[scope.environment.namespace == "default"]):
            problem = f"the cluster has a {theirs[name]} {name!r} in this namespace"
            self.mistakes.append(Mistake(path, "", problem, "give it another name"))
            return
        model = self._model(kind.Settings, settings, path)
        if model is None:
            return
        try:
            scope.members[name] = kind(name, model, scope)
        except ValueError as error:
            self.mistakes.append(Mistake(path, "", str(error)))

    def _entries(self, section: Any, name: str) -> list[tuple[str, Mapping[str, Any]]]:
        path = f"{PROJECT}:{name}"
        if section is None:
            return []
        if not isinstance(section, dict):
            self.mistakes.append(Mistake(path, shown(section), "must be a map of names to settings"))
            return []
        if len(section) > _MOST_MEMBERS:
            problem = f"has {len(section)} entries, and a stack at most {_MOST_MEMBERS}"
            self.mistakes.append(Mistake(path, "", problem, "split the stack"))
            self.declared |= {str(key) for key in section}
            return []
        entries: list[tuple[str, Mapping[str, Any]]] = []
        for key, value in section.items():
            self.declared.add(str(key))
            if value is None:
                self.mistakes.append(Mistake(f"{path}.{key}", "", "is empty", "write {} for the defaults"))
            elif not isinstance(value, dict):
                self.mistakes.append(Mistake(f"{path}.{key}", shown(value), "must be a map of settings, {} for none"))
            elif not _is_name(key):
                self.mistakes.append(
                    Mistake(
                        f"{path}.{key}", shown(key), "is no name", "use at most 40 of a-z, 0-9 and -, a letter first"
                    )
                )
            else:
                entries.append((key, value))
        return entries

    def _secrets(self, section: Any) -> FoundationSettings | None:
        """The stack's Secrets; what is said of them shows no value."""
        before = len(self.mistakes)
        read = self._model(FoundationSettings, {"secrets": {} if section is None else section}, PROJECT)
        found = self.mistakes[before:]
        self.mistakes[before:] = [_hidden(each) for each in found]
        return read

    def _model(self, model: type[Model], value: Any, path: str) -> Model | None:
        if value is None:
            self.mistakes.append(
                Mistake(path, "", "is required", "see docs/how-to/stacks.md for the shortest stack file")
            )
            return None
        made, found = None, []
        try:
            made = model.model_validate(value)
        except ValidationError as error:
            found = [placed(mistake) for mistake in mistakes_of(error, model, path)]
        if told := without_followers(found, unmeant(model, value, path)):
            self.mistakes += told
            return None
        return made

    def _check_members(self, scope: Scope) -> None:
        if self.mistakes:
            return
        for member in scope.members.values():
            path = member.place
            try:
                member.check()
            except ValidationError as error:
                self.mistakes += [
                    _unplaced(mistake, path) for mistake in mistakes_of(error, type(member).Settings, path)
                ]
            except ValueError as error:
                self.mistakes.append(placed(Mistake(path, "", str(error))))


STAND_IN = Environment.model_validate({"tier": "local", "namespace": "unknown", "owners": ["unknown"]})
_OF_THE_CLUSTER = (
    {"default": "ServiceAccount"},
    {"default": "ServiceAccount", "kubernetes": "Service"},
)
"""What is made by itself in a namespace, and in that called default."""

_LONGEST_NAME = 40
_MOST_MEMBERS = 2000
"""In a section; an engine carries out releases of a thousand at once."""


def _is_name(key: object) -> bool:
    text = str(key)
    return (
        0 < len(text) <= _LONGEST_NAME
        and text[0].isalpha()
        and text[-1] != "-"
        and all(letter in "abcdefghijklmnopqrstuvwxyz0123456789-" for letter in text)
    )


def _hidden(mistake: Mistake) -> Mistake:
    """The same without the value; of names nothing is hidden."""
    path = mistake.path.replace(f"{PROJECT}.secrets", f"{PROJECT}:secrets", 1)
    if "no name of" in mistake.problem or "no key of" in mistake.problem:
        return Mistake(path, mistake.value, mistake.problem, mistake.fix)
    return Mistake(path, "(hidden)" if mistake.value else "", mistake.problem, mistake.fix.partition(":")[0])


_KEY_FIRST = re.compile(r"([a-z][A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]+)*): (.+)", re.DOTALL)


def placed(mistake: Mistake) -> Mistake:
    """What a rule over several keys says, at the key that it names first; the problem apart from the way out."""
    path, value = mistake.path.removesuffix(".[key]"), mistake.value
    problem, _, fix = mistake.problem.partition("; ") if not mistake.fix else (mistake.problem, "", mistake.fix)
    if (not value or value[0] in "{[") and (found := _KEY_FIRST.fullmatch(problem)):
        path, problem, value = f"{path}.{found[1]}", found[2], ""
    return Mistake(path, value, problem, fix)


def _unplaced(mistake: Mistake, path: str) -> Mistake:
    """A mistake found after reading: the value shown would be a whole object, so it is left out."""
    return Mistake(path, "", mistake.problem, mistake.fix)
