"""What ``grayling review preview`` looks at: a file of Pulumi's, or the stack itself, with a cluster or without."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kube.errors import UsageError
from review.model.change import Doubt

if TYPE_CHECKING:
    from components.deploy.target import Place, Target
    from components.stack.stackfile import StackFile
    from kube.cluster import Cluster
    from review.model.change import ChangeSet
    from review.reading.source import Document

NO_NAME = Doubt(
    "no-stack",
    "the preview lists no object and so does not say of which stack it is; it is taken for what the command line says",
    fatal=False,
)


@dataclass(frozen=True, slots=True)
class Wish:
    """What the command line asks for.

    Attributes:
        stack: its name or its file; empty where a preview says it.
        source: the preview's file; empty for our own.
        probe: the file of a probe that was made beside the preview.
        base: the commit to compare with.
        target: which cluster.
        offline: no cluster is asked.
        destroy: the end of the stack is asked for.
    """

    stack: str
    source: str
    probe: str
    base: str
    target: Target
    offline: bool
    destroy: bool = False

    @property
    def stack_name(self) -> str:
        """The name alone: of a file, and of Pulumi's ORGANISATION/PROJECT/STACK."""
        path = Path(self.stack)
        if path.suffix in {".yaml", ".yml"}:
            return path.stem.removeprefix("Pulumi.")
        return self.stack.rpartition("/")[2]


def looked_at(wish: Wish) -> ChangeSet:
    """The change set that is asked for.

    Raises:
        UsageError: something that is asked for does not fit together, or cannot be read.
    """
    _check(wish)
    return _from_file(wish) if wish.source else _own(wish)


def _check(wish: Wish) -> None:
    if not wish.source and not wish.stack:
        raise UsageError("name the STACK to preview, or pass a preview of Pulumi with --from FILE")
    if wish.probe and not wish.source:
        raise UsageError(f"--probe {wish.probe}: speaks for a preview in a file; name that with --from FILE")
    if wish.destroy and (wish.source or wish.offline):
        raise UsageError("--destroy asks the cluster: it goes with neither --from nor --offline; leave them out")
    named = wish.target.context or wish.target.kubeconfig
    if wish.offline and named:
        raise UsageError(f"--offline asks no cluster, and {named} names one; leave one out")
    if wish.probe and named:
        raise UsageError(f"--probe {wish.probe}: was made before, and {named} would look again; leave one out")


def _from_file(wish: Wish) -> ChangeSet:
    from review.reading.source import read_document

    document = read_document(wish.source)
    changes = of_stack(read_with_records(document, _project(wish)), wish.stack_name, document.name)
    if wish.probe:
        return probed_by_file(changes, wish.probe, document)
    if wish.target.context or wish.target.kubeconfig:
        return asyncio.run(_probed(changes, wish, document))
    return changes


def read_with_records(document: Document, project: Path | None) -> ChangeSet:
    """A preview of Pulumi, with what the project's kept records say of its releases.

    Raises:
        UsageError: it is no preview.
    """
    from review.reading.pulumi import read_pulumi
    from review.reading.taken_back import by_records, releases_in
    from rollout.api.kept_records import records_of

    changes = read_pulumi(document)
    return by_records(changes, releases_in(document, changes), records_of(project) if project else ())


def of_stack(changes: ChangeSet, asked: str, source: str) -> ChangeSet:
    """The change set, known to be of the stack that is asked for.

    Raises:
        UsageError: it is of another one.
    """
    if not changes.stack:
        return replace(changes, stack=asked, doubts=(*changes.doubts, NO_NAME))
    if asked and asked != changes.stack:
        raise UsageError(
            f"{source}: is a preview of stack {changes.stack!r} of project {changes.project!r}, and {asked!r} was "
            f"asked for: name {changes.stack}, or pass the preview of {asked}"
        )
    return changes


def probed_by_file(changes: ChangeSet, probe: str, document: Document) -> ChangeSet:
    """The change set with a kept probe beside it.

    Raises:
        UsageError: the probe cannot be read, or is of another preview.
    """
    from review.reading.probe import beside, read_probe

    try:
        text = Path(probe).read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--probe {probe}: {getattr(error, 'strerror', None) or 'is no text'}") from error
    return beside(changes, read_probe(text, probe, document))


async def _probed(changes: ChangeSet, wish: Wish, document: Document) -> ChangeSet:
    from components.deploy.target import reached
    from review.reading.probe import beside, probe

    async with reached(wish.target, _place(wish, document)) as (cluster, name):
        return beside(changes, await probe(cluster, changes, document, name, _records(wish)))


def _place(wish: Wish, document: Document) -> Place:
    """What the stack file says of its cluster, where there is one."""
    from components.deploy.target import Place, place_of
    from components.stack.stackfile import find

    return place_of(find(wish.stack)) if wish.stack else Place(document.name)


def _records(wish: Wish) -> list[Path]:
    from rollout.api.kept_records import records_of

    project = _project(wish)
    return records_of(project) if project else []


def _project(wish: Wish) -> Path | None:
    """The project whose records count: of the stack file, else of the working directory."""
    from components.stack.project import project_above
    from components.stack.stackfile import find

    with suppress(UsageError):  # a preview can be read anywhere
        return find(wish.stack).project if wish.stack else project_above(Path.cwd().resolve())
    return project_above(Path.cwd().resolve())


def _own(wish: Wish) -> ChangeSet:
    from components.stack.project import project_name
    from components.stack.stackfile import find
    from review.gate import between_commits

    file = find(wish.stack).as_it_is()
    made = between_commits(file, wish.base or _base(file.project)) if wish.offline else asyncio.run(_live(wish, file))
    return replace(made, project=project_name(file.project))


def _base(project: Path) -> str:
    """The commit that `verify` and `approve` compare with too.

    Raises:
        UsageError: there is none.
    """
    from review.approval.repository import Repository

    repository = Repository.around(project)
    found = repository.base() if repository else ""
    if not found:
        raise UsageError("--offline compares the stack with a commit, and there is none; name a cluster with --context")
    return found


async def _live(wish: Wish, file: StackFile) -> ChangeSet:
    from components.deploy.target import place_of, reached

    async with reached(wish.target, place_of(file)) as (cluster, name):
        return await live(file, cluster, name, destroys=wish.destroy)


async def live(file: StackFile, cluster: Cluster, name: str, *, destroys: bool = False) -> ChangeSet:
    """What an apply of a stack would change on a cluster, or its end."""
    from components.cli.options import kept_by
    from components.deploy.session import engine_of, inventory_of, served
    from components.deploy.survey import take_survey
    from components.deploy.teardown import plan_teardown
    from review.reading.render import read_live

    inventory = inventory_of(file)
    if destroys:
        survey = (await plan_teardown(cluster, inventory)).survey()
    else:
        how: Any = {"engine": engine_of(file), "records": kept_by(file, ())}
        survey = await take_survey(cluster, inventory, served(file), **how)
    return await read_live(cluster, survey, stack=file.stack, name=name, destroys=destroys)
