"""What a pipeline is made of: stacks in the order in which changes reach them, and how the tool gets into a job."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from components.model.profiles import Tier
from components.stack.project import stack_folder
from components.stack.stackfile import find
from kube.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from components.stack.stackfile import StackFile

Way = Literal["apply", "pulumi"]
ORDER = list(Tier)
"""From where mistakes cost least to where they cost most."""


@dataclass(frozen=True, slots=True)
class Stack:
    """One stack as a pipeline knows it.

    Attributes:
        name: of the stack.
        tier: how much it matters.
        namespace: where its releases are.
        releases: whether it has any.
        before: stacks of the tier before, which have to be through.
    """

    name: str
    tier: Tier
    namespace: str
    releases: bool
    before: tuple[str, ...] = ()

    def job(self, verb: str) -> str:
        """The id of its job; hosts take no dots, and no stack has a `_` in its name."""
        return _job(f"{verb}-", self.name)

    def jobs_before(self, prefix: str) -> list[str]:
        """The ids of the jobs that have to be through."""
        return [_job(prefix, name) if prefix.endswith("-") else prefix + name for name in self.before]


def _job(prefix: str, name: str) -> str:
    return prefix + name.replace(".", "_")


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything a template asks for; times as the command line takes them.

    Attributes:
        stacks: in the order of their tiers.
        way: who brings changes in.
        requirements: arguments of `pip install`, one for each call.
        branch: which a merge goes to.
        wait: how long the outcome of a release may take.
        minutes: how long a job that waits for it may take.
        cron: when drift is looked for.
        image: of jobs in containers.
        runner: machine of a job on GitHub.
        label: machine of a job on Jenkins.
        python: version of the interpreter.
        pulumi: version of its command line.
        own_stages: the file is the whole pipeline and not a part of one.
    """

    stacks: tuple[Stack, ...]
    way: Way
    requirements: tuple[str, ...]
    branch: str
    wait: str
    minutes: int
    cron: str
    image: str
    runner: str = "ubuntu-24.04"
    label: str = "grayling"
    python: str = "3.13"
    pulumi: str = "3"
    own_stages: bool = True

    @property
    def names(self) -> list[str]:
        """The names of the stacks."""
        return [stack.name for stack in self.stacks]


def stacks_of(project: Path, wanted: Sequence[str]) -> tuple[Stack, ...]:
    """The stacks of a project, or those that are wanted, in the order of their tiers.

    Without names those of tier `local` are left out: that is a cluster on somebody's own machine.

    Raises:
        UsageError: there is none, or one cannot be read.
    """
    folder = stack_folder(project)
    there = sorted(path.name.removeprefix("Pulumi.").removesuffix(".yaml") for path in folder.glob("Pulumi.*.yaml"))
    found = [_stack(find(name, project)) for name in dict.fromkeys(wanted or there)]
    kept = [stack for stack in found if wanted or stack.tier is not Tier.LOCAL]
    if not kept:
        told = f"only {', '.join(there)} of tier local" if there else "no stack"
        raise UsageError(f"{folder}: {told}: write Pulumi.NAME.yaml, or name a stack of this folder with --stack")
    return tuple(_ordered(kept))


def _stack(file: StackFile) -> Stack:
    section = file.section("environment")
    tier, namespace = section.get("tier"), section.get("namespace")
    if tier not in list(Tier):
        raise UsageError(_of(file, "tier", tier, f"write one of {', '.join(ORDER)}"))
    if not isinstance(namespace, str) or re.fullmatch("[a-z0-9-]+", namespace) is None:
        raise UsageError(_of(file, "namespace", namespace, "write the name of its namespace"))
    return Stack(file.stack, Tier(tier), namespace, bool(file.section("services")))


def _of(file: StackFile, key: str, value: Any, fix: str) -> str:
    return (
        f"{file.source}: grayling:environment.{key} is {value!r}: {fix}; `grayling stack validate` tells all mistakes"
    )


def _ordered(stacks: Sequence[Stack]) -> list[Stack]:
    made: list[Stack] = []
    before: tuple[str, ...] = ()
    for tier in ORDER:
        of_tier = sorted((stack for stack in stacks if stack.tier is tier), key=lambda stack: stack.name)
        made += [Stack(each.name, tier, each.namespace, each.releases, before) for each in of_tier]
        before = tuple(each.name for each in of_tier) or before
    return made


def requirements_of(root: Path, file: str | None) -> tuple[str, ...]:
    """How the tool is installed in a job: from the file that pins it, then the project itself if it is a package.

    Raises:
        UsageError: the file is not there, or there is nothing to install from.
    """
    package = _is_package(root)
    name = file or ("requirements.txt" if (root / "requirements.txt").is_file() else None)
    if name is None:
        if package:
            return (".",)
        raise UsageError(
            f"{root}: neither requirements.txt nor a package in pyproject.toml: a job could not install Grayling; "
            "write `grayling==VERSION` into requirements.txt, or name another file with --requirements"
        )
    if re.fullmatch(r"[\w.-]+", name) is None or not (root / name).is_file():
        raise UsageError(f"--requirements {name}: no such file at the top of {root}; name one that is committed there")
    hashed = "--require-hashes " if "--hash=" in (root / name).read_text(encoding="utf-8") else ""
    return (f"{hashed}--requirement '{name}'", *(("--no-deps .",) if package else ()))


def _is_package(root: Path) -> bool:
    path = root / "pyproject.toml"
    try:
        return path.is_file() and "project" in tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: {error}: mend it first") from error
