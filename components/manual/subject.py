"""What a manual is about: a stack as it is declared, its objects, and what the rules of the house say of them."""

from __future__ import annotations

import datetime as dt
import os
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from components.contracts.landscape import Landscape
from components.model.component import INSTANCE, PART
from components.monitoring.rules import RUNBOOKS
from components.policy.project import look_at
from components.stack.unopened import unopened

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from typing import Any

    from components.model.component import Component, Scope
    from components.policy.evaluate import Verdict
    from components.stack.platform import Platform
    from components.stack.stackfile import StackFile
    from kube.kinds import Manifest

_COUNTED = ("Deployment", "StatefulSet")
CHANGING, RESTORING = "changing-it", "backup-and-restore"
"""Sections that every runbook has."""


@dataclass(frozen=True)
class Subject:
    """One stack, and where its runbooks are, seen from the folder that the manual is written to."""

    file: StackFile
    platform: Platform
    runbooks: str
    today: dt.date

    @classmethod
    def of(cls, file: StackFile, folder: Path, today: dt.date | None = None) -> Subject:
        """Read a stack for a manual that will stand in ``folder``.

        Raises:
            StackError: the stack file is wrong; every mistake in it is named.
        """
        platform = unopened(file)
        return cls(file, platform, _runbooks(platform, file.project, folder), today or dt.datetime.now(dt.UTC).date())

    @property
    def scope(self) -> Scope:
        """Everything declared, as the members see each other."""
        return self.platform.components[0].scope

    @cached_property
    def members(self) -> dict[str, Component]:
        """By name, in its order."""
        return dict(sorted(self.scope.members.items()))

    @cached_property
    def manifests(self) -> list[Manifest]:
        """The objects of the stack, without values of Secrets."""
        made = self.platform.manifests()
        return self.file.overlay.lowered(made) if self.file.overlay else made

    @cached_property
    def verdict(self) -> Verdict:
        """What the rules of the house say."""
        return look_at(self.file, self.manifests, self.today)

    @cached_property
    def contracts(self) -> Landscape:
        """The contracts of all members."""
        return Landscape(self.members, dict(self.scope.files))

    @cached_property
    def pods(self) -> dict[str, dict[str, int]]:
        """How many there are, by member and part; the part is empty where there is one kind of pod."""
        found: dict[str, dict[str, int]] = {}
        for each in self.manifests:
            labels = each["metadata"].get("labels") or {}
            count = _pods_of(each)
            if count is not None and INSTANCE in labels:
                found.setdefault(labels[INSTANCE], {})[labels.get(PART, "")] = count
        return found

    def objects_of(self, name: str, kind: str = "") -> list[Manifest]:
        """The member's objects, or those of one kind."""
        return [
            each
            for each in self.manifests
            if kind in {"", each["kind"]} and (each["metadata"].get("labels") or {}).get(INSTANCE) == name
        ]

    @cached_property
    def users(self) -> dict[str, list[str]]:
        """Members that use each, by name."""
        return {name: [each.name for each in self.scope.users_of(name)] for name in self.members}

    def touched(self, name: str) -> dict[str, int]:
        """Members that need ``name``, with the number of steps to it: 1 for those that use it themselves."""
        found: dict[str, int] = {}
        waiting = [(user, 1) for user in self.users[name]]
        while waiting:
            each, steps = waiting.pop(0)
            if each not in found and each != name:
                found[each] = steps
                waiting += [(user, steps + 1) for user in self.users[each]]
        return found

    def page(self, member: Component, section: str = "") -> str:
        """Where the runbook of the member's kind is, or a section of it."""
        target = f"{self.runbooks}/{member.kind}.md"
        return f"{target}#{section}" if section else target


def _runbooks(platform: Platform, project: Path, folder: Path) -> str:
    """As Prometheus notes them on alerts; without a URL those of the project, seen from the manual."""
    given = (getattr(each.settings, "runbooks", None) for each in platform.components)
    url = next((each for each in given if each), None)
    return str(url).rstrip("/") if url else os.path.relpath(project / RUNBOOKS, folder).replace(os.sep, "/")


def _pods_of(manifest: Mapping[str, Any]) -> int | None:
    spec = manifest.get("spec") or {}
    if manifest["kind"] in _COUNTED:
        return int(spec.get("replicas", 1))
    if manifest["kind"] == "GrayRelease":
        held = spec["workload"]
        return int(held.get("replicas") or held.get("minReplicas") or 1)
    return None
