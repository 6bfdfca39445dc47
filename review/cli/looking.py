"""What the commands about approvals look at: the stack, the rules that stand, and what would happen."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from components.cli.options import OVERLAY, STACK, find_stack, on_cluster
from kube.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine

    from components.stack.stackfile import StackFile
    from kube.cluster import Cluster
    from review.approval.kept import Kept
    from review.approval.rules import Rules
    from review.approval.subject import Subject
    from review.model.change import ChangeSet

_BASE = click.option("--base", default="", metavar="REF", help="Commit that the change is judged from.")
_LOOK = (
    click.option("--from", "preview", metavar="FILE|-", help="What `pulumi preview --json` wrote."),
    click.option("--probe", metavar="FILE", help="What `grayling review probe` wrote of that preview."),
    click.option("--offline", is_flag=True, help="Against the base commit alone, without a cluster."),
    click.option("--destroy", is_flag=True, help="The end of the stack, as `stack destroy` brings it."),
)


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line says."""

    stack: str
    base: str = ""
    kubeconfig: str | None = None
    context: str | None = None
    preview: str | None = None
    probe: str | None = None
    offline: bool = False
    destroy: bool = False

    @property
    def on_cluster(self) -> bool:
        """Whether a cluster is looked at."""
        return bool(self.context or self.kubeconfig) or not (self.offline or self.preview)

    def file(self) -> StackFile:
        """The stack file as it is now.

        Raises:
            UsageError: there is none, or flags contradict each other.
        """
        if self.offline and (self.preview or self.context or self.kubeconfig):
            raise UsageError("--offline goes with neither --from nor --context: leave one of them out")
        if self.destroy and (self.preview or self.offline):
            raise UsageError("--destroy asks the cluster: it goes with neither --from nor --offline; leave them out")
        if self.probe and (not self.preview or self.context or self.kubeconfig):
            raise UsageError("--probe goes with --from, and not with --context, which looks for itself")
        return find_stack(self.stack).as_it_is()


def about_a_stack(command: Callable[..., Any]) -> Callable[..., Any]:
    """Which stack, on which cluster, judged from where."""
    return STACK(OVERLAY(on_cluster(_BASE(command))))


def of_a_change(command: Callable[..., Any]) -> Callable[..., Any]:
    """The same, and where the change is read from."""
    for option in _LOOK:
        command = option(command)
    return about_a_stack(command)


@asynccontextmanager
async def cluster_of(asked: Asked, file: StackFile) -> AsyncIterator[tuple[Cluster, Kept, str]]:
    """The stack's cluster, what it keeps of reviews, and its name."""
    from components.deploy.session import inventory_of
    from components.deploy.target import Target, place_of, reached
    from review.approval.kept import Kept

    async with reached(Target(asked.kubeconfig, asked.context), place_of(file)) as (cluster, name):
        yield cluster, Kept(cluster, inventory_of(file)), name


async def looked(asked: Asked, file: StackFile, rules: Rules) -> tuple[Subject, list[Any]]:
    """The change, and what the cluster keeps of revocations.

    Raises:
        UsageError: the stack or the preview cannot be read.
        KubeError: the cluster cannot be asked.
    """
    from review.approval.statement import now
    from review.approval.subject import subject_of
    from review.gate import risks_in

    if not asked.on_cluster:
        changes = without_cluster(asked, file, rules)
        return subject_of(file, changes, risks_in(changes, rules, file), rules, now()), []
    async with cluster_of(asked, file) as (cluster, kept, name):
        changes = await _on_cluster(asked, file, cluster, name)
        return subject_of(file, changes, risks_in(changes, rules, file), rules, now()), await kept.revocations()


def without_cluster(asked: Asked, file: StackFile, rules: Rules) -> ChangeSet:
    """The change as a preview has it, or as two commits have it.

    Raises:
        UsageError: the preview is none or of another stack, or there is no base commit.
    """
    from review.cli.sources import of_stack, probed_by_file, read_with_records
    from review.gate import between_commits
    from review.reading.source import read_document

    if asked.preview:
        document = read_document(asked.preview)
        changes = of_stack(read_with_records(document, file.project), file.stack, document.name)
        return probed_by_file(changes, asked.probe, document) if asked.probe else changes
    if not rules.base:
        raise UsageError("--offline: the project is not under git: name the cluster with --context")
    return between_commits(file, rules.base)


async def _on_cluster(asked: Asked, file: StackFile, cluster: Cluster, name: str) -> ChangeSet:
    from components.cli.options import kept_by
    from review.cli.sources import live, of_stack, read_with_records
    from review.reading.probe import beside, probe
    from review.reading.source import read_document

    if asked.preview:
        document = read_document(asked.preview)
        changes = of_stack(read_with_records(document, file.project), file.stack, document.name)
        return beside(changes, await probe(cluster, changes, document, name, kept_by(file, ())))
    return await live(file, cluster, name, destroys=asked.destroy)


def run(work: Coroutine[Any, Any, Any]) -> Any:
    """Until it is done."""
    return asyncio.run(work)
